//! Convolution, dense and depthwise: forward, and the gradients of input, weights and bias.
//!
//! Pictures are `[B, H, W, C]`; for the layout of weights see [`Conv`]. All functions panic where the geometry has a size of
//! zero or a kernel larger than the padded picture.

mod depthwise;
mod direct;
mod geometry;
mod im2col;
pub(super) mod layout;
pub mod pair;
mod patches;
mod winograd;

pub use geometry::{Conv, Padding};

use super::activation::{Activation, backward_activation};
use super::elementwise::Epilogue;
use super::memory::{Buffer, Memory};
use super::simd;
use layout::{hwo_to_ohw, ohwi_to_oihw};
#[cfg(test)]
pub(super) use winograd::suits;

/// Weights in the order in which the forward pass reads them. Worth keeping where the same weights are used again.
#[derive(Debug)]
pub struct ForwardWeights {
    pub(super) conv: Conv,
    pub(super) data: Buffer,
}

impl ForwardWeights {
    /// Reorders `weight`, laid out as [`Conv`] says, for pictures of `conv`'s size. Each output channel's weights are multiplied
    /// by its `scale`, where there is one.
    ///
    /// # Panics
    /// Where a slice isn't as long as `conv` says.
    pub fn pack(conv: &Conv, weight: &[f32], scale: Option<&[f32]>, memory: &Memory) -> Self {
        check_weights(conv, weight, scale);
        let pack = if conv.depthwise { depthwise::pack } else { im2col::pack_forward };
        Self { conv: *conv, data: pack(conv, weight, scale, memory) }
    }
}

/// The same in the order in which the gradient of the input reads them.
#[derive(Debug)]
pub struct BackwardWeights {
    pub(super) conv: Conv,
    pub(super) data: Buffer,
}

impl BackwardWeights {
    /// As [`ForwardWeights::pack`].
    ///
    /// # Panics
    /// Where a slice isn't as long as `conv` says.
    pub fn pack(conv: &Conv, weight: &[f32], scale: Option<&[f32]>, memory: &Memory) -> Self {
        check_weights(conv, weight, scale);
        let pack = if conv.depthwise { depthwise::pack } else { im2col::pack_backward };
        Self { conv: *conv, data: pack(conv, weight, scale, memory) }
    }
}

/// `y = act(conv(x) + bias + residual)`.
///
/// `x` is `[B, in_h, in_w, in_c]`; `y`, overwritten, and `residual` are `[B, out_h, out_w, out_c]`; `bias` is `[out_c]`.
///
/// # Panics
/// Where a slice is not as long as the geometry and the other slices say.
pub fn forward(
    weights: &ForwardWeights,
    x: &[f32],
    bias: &[f32],
    residual: Option<&[f32]>,
    act: Activation,
    memory: &Memory,
    y: &mut [f32],
) {
    let ForwardWeights { conv, data } = weights;
    check_batch(conv, x, y);
    assert_eq!(bias.len(), conv.out_c, "bias of {conv:?}");
    assert!(residual.is_none_or(|r| r.len() == y.len()), "residual of {conv:?}");
    if conv.depthwise {
        return depthwise::forward(conv, x, data, bias, residual, act, y);
    }
    let finish = |start: usize, y: &mut [f32]| {
        let residual = residual.map(|r| &r[start..][..y.len()]);
        simd::run(Epilogue { bias, residual, act, y });
    };
    im2col::forward(conv, x, data, false, finish, memory, y);
}

/// The gradient of the input: `dx += …` where `accumulate`, else `dx = …`.
///
/// `dy`, the gradient before the activation, is `[B, out_h, out_w, out_c]`; `dx` is `[B, in_h, in_w, in_c]`.
///
/// # Panics
/// Where a slice is not as long as the geometry and the other slices say.
pub fn backward_input(weights: &BackwardWeights, dy: &[f32], accumulate: bool, memory: &Memory, dx: &mut [f32]) {
    let BackwardWeights { conv, data } = weights;
    check_batch(conv, dx, dy);
    if conv.depthwise {
        let input = InputGradient { weights: &data[..], before: Activation::None, accumulate, dx };
        return depthwise::backward(conv, &[], dy, Some(input), None, memory);
    }
    im2col::backward_input(conv, dy, data, accumulate, memory, dx);
}

/// How many numbers the sums of [`backward_weight`] are.
pub fn sums_len(conv: &Conv) -> usize {
    conv.weights() + conv.out_c
}

/// The gradients of the weights and the bias, summed over the batch, in an order that [`finish_weight`] knows: `sums += …` where
/// `accumulate`, else `sums = …`.
///
/// `x` is `[B, in_h, in_w, in_c]`; `dy`, the gradient before the activation, is `[B, out_h, out_w, out_c]`.
///
/// # Panics
/// Where a slice is not as long as `conv` and the other slices say; `sums` is to be as long as [`sums_len`].
pub fn backward_weight(conv: &Conv, x: &[f32], dy: &[f32], accumulate: bool, memory: &Memory, sums: &mut [f32]) {
    conv.check();
    check_batch(conv, x, dy);
    assert_eq!(sums.len(), sums_len(conv), "sums of {conv:?}");
    if conv.depthwise {
        return depthwise::backward(conv, x, dy, None, Some(WeightGradient { accumulate, sums }), memory);
    }
    im2col::backward(conv, x, dy, None, WeightGradient { accumulate, sums }, memory);
}

/// A gradient of the input that is asked for.
#[derive(Debug)]
pub struct InputGradient<'a, W = &'a BackwardWeights> {
    /// The weights to go back through.
    pub weights: W,
    /// The activation that the input came out of: what is added to `dx` is the gradient before it.
    pub before: Activation,
    /// Whether it is added to `dx`, or replaces it.
    pub accumulate: bool,
    /// The gradient, `[B, in_h, in_w, in_c]`.
    pub dx: &'a mut [f32],
}

impl<'a, W: Copy> InputGradient<'a, W> {
    /// The first `len` numbers of it; what remains is the rest.
    pub(super) fn take(&mut self, len: usize) -> Self {
        let (first, rest) = std::mem::take(&mut self.dx).split_at_mut(len);
        self.dx = rest;
        Self { dx: first, ..*self }
    }
}

/// Sums of [`backward_weight`] that are asked for.
#[derive(Debug)]
pub struct WeightGradient<'a> {
    /// Whether they are added to `sums`, or replace them.
    pub accumulate: bool,
    /// The sums.
    pub sums: &'a mut [f32],
}

/// As [`backward_weight`] and [`backward_input`], both in one pass where that is faster.
///
/// # Panics
/// As they do.
pub fn backward(
    conv: &Conv,
    x: &[f32],
    dy: &[f32],
    input: Option<InputGradient>,
    weight: Option<WeightGradient>,
    memory: &Memory,
) {
    check_batch(conv, x, dy);
    assert!(
        input.as_ref().is_none_or(|input| input.dx.len() == x.len() && input.weights.conv == *conv),
        "dx of {conv:?}"
    );
    assert!(weight.as_ref().is_none_or(|weight| weight.sums.len() == sums_len(conv)), "sums of {conv:?}");
    let packed = |InputGradient { weights, before, accumulate, dx }| {
        let BackwardWeights { data, .. }: &BackwardWeights = weights;
        InputGradient { weights: &data[..], before, accumulate, dx }
    };
    match (input, weight) {
        (input, weight) if conv.depthwise => depthwise::backward(conv, x, dy, input.map(packed), weight, memory),
        (Some(input), Some(weight)) if im2col::in_one_pass(conv) => {
            im2col::backward(conv, x, dy, Some(packed(input)), weight, memory);
        }
        (input, weight) => {
            if let Some(weight) = weight {
                im2col::backward(conv, x, dy, None, weight, memory);
            }
            if let Some(InputGradient { weights, before, accumulate, dx }) = input {
                backward_input(weights, dy, accumulate, memory, dx);
                backward_activation(before, x, dx);
            }
        }
    }
}

/// The gradients as they are laid out, from the sums of [`backward_weight`]: `dw` as the weights, `db` is `[out_c]`.
///
/// # Panics
/// Where a slice is not as long as `conv` says.
pub fn finish_weight(conv: &Conv, sums: &[f32], dw: &mut [f32], db: &mut [f32]) {
    assert_eq!(sums.len(), sums_len(conv), "sums of {conv:?}");
    assert_eq!(dw.len(), conv.weights(), "weights of {conv:?}");
    assert_eq!(db.len(), conv.out_c, "bias of {conv:?}");
    let (weights, bias) = sums.split_at(conv.weights());
    let turn = if conv.depthwise { hwo_to_ohw } else { ohwi_to_oihw };
    turn(conv.in_c, conv.kernel * conv.kernel, weights, dw);
    db.copy_from_slice(bias);
}

fn check_weights(conv: &Conv, weight: &[f32], scale: Option<&[f32]>) {
    conv.check();
    assert_eq!(weight.len(), conv.weights(), "weights of {conv:?}");
    assert!(scale.is_none_or(|scale| scale.len() == conv.out_c), "scale of {conv:?}");
}

fn check_batch(conv: &Conv, x: &[f32], y: &[f32]) {
    let batch = x.len() / conv.in_len();
    assert_eq!(x.len(), batch * conv.in_len(), "input of {conv:?}");
    assert_eq!(y.len(), batch * conv.out_len(), "output of {conv:?}");
}
