//! What is done number by number: bias, residual, activation, sums.

use super::geometry::Activation;
use super::simd::{self, Kernel};
use rayon::prelude::*;

/// Numbers that one task goes through where nothing else sets the size.
pub(super) const CHUNK: usize = 1 << 16;

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
    }
}

/// `v` within `low..=high`. What is not a number stays so: a diverged network has to be noticed.
#[inline(always)]
pub(super) fn clamp(v: f32, low: f32, high: f32) -> f32 {
    let v = if v < low { low } else { v };
    if v > high { high } else { v }
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
        for row in self.rows.chunks_exact(self.stride) {
            add(self.sums, &row[self.from..]);
        }
    }
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

/// Takes the gradient before the activation from the gradient after it, in place: `dy` stays where the activation let its
/// input through, and is zero elsewhere. `y` is the activation's output: [`Relu`](Activation::Relu) lets through where
/// `y > 0`, [`Relu6`](Activation::Relu6) where `0 < y < 6`.
///
/// # Panics
/// Where the two lengths differ.
pub fn backward_activation(act: Activation, y: &[f32], dy: &mut [f32]) {
    assert_eq!(y.len(), dy.len(), "y and dy");
    if act == Activation::None {
        return;
    }
    dy.par_chunks_mut(CHUNK).zip(y.par_chunks(CHUNK)).for_each(|(dy, y)| simd::run(Mask { act, y, dy }));
}

struct Mask<'a> {
    act: Activation,
    y: &'a [f32],
    dy: &'a mut [f32],
}

impl Kernel for Mask<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (low, high) = self.act.bounds();
        for (dy, &y) in self.dy.iter_mut().zip(self.y) {
            // A NaN in `y` fails no comparison here, so it blocks nothing.
            *dy = if (y <= low) | (y >= high) { 0.0 } else { *dy };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            run_on(level, Mask { act: Activation::Relu6, y: &y[..37], dy: &mut dy });
            assert!((0..37).all(|i| dy[i] == if y[i] > 0.0 && y[i] < 6.0 { bias[i] } else { 0.0 }), "{level:?}");
            for (c, &sum) in sums.iter().enumerate() {
                assert_eq!(sum, before.chunks(37).fold(1.0, |sum, row| sum + row[10 + c]), "{level:?}");
            }
        }
    }
}
