//! What is done number by number: bias, residual, activation, sums.

use super::activation::{Activation, Values, clamp};
use super::conv::Conv;
use super::memory::Memory;
use super::simd::{self, Kernel};
use rayon::prelude::*;

/// Numbers that one task goes through where nothing else sets the size.
pub(super) const CHUNK: usize = 1 << 16;

/// Columns that are summed together.
const LANES: usize = 16;

/// Rows that are summed together.
const SUMMED_ROWS: usize = 32;

/// `y = act(y + bias + residual)`, in place. `y` and `residual` are `[positions, C]`, `bias` is `[C]`.
pub(super) struct Epilogue<'a> {
    pub(super) bias: &'a [f32],
    pub(super) residual: Option<&'a [f32]>,
    pub(super) act: Activation,
    pub(super) y: &'a mut [f32],
}

impl Kernel for Epilogue<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (low, high) = self.act.bounds();
        let channels = self.bias.len();
        match self.residual {
            Some(residual) => {
                for (y, residual) in self.y.chunks_exact_mut(channels).zip(residual.chunks_exact(channels)) {
                    for ((y, &bias), &residual) in y.iter_mut().zip(self.bias).zip(residual) {
                        *y = clamp(*y + bias + residual, low, high);
                    }
                }
            }
            None => {
                for y in self.y.chunks_exact_mut(channels) {
                    for (y, &bias) in y.iter_mut().zip(self.bias) {
                        *y = clamp(*y + bias, low, high);
                    }
                }
            }
        }
        Values { act: self.act, y: self.y }.run::<FMA>();
    }
}

/// `L` numbers from `at` on.
#[inline(always)]
pub(super) fn lanes<const L: usize>(from: &[f32], at: usize) -> &[f32; L] {
    from[at..].first_chunk().unwrap_or_else(|| panic!("{L} numbers from {at} on, of {}", from.len()))
}

/// As [`lanes`], to write.
#[inline(always)]
pub(super) fn lanes_mut<const L: usize>(to: &mut [f32], at: usize) -> &mut [f32; L] {
    let len = to.len();
    to[at..].first_chunk_mut().unwrap_or_else(|| panic!("{L} numbers from {at} on, of {len}"))
}

/// `sums[c] += Σ rows[.., c]`; `rows` is `[positions, stride]` and `sums` a part of its columns, from `from` on.
pub(super) struct AddRows<'a> {
    pub(super) rows: &'a [f32],
    pub(super) stride: usize,
    pub(super) from: usize,
    pub(super) sums: &'a mut [f32],
}

impl Kernel for AddRows<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // Some rows at a time, which stay in the nearest cache while each block of their columns is summed in registers.
        for rows in self.rows.chunks(self.stride * SUMMED_ROWS) {
            let blocks = self.sums.len() / LANES * LANES;
            for c in (0..blocks).step_by(LANES) {
                add_column::<LANES>(rows, self.stride, self.from + c, lanes_mut(self.sums, c));
            }
            for c in blocks..self.sums.len() {
                add_column::<1>(rows, self.stride, self.from + c, lanes_mut(self.sums, c));
            }
        }
    }
}

/// Adds the `L` columns of `rows` from `c` on.
#[inline(always)]
fn add_column<const L: usize>(rows: &[f32], stride: usize, c: usize, sums: &mut [f32; L]) {
    let mut total = *sums;
    for row in rows.chunks_exact(stride) {
        add(&mut total, lanes::<L>(row, c));
    }
    *sums = total;
}

/// `a[i] += b[i]` over `a`.
#[inline(always)]
pub(super) fn add(a: &mut [f32], b: &[f32]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

/// `total = Σ parts`, or `total += Σ parts` where `accumulate`, in their order. `parts` holds several arrays as long as `total`.
pub(super) fn sum_parts(parts: &[f32], accumulate: bool, total: &mut [f32]) {
    let len = total.len();
    total.par_chunks_mut(CHUNK).enumerate().for_each(|(i, total)| {
        if !accumulate {
            total.fill(0.0);
        }
        for part in parts.chunks_exact(len) {
            simd::run(Add { a: total, b: &part[i * CHUNK..] });
        }
    });
}

/// As [`sum_parts`], of sums that were made as `[depth, out_c]` and the bias', to `[out_c, depth]` and the bias'.
pub(super) fn sum_turned(parts: &[f32], conv: &Conv, accumulate: bool, memory: &Memory, sums: &mut [f32]) {
    let mut total = memory.buffer(sums.len());
    sum_parts(parts, false, &mut total);
    let (weights, bias) = sums.split_at_mut(conv.weights());
    for (o, sums) in weights.chunks_exact_mut(conv.depth()).chain([bias]).enumerate() {
        let is_bias = o == conv.out_c;
        let from = if is_bias { &total[conv.weights()..] } else { &total[o..] };
        let step = if is_bias { 1 } else { conv.out_c };
        for (sum, from) in sums.iter_mut().zip(from.iter().step_by(step)) {
            *sum = if accumulate { *sum + from } else { *from };
        }
    }
}

/// `a[i] += b[i]`.
///
/// # Panics
/// Where the two lengths differ.
pub fn add_to(a: &mut [f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "the sum and what is added");
    a.par_chunks_mut(CHUNK).zip(b.par_chunks(CHUNK)).for_each(|(a, b)| simd::run(Add { a, b }));
}

struct Add<'a> {
    a: &'a mut [f32],
    b: &'a [f32],
}

impl Kernel for Add<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        add(self.a, self.b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::activation::Slopes;
    use crate::kernels::simd::{Level, run_on};
    use crate::kernels::tests::numbers;

    #[test]
    fn every_vector_unit_gives_the_same_bytes() {
        let (bias, added, before) = (numbers(37, 1), numbers(37 * 5, 2), numbers(37 * 5, 3));
        let plain = |i: usize| before[i] + bias[i % 37];
        for level in Level::available() {
            let mut y = before.clone();
            run_on(level, Epilogue { bias: &bias, residual: None, act: Activation::Relu, y: &mut y });
            assert!(y.iter().enumerate().all(|(i, &y)| y == plain(i).max(0.0)), "{level:?}");
            y.copy_from_slice(&before);
            run_on(level, Epilogue { bias: &bias, residual: Some(&added), act: Activation::Relu6, y: &mut y });
            assert!(y.iter().enumerate().all(|(i, &y)| y == (plain(i) + added[i]).clamp(0.0, 6.0)), "{level:?}");
            let mut sums = vec![1.0; 20];
            run_on(level, AddRows { rows: &before, stride: 37, from: 10, sums: &mut sums });
            let mut dy = bias.clone();
            run_on(level, Slopes { act: Activation::Relu6, kept: &y[..37], dy: &mut dy });
            assert!((0..37).all(|i| dy[i] == if y[i] > 0.0 && y[i] < 6.0 { bias[i] } else { 0.0 }), "{level:?}");
            for (c, &sum) in sums.iter().enumerate() {
                assert_eq!(sum, before.chunks(37).fold(1.0, |sum, row| sum + row[10 + c]), "{level:?}");
            }
        }
    }
}
