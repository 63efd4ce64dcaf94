//! Rows of numbers rounded, two in a word: a number with its neighbour, or with the one below it.

use super::block::has_instruction;
use super::numbers::{pair, pairs_of};
use crate::kernels::simd::{self, Kernel};

/// The first `depth` of each `stride` numbers as pairs of neighbours: `[rows, pairs]`. The last of an odd row is beside a 0.
pub(super) fn of_neighbours(rows: &[f32], stride: usize, depth: usize, to: &mut [u32]) {
    if depth == stride && depth.is_multiple_of(2) {
        return of_one_row(rows, to);
    }
    for (row, to) in rows.chunks(stride).zip(to.chunks_exact_mut(pairs_of(depth))) {
        of_one_row(&row[..depth], to);
    }
}

/// The first `columns` of each `stride` numbers, each with the one below it: `[pairs of rows, columns]`. The last of an odd number of rows is above
/// zeros.
pub(super) fn of_columns(rows: &[f32], stride: usize, columns: usize, to: &mut [u32]) {
    for (rows, to) in rows.chunks(2 * stride).zip(to.chunks_exact_mut(columns)) {
        of_two_rows(rows, stride, 0, to);
    }
}

/// Numbers `from` and on of one row or two, as many as there are words.
pub(super) fn of_two_rows(rows: &[f32], stride: usize, from: usize, to: &mut [u32]) {
    let (above, below) = rows.split_at(stride.min(rows.len()));
    let above = &above[from..from + to.len()];
    let below = if below.is_empty() { below } else { &below[from..from + to.len()] };
    #[cfg(target_arch = "x86_64")]
    if has_instruction() && !below.is_empty() {
        // SAFETY: the machine has the instructions, and both rows are as long as `to`.
        return unsafe { by_instruction::two_rows(above, below, to) };
    }
    simd::run(TwoRows { above, below, to });
}

fn of_one_row(row: &[f32], to: &mut [u32]) {
    assert_eq!(to.len(), pairs_of(row.len()), "pairs of a row");
    #[cfg(target_arch = "x86_64")]
    if has_instruction() {
        // SAFETY: the machine has the instructions, and there is a word for each two numbers.
        return unsafe { by_instruction::one_row(row, to) };
    }
    simd::run(OneRow { row, to });
}

struct OneRow<'a> {
    row: &'a [f32],
    to: &'a mut [u32],
}

impl Kernel for OneRow<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (two, to) in self.row.chunks(2).zip(self.to) {
            *to = pair(two[0], if two.len() == 2 { two[1] } else { 0.0 });
        }
    }
}

/// `below` is as long as `above`, or there is none.
struct TwoRows<'a> {
    above: &'a [f32],
    below: &'a [f32],
    to: &'a mut [u32],
}

impl Kernel for TwoRows<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { above, below, to } = self;
        if below.is_empty() {
            to.iter_mut().zip(above).for_each(|(to, &above)| *to = pair(above, 0.0));
        } else {
            to.iter_mut().zip(above).zip(below).for_each(|((to, &above), &below)| *to = pair(above, below));
        }
    }
}

/// The same by the instruction that rounds 32 numbers.
#[cfg(target_arch = "x86_64")]
mod by_instruction {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_si512, _mm512_mask_storeu_epi32, _mm512_maskz_loadu_ps,
        _mm512_permutexvar_epi16,
    };

    use crate::kernels::narrow::numbers::LANES;

    /// A bit for each of the first `count` lanes.
    fn first_lanes(count: usize) -> u16 {
        if count >= LANES { u16::MAX } else { (1 << count) - 1 }
    }

    /// # Safety
    /// The machine has the instructions; `to` has a word for each two of the row.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn one_row(row: &[f32], to: &mut [u32]) {
        for at in (0..to.len()).step_by(LANES) {
            let numbers = row.len() - 2 * at;
            let (low, high) = (first_lanes(numbers), first_lanes(numbers.saturating_sub(LANES)));
            // SAFETY: of the 32 numbers from here on, those are read that the row has, and of 16 words, those written that `to` has. 16 words and 32
            // bf16 are the same bits.
            unsafe {
                let from = row.as_ptr().add(2 * at);
                let (first, second) =
                    (_mm512_maskz_loadu_ps(low, from), _mm512_maskz_loadu_ps(high, from.wrapping_add(LANES)));
                let words = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first));
                _mm512_mask_storeu_epi32(to.as_mut_ptr().add(at).cast(), first_lanes(to.len() - at), words);
            }
        }
    }

    /// # Safety
    /// The machine has the instructions; all three are of one length.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn two_rows(above: &[f32], below: &[f32], to: &mut [u32]) {
        // Of 32 halves, the first 16 of the row above: 0, 16, 1, 17, …
        let turns: [u16; 2 * LANES] = std::array::from_fn(|i| (i / 2 + i % 2 * LANES) as u16);
        // SAFETY: they are as many bytes as a vector has.
        let turns = unsafe { _mm512_loadu_si512(turns.as_ptr().cast()) };
        for at in (0..to.len()).step_by(LANES) {
            let lanes = first_lanes(to.len() - at);
            // SAFETY: of the 16 numbers from here on, those are read that the rows have, and as many words written. 16 words and 32 bf16 are the
            // same bits.
            unsafe {
                let (above, below) = (
                    _mm512_maskz_loadu_ps(lanes, above.as_ptr().add(at)),
                    _mm512_maskz_loadu_ps(lanes, below.as_ptr().add(at)),
                );
                let halves = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(below, above));
                _mm512_mask_storeu_epi32(
                    to.as_mut_ptr().add(at).cast(),
                    lanes,
                    _mm512_permutexvar_epi16(turns, halves),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::numbers::{first, second};
    use super::*;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;

    #[test]
    fn pairs_are_of_neighbours_or_of_rows() {
        let numbers: Vec<f32> = (1..=15).map(|i| i as f32).collect();
        let (mut rows, mut columns) = (vec![9; 9], vec![9; 4]);
        of_neighbours(&numbers, 5, 5, &mut rows);
        of_columns(&numbers[1..], 5, 2, &mut columns);
        let all = |pairs: &[u32]| pairs.iter().map(|&pair| (first(pair), second(pair))).collect::<Vec<_>>();
        assert_eq!(all(&rows)[..4], [(1., 2.), (3., 4.), (5., 0.), (6., 7.)]);
        assert_eq!(all(&columns), [(2., 7.), (3., 8.), (12., 0.), (13., 0.)]);
    }

    /// Numbers of all kinds, in rows that are no whole vectors.
    #[test]
    fn every_unit_and_the_instruction_round_to_the_same_bytes() {
        let odd = [
            0.0,
            -0.0,
            1e-40,
            -1e-39,
            f32::MIN_POSITIVE,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
            1.0 + 1.0 / 256.0,
            1.0 + 3.0 / 256.0,
        ];
        let mut all = numbers(2 * 77, 6);
        all.iter_mut().step_by(7).zip(odd.iter().cycle()).for_each(|(number, &odd)| *number = odd);
        for count in [1, 2, 15, 16, 17, 31, 32, 33, 64, 77] {
            let (above, below) = (&all[..count], &all[77..77 + count]);
            let (mut one, mut two) = (vec![9; pairs_of(count)], vec![9; count]);
            of_neighbours(above, count, count, &mut one);
            of_two_rows(&all[..77 + count], 77, 0, &mut two);
            every_unit::gives_the_same_bytes(|unit| {
                let (mut portable, mut both) = (vec![9; one.len()], vec![9; count]);
                unit.run(OneRow { row: above, to: &mut portable });
                unit.run(TwoRows { above, below, to: &mut both });
                assert_eq!((&portable, &both), (&one, &two), "{count}");
                (portable, both)
            });
        }
    }
}
