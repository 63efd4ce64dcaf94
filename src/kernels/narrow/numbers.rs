//! `f32` rounded to bf16, two in a word.

use crate::kernels::simd::Kernel;

/// Numbers in a vector.
pub(super) const LANES: usize = 16;

/// The bf16 nearest to a number, ties to even, as the processor's own instruction has it: what is no normal number is 0 with its sign, what is not a
/// number stays so.
#[inline(always)]
pub(super) fn round(number: f32) -> u32 {
    let bits = number.to_bits();
    let sign = bits & 0x8000_0000;
    let size = bits & 0x7fff_ffff;
    // The lowest bit that stays decides where two are equally near.
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    let normal = if size < 0x0080_0000 { sign } else { nearest };
    (if size > 0x7f80_0000 { bits | 0x0040_0000 } else { normal }) >> 16
}

/// Two numbers as bf16, the first in the low half.
#[inline(always)]
pub(super) fn pair(first: f32, second: f32) -> u32 {
    round(first) | round(second) << 16
}

/// The first number of a pair.
#[inline(always)]
pub(super) fn first(pair: u32) -> f32 {
    f32::from_bits(pair << 16)
}

/// The second number of a pair.
#[inline(always)]
pub(super) fn second(pair: u32) -> f32 {
    f32::from_bits(pair & 0xffff_0000)
}

/// How many pairs a row of so many numbers is; an odd one is beside a 0.
pub(super) fn pairs_of(numbers: usize) -> usize {
    numbers.div_ceil(2)
}

/// Rows of numbers as rows of pairs of neighbours: the first `depth` of each `stride` numbers to `[rows, pairs]`.
pub(super) struct Neighbours<'a> {
    pub(super) rows: &'a [f32],
    pub(super) stride: usize,
    pub(super) depth: usize,
    pub(super) to: &'a mut [u32],
}

impl Kernel for Neighbours<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { rows, stride, depth, to } = self;
        if depth == stride && depth.is_multiple_of(2) {
            return neighbours(rows, to);
        }
        let (pairs, even) = (pairs_of(depth), depth / 2);
        for (row, to) in rows.chunks(stride).zip(to.chunks_exact_mut(pairs)) {
            neighbours(&row[..2 * even], &mut to[..even]);
            to[even..].fill_with(|| pair(row[depth - 1], 0.0));
        }
    }
}

#[inline(always)]
fn neighbours(from: &[f32], to: &mut [u32]) {
    for (from, to) in from.chunks_exact(2).zip(to) {
        *to = pair(from[0], from[1]);
    }
}

/// Rows of numbers, each with the one below it: the first `columns` of each `stride` numbers as `[pairs of rows, columns]`.
pub(super) struct Columns<'a> {
    pub(super) rows: &'a [f32],
    pub(super) stride: usize,
    pub(super) columns: usize,
    pub(super) to: &'a mut [u32],
}

impl Kernel for Columns<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { rows, stride, columns, to } = self;
        for (rows, to) in rows.chunks(2 * stride).zip(to.chunks_exact_mut(columns)) {
            column_pairs(rows, stride, 0, to);
        }
    }
}

/// Two rows, or one and zeros, column by column.
#[inline(always)]
pub(super) fn column_pairs(rows: &[f32], stride: usize, from: usize, to: &mut [u32]) {
    let (above, below) = rows.split_at(stride.min(rows.len()));
    let above = &above[from..from + to.len()];
    if below.is_empty() {
        to.iter_mut().zip(above).for_each(|(to, &above)| *to = pair(above, 0.0));
    } else {
        let below = &below[from..from + to.len()];
        to.iter_mut().zip(above).zip(below).for_each(|((to, &above), &below)| *to = pair(above, below));
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;
    use crate::kernels::simd::every_unit;

    #[test]
    fn a_number_is_rounded_as_the_type_has_it_and_small_ones_to_nothing() {
        for i in 0..=u16::MAX as u32 {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let number = f32::from_bits(i << 16 | low);
                let expected = if number.is_normal() || number.is_infinite() {
                    bf16::from_f32(number).to_bits()
                } else {
                    (i & 0x8000) as u16
                };
                if number.is_nan() {
                    assert!(first(round(number)).is_nan());
                } else {
                    assert_eq!(round(number) as u16, expected, "{number:e}");
                }
            }
        }
    }

    #[test]
    fn pairs_are_of_neighbours_or_of_rows() {
        let numbers: Vec<f32> = (1..=15).map(|i| i as f32).collect();
        every_unit::gives_the_same_bytes(|unit| {
            let (mut rows, mut columns) = (vec![9; 9], vec![9; 4]);
            unit.run(Neighbours { rows: &numbers, stride: 5, depth: 5, to: &mut rows });
            unit.run(Columns { rows: &numbers[1..], stride: 5, columns: 2, to: &mut columns });
            let all = |pairs: &[u32]| pairs.iter().map(|&pair| (first(pair), second(pair))).collect::<Vec<_>>();
            assert_eq!(all(&rows)[..4], [(1., 2.), (3., 4.), (5., 0.), (6., 7.)]);
            assert_eq!(all(&columns), [(2., 7.), (3., 8.), (12., 0.), (13., 0.)]);
            (rows, columns)
        });
    }
}
