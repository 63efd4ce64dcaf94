//! What is asked for of a backward pass.

use super::weights::BackwardWeights;
use crate::kernels::activation::Activation;

/// A gradient of the input that is asked for.
#[derive(Debug)]
pub struct InputGradient<'a, W = &'a BackwardWeights> {
    /// The weights to go back through.
    pub weights: W,
    /// The activation that the input came out of: what is added to `dx` is the gradient before it. One whose gradient reads
    /// [what came out](crate::kernels::Keeps::Output).
    pub before: Activation,
    /// Whether it is added to `dx`, or replaces it.
    pub accumulate: bool,
    /// The gradient, `[B, in_h, in_w, in_c]`.
    pub dx: &'a mut [f32],
}

impl<'a> InputGradient<'a> {
    /// With the weights as the kernels read them.
    pub(super) fn packed(self) -> InputGradient<'a, &'a [f32]> {
        let Self { weights, before, accumulate, dx } = self;
        InputGradient { weights: &weights.data[..], before, accumulate, dx }
    }
}

impl<'a, W: Copy> InputGradient<'a, W> {
    /// The first `len` numbers of it; what remains is the rest.
    pub(super) fn take(&mut self, len: usize) -> Self {
        let (first, rest) = std::mem::take(&mut self.dx).split_at_mut(len);
        self.dx = rest;
        Self { dx: first, ..*self }
    }
}

/// Sums of [`backward_weight`](super::backward_weight) that are asked for.
#[derive(Debug)]
pub struct WeightGradient<'a> {
    /// Whether they are added to `sums`, or replace them.
    pub accumulate: bool,
    /// The sums.
    pub sums: &'a mut [f32],
}

/// How many sums are asked for.
pub(super) fn asked(sums: &Option<WeightGradient>) -> usize {
    sums.as_ref().map_or(0, |gradient| gradient.sums.len())
}
