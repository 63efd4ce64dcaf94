//! Adam's update, all in one pass over memory.

use super::frame::CHUNK;
use super::simd::{self, Kernel};
use rayon::prelude::*;

/// The numbers of one update.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// How much of the running mean stays.
    pub beta1: f64,
    /// How much of the running mean of squares stays.
    pub beta2: f64,
    /// Added to the root, after the bias correction.
    pub epsilon: f64,
    /// The learning rate over the mean's bias correction.
    pub step: f64,
    /// The root of the squares' bias correction.
    pub root: f64,
}

impl Adam {
    /// `m = β₁m + (1−β₁)g`, `v = β₂v + (1−β₂)g²`, `p −= step · m / (√v / root + ε)`, number by number.
    ///
    /// # Panics
    /// Where the lengths differ.
    ///
    /// ```
    /// use petal::kernels::adam::Adam;
    ///
    /// // The first step: both means are corrected for having started at zero.
    /// let (beta1, beta2, rate) = (0.9, 0.999, 0.01);
    /// let adam = Adam { beta1, beta2, epsilon: 1e-7, step: rate / (1.0 - beta1), root: f64::sqrt(1.0 - beta2) };
    /// let (mut p, mut m, mut v) = ([1.0, 1.0], [0.0; 2], [0.0; 2]);
    /// adam.update(&mut p, &mut m, &mut v, &[0.5, -2.0]);
    /// assert!((p[0] - 0.99).abs() < 1e-6 && (p[1] - 1.01).abs() < 1e-6);
    /// assert!((m[0] - 0.05).abs() < 1e-7 && (v[1] - 0.004).abs() < 1e-7);
    /// ```
    pub fn update(&self, p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
        assert!([m.len(), v.len(), g.len()].iter().all(|&len| len == p.len()), "Adam's arrays differ in length");
        let moments = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
        p.par_chunks_mut(CHUNK).zip(moments).zip(g.par_chunks(CHUNK)).for_each(|((p, (m, v)), g)| {
            simd::run(Update { adam: self, p, m, v, g });
        });
    }
}

struct Update<'a> {
    adam: &'a Adam,
    p: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    g: &'a [f32],
}

impl Kernel for Update<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Adam { beta1, beta2, epsilon, step, root } = *self.adam;
        // Differences in f64: of 1 − 0.999, f32 would lose five digits.
        let (keep1, fresh1) = (beta1 as f32, (1.0 - beta1) as f32);
        let (keep2, fresh2) = (beta2 as f32, (1.0 - beta2) as f32);
        let (epsilon, step, root) = (epsilon as f32, step as f32, root as f32);
        for (((p, m), v), &g) in self.p.iter_mut().zip(self.m).zip(self.v).zip(self.g) {
            *m = keep1 * *m + fresh1 * g;
            *v = keep2 * *v + fresh2 * (g * g);
            *p -= step * *m / (v.sqrt() / root + epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;

    #[test]
    fn every_vector_unit_gives_the_same_bytes() {
        let adam = &Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, step: 0.01, root: 0.3 };
        let g = &numbers(1237, 1)[..];
        every_unit::gives_the_same_bytes(|unit| {
            let (mut p, mut m, mut v) = (numbers(1237, 2), numbers(1237, 3), numbers(1237, 4));
            v.iter_mut().for_each(|v| *v = v.abs());
            unit.run(Update { adam, p: &mut p, m: &mut m, v: &mut v, g });
            (p, m, v)
        });
    }
}
