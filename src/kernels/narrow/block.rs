//! A block of a product: as many sums as the registers hold. By the processor's instruction where there is one, and the same bytes everywhere.

use super::numbers::{LANES, first, second};
use crate::kernels::simd::{self, Kernel};

/// The products of `R` rows with `V` vectors of columns: `c = …`, or `c += …` where `accumulate`.
pub(super) struct Block<'a, const R: usize, const V: usize> {
    pub(super) pairs: &'a [u32],
    pub(super) row_stride: usize,
    pub(super) pair_stride: usize,
    pub(super) right: &'a [u32],
    pub(super) count: usize,
    pub(super) accumulate: bool,
    pub(super) c: &'a mut [f32],
    /// From a row of `c` to the next.
    pub(super) to_next: usize,
}

/// Whether the machine has the instructions for bf16, and those that move halves of words.
pub(super) fn has_instruction() -> bool {
    #[cfg(target_arch = "x86_64")]
    return cfg!(feature = "avx512")
        && is_x86_feature_detected!("avx512bf16")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[inline(always)]
pub(super) fn run<const R: usize, const V: usize>(block: Block<R, V>) {
    assert!((R - 1) * block.to_next + V * LANES <= block.c.len(), "a block ends outside the product");
    #[cfg(target_arch = "x86_64")]
    if has_instruction() {
        // SAFETY: the machine has the instructions; the last pair of the last row, as many words of `right` as are read, and the last vector of the
        // last row of `c` were seen above and in `Strip::step`.
        return unsafe { dot_products(block) };
    }
    simd::run(block);
}

impl<const R: usize, const V: usize> Kernel for Block<'_, R, V> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { pairs, row_stride, pair_stride, right, count, accumulate, c, to_next } = self;
        let mut sums = [[[0.0; LANES]; V]; R];
        let rows = |c: &mut [f32], each: &mut dyn FnMut(usize, &mut [f32])| {
            c.chunks_mut(to_next).take(R).enumerate().for_each(|(r, c)| each(r, &mut c[..V * LANES]));
        };
        if accumulate {
            rows(c, &mut |r, c| sums[r].as_flattened_mut().copy_from_slice(c));
        }
        for (p, right) in right.chunks_exact(V * LANES).take(count).enumerate() {
            for (r, sums) in sums.iter_mut().enumerate() {
                let left = pairs[r * row_stride + p * pair_stride];
                for (sum, &right) in sums.as_flattened_mut().iter_mut().zip(right) {
                    *sum = add_pair(left, right, *sum);
                }
            }
        }
        rows(c, &mut |r, c| c.copy_from_slice(sums[r].as_flattened()));
    }
}

/// What the instruction computes: the second product is added first, each addition is rounded once, and what is no normal number is 0.
#[inline(always)]
fn add_pair(left: u32, right: u32, sum: f32) -> f32 {
    // Always as one operation, also where that is a slow call: the bytes are the same everywhere.
    let sum = flushed(second(left).mul_add(second(right), flushed(sum)));
    flushed(first(left).mul_add(first(right), sum))
}

#[inline(always)]
fn flushed(number: f32) -> f32 {
    if number.abs() < f32::MIN_POSITIVE { 0.0f32.copysign(number) } else { number }
}

/// [`Block`] by the instruction for it.
///
/// # Safety
/// For each of the `R` rows, `count` pairs lie within `pairs`; `right` has `count` rows of `V` vectors; of `c`, each of the `R` rows has `V` vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn dot_products<const R: usize, const V: usize>(block: Block<R, V>) {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps,
    };
    let Block { pairs, row_stride, pair_stride, right, count, accumulate, c, to_next } = block;
    // Plain loops: what a closure does is not compiled with these instructions.
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    if accumulate {
        for (r, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                // SAFETY: vector `v` of row `r` of `c` is there, as the caller says.
                *sum = unsafe { _mm512_loadu_ps(c.as_ptr().add(r * to_next + v * LANES)) };
            }
        }
    }
    for p in 0..count {
        // SAFETY: of `right`, `V` vectors of row `p` are there, as the caller says; 16 words and 32 bf16 are the same bits.
        let columns = unsafe { right.as_ptr().add(p * V * LANES).cast::<[__m512bh; V]>().read_unaligned() };
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: pair `p` of row `r` is there, as the caller says; 16 words and 32 bf16 are the same bits.
            let row = unsafe {
                let pair = *pairs.get_unchecked(r * row_stride + p * pair_stride);
                std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(pair as i32))
            };
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = _mm512_dpbf16_ps(*sum, row, column);
            }
        }
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (v, sum) in sums.into_iter().enumerate() {
            // SAFETY: vector `v` of row `r` of `c` is there, as the caller says.
            unsafe { _mm512_storeu_ps(c.as_mut_ptr().add(r * to_next + v * LANES), sum) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::numbers::round;
    use super::*;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;

    /// Numbers of all sizes, the smallest and largest among them.
    #[test]
    fn every_unit_and_the_instruction_give_the_same_bytes() {
        let words = |len: usize, seed: u64, least: u32, range: u32| -> Vec<u32> {
            let half = |number: f32, at: f32| {
                let exponent = least + ((at + 1.0) * 0.5 * range as f32) as u32;
                round(f32::from_bits(number.to_bits() & 0x807f_ffff | exponent.min(254) << 23))
            };
            let (numbers, at) = (numbers(2 * len, seed), numbers(2 * len, seed + 100));
            let halves: Vec<u32> = numbers.iter().zip(&at).map(|(&number, &at)| half(number, at)).collect();
            halves.chunks(2).map(|two| two[0] | two[1] << 16).collect()
        };
        for (least, range) in [(120, 12), (100, 50), (40, 60), (0, 255)] {
            let (count, left) = (37, words(6 * 37, 1, least, range));
            let right = words(37 * 2 * LANES, 2, least, range);
            let block = |run: &dyn Fn(Block<6, 2>)| {
                let mut c = vec![1e-38; 6 * 40];
                run(Block {
                    pairs: &left,
                    row_stride: 37,
                    pair_stride: 1,
                    right: &right,
                    count,
                    accumulate: true,
                    c: &mut c,
                    to_next: 40,
                });
                // Which of the payloads of what is not a number stays is no part of a result.
                c.iter().map(|s| if s.is_nan() { 1 } else { s.to_bits() }).collect::<Vec<_>>()
            };
            every_unit::gives_the_same_bytes(|unit| block(&|block| unit.run(block)));
            #[cfg(target_arch = "x86_64")]
            if has_instruction() {
                let by_it = |block: Block<6, 2>| {
                    // SAFETY: the machine has the instructions, and the block is as large as it says.
                    unsafe { dot_products(block) }
                };
                assert!(block(&by_it) == block(&|block| simd::run(block)), "from {least}");
            }
        }
    }
}
