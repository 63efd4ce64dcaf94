//! What is done number by number: bias, residual and activation behind a product, and sums of two slices.

use super::activation::Activation;
use super::frame::CHUNK;
use super::simd::{self, Kernel, clamp};
use rayon::prelude::*;

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
        self.act.finish(self.y);
    }
}

/// `a[i] += b[i]` over `a`.
#[inline(always)]
pub(super) fn add(a: &mut [f32], b: &[f32]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

/// `a[i] += b[i]`.
///
/// # Panics
/// Where the two lengths differ.
///
/// ```
/// let mut sum = [1.0, 2.0];
/// petal::kernels::add_to(&mut sum, &[0.5, -2.0]);
/// assert_eq!(sum, [1.5, 0.0]);
/// ```
pub fn add_to(a: &mut [f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "the sum and what is added");
    a.par_chunks_mut(CHUNK).zip(b.par_chunks(CHUNK)).for_each(|(a, b)| simd::run(Add { a, b }));
}

/// `a[i] += b[i]`, over `a`.
pub(super) struct Add<'a> {
    pub(super) a: &'a mut [f32],
    pub(super) b: &'a [f32],
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
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;

    #[test]
    fn every_vector_unit_takes_the_epilogue() {
        let (bias, added, before) = (numbers(37, 1), numbers(37 * 5, 2), numbers(37 * 5, 3));
        let plain = |i: usize| before[i] + bias[i % 37];
        every_unit::gives_the_same_bytes(|unit| {
            let run = |residual, act| {
                let mut y = before.clone();
                unit.run(Epilogue { bias: &bias, residual, act, y: &mut y });
                y
            };
            let relu = run(None, Activation::Relu);
            assert!(relu.iter().enumerate().all(|(i, &y)| y == plain(i).max(0.0)));
            let relu6 = run(Some(&added), Activation::Relu6);
            assert!(relu6.iter().enumerate().all(|(i, &y)| y == (plain(i) + added[i]).clamp(0.0, 6.0)));
            let silu = run(Some(&added), Activation::Silu);
            assert!(silu.iter().enumerate().all(|(i, &y)| y == Activation::Silu.value(plain(i) + added[i])));
            [relu, relu6, silu]
        });
    }

    #[test]
    fn one_array_is_added_to_another() {
        let (mut a, b) = (numbers(70_001, 1), numbers(70_001, 2));
        let expected: Vec<_> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        add_to(&mut a, &b);
        assert_eq!(a, expected);
    }
}
