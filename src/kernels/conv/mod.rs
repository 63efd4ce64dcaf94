//! Convolution, dense and depthwise: forward, and the gradients of input, weights and bias.
//!
//! Pictures are `[B, H, W, C]`; for the layout of weights see [`Conv`]. All functions panic where the geometry has a size of
//! zero or a kernel larger than the padded picture.
//!
//! Which algorithm a geometry takes, `plan` alone says; there is a file for each.
//!
//! ```
//! use petal::kernels::conv::{self, BackwardWeights, ForwardWeights};
//! use petal::kernels::{Activation, Conv, Memory, Padding, Precision};
//!
//! // One picture of 3×3 pixels and one channel; each output is the sum of 2×2 of them.
//! let conv = Conv { in_h: 3, in_w: 3, in_c: 1, out_c: 1, kernel: 2, stride: 1, pad: Padding::NONE, depthwise: false, precision: Precision::F32 };
//! let (x, weight, memory) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], [1.0; 4], Memory::default());
//! let mut y = [0.0; 4];
//! let packed = ForwardWeights::pack(&conv, &weight, None, &memory);
//! conv::forward(&packed, &x, &[-20.0], None, Activation::Relu, &memory, &mut y);
//! assert_eq!(y, [0.0, 0.0, 4.0, 8.0]);
//!
//! // Back: every output of equal weight.
//! let (dy, mut dx) = ([1.0; 4], [0.0; 9]);
//! let packed = BackwardWeights::pack(&conv, &weight, None, &memory);
//! conv::backward_input(&packed, &dy, false, &memory, &mut dx);
//! assert_eq!(dx, [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]);
//! ```

mod depthwise;
mod direct;
mod geometry;
mod gradient;
mod groups;
mod im2col;
mod layout;
pub mod pair;
mod patches;
mod plan;
#[cfg(test)]
mod tests;
mod weights;
mod winograd;

pub use geometry::{Conv, Padding};
pub use gradient::{InputGradient, WeightGradient};
pub use weights::{BackwardWeights, ForwardWeights};

use super::activation::{Activation, Keeps, backward_activation};
use super::elementwise::Epilogue;
use super::memory::Memory;
use super::simd;
use layout::{hwo_to_ohw, ohwi_to_oihw};
use plan::{Backward, Dense, Forward};

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
    let ForwardWeights { conv, way, data } = weights;
    check_batch(conv, x, y);
    assert_eq!(bias.len(), conv.out_c, "bias of {conv:?}");
    assert!(residual.is_none_or(|r| r.len() == y.len()), "residual of {conv:?}");
    let finish = |start: usize, y: &mut [f32]| {
        let residual = residual.map(|r| &r[start..][..y.len()]);
        simd::run(Epilogue { bias, residual, act, y });
    };
    match way {
        Forward::Depthwise => depthwise::forward(conv, x, data, bias, residual, act, y),
        Forward::Dense(way) => dense(*way, conv, x, data, false, finish, memory, y),
    }
}

/// The gradient of the input: `dx += …` where `accumulate`, else `dx = …`.
///
/// `dy`, the gradient before the activation, is `[B, out_h, out_w, out_c]`; `dx` is `[B, in_h, in_w, in_c]`.
///
/// # Panics
/// Where a slice is not as long as the geometry and the other slices say.
///
/// ```
/// use petal::kernels::conv::{self, BackwardWeights};
/// use petal::kernels::{Conv, Memory, Padding, Precision};
///
/// // Two channels to one: each input gets the gradient times its weight.
/// let conv = Conv { in_h: 1, in_w: 1, in_c: 2, out_c: 1, kernel: 1, stride: 1, pad: Padding::NONE, depthwise: false, precision: Precision::F32 };
/// let memory = Memory::default();
/// let weights = BackwardWeights::pack(&conv, &[2.0, -3.0], None, &memory);
/// let mut dx = [1.0; 2];
/// conv::backward_input(&weights, &[10.0], true, &memory, &mut dx);
/// assert_eq!(dx, [21.0, -29.0]);
/// ```
pub fn backward_input(weights: &BackwardWeights, dy: &[f32], accumulate: bool, memory: &Memory, dx: &mut [f32]) {
    let BackwardWeights { conv, way, data } = weights;
    check_batch(conv, dx, dy);
    match way {
        Backward::Depthwise => {
            let input = InputGradient { weights, before: Activation::None, accumulate, dx };
            depthwise::backward(conv, &[], dy, Some(input.packed()), None, memory);
        }
        Backward::Transposed(conv, way) => dense(*way, conv, dy, data, accumulate, |_, _| (), memory, dx),
        Backward::Scatter => im2col::scatter(conv, dy, data, accumulate, memory, dx),
    }
}

/// A dense convolution by its way.
#[expect(clippy::too_many_arguments, reason = "what the ways take, and which")]
fn dense(
    way: Dense,
    conv: &Conv,
    x: &[f32],
    packed: &[f32],
    accumulate: bool,
    finish: impl Fn(usize, &mut [f32]) + Sync,
    memory: &Memory,
    y: &mut [f32],
) {
    match way {
        Dense::Winograd => winograd::forward(conv, x, packed, accumulate, finish, memory, y),
        Dense::Direct => direct::forward(conv, x, packed, accumulate, finish, y),
        Dense::Im2col => im2col::forward(conv, x, packed, accumulate, finish, memory, y),
    }
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
///
/// ```
/// use petal::kernels::{Conv, Memory, Padding, Precision, conv};
///
/// // Two pictures of one pixel and two channels, to one channel.
/// let conv = Conv { in_h: 1, in_w: 1, in_c: 2, out_c: 1, kernel: 1, stride: 1, pad: Padding::NONE, depthwise: false, precision: Precision::F32 };
/// let mut sums = vec![0.0; conv::sums_len(&conv)];
/// conv::backward_weight(&conv, &[1.0, 2.0, 3.0, 4.0], &[1.0, -1.0], false, &Memory::default(), &mut sums);
/// let (mut dw, mut db) = ([0.0; 2], [0.0]);
/// conv::finish_weight(&conv, &sums, &mut dw, &mut db);
/// assert_eq!((dw, db), ([-2.0, -2.0], [0.0]));
/// ```
pub fn backward_weight(conv: &Conv, x: &[f32], dy: &[f32], accumulate: bool, memory: &Memory, sums: &mut [f32]) {
    conv.check();
    check_batch(conv, x, dy);
    assert_eq!(sums.len(), sums_len(conv), "sums of {conv:?}");
    let weight = WeightGradient { accumulate, sums };
    match Forward::of(conv) {
        Forward::Depthwise => depthwise::backward(conv, x, dy, None, Some(weight), memory),
        Forward::Dense(Dense::Winograd) => winograd::backward_weight(conv, x, dy, weight, memory),
        Forward::Dense(Dense::Direct) => direct::backward_weight(conv, x, dy, weight, memory),
        Forward::Dense(Dense::Im2col) => im2col::backward_weight(conv, x, dy, weight, memory),
    }
}

/// As [`backward_weight`] and [`backward_input`], both in one pass where that is faster.
///
/// # Panics
/// As they do; and where the gradient of the activation before reads [what went in](Keeps::Input), which isn't here.
///
/// ```
/// use petal::kernels::conv::{self, BackwardWeights, InputGradient, WeightGradient};
/// use petal::kernels::{Activation, Conv, Memory, Padding, Precision};
///
/// let conv = Conv { in_h: 1, in_w: 1, in_c: 2, out_c: 1, kernel: 1, stride: 1, pad: Padding::NONE, depthwise: false, precision: Precision::F32 };
/// let memory = Memory::default();
/// let weights = BackwardWeights::pack(&conv, &[2.0, -3.0], None, &memory);
/// // The input came out of a ReLU, which cut off its first number.
/// let (x, mut dx, mut sums) = ([0.0, 5.0], [0.0; 2], [0.0; 3]);
/// let input = InputGradient { weights: &weights, before: Activation::Relu, accumulate: false, dx: &mut dx };
/// let weight = WeightGradient { accumulate: false, sums: &mut sums };
/// conv::backward(&conv, &x, &[10.0], Some(input), Some(weight), &memory);
/// let (mut dw, mut db) = ([0.0; 2], [0.0]);
/// conv::finish_weight(&conv, &sums, &mut dw, &mut db);
/// assert_eq!((dx, dw, db), ([0.0, -30.0], [0.0, 50.0], [10.0]));
/// ```
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
    assert!(input.as_ref().is_none_or(|input| input.before.keeps() == Keeps::Output), "activation before {conv:?}");
    assert!(weight.as_ref().is_none_or(|weight| weight.sums.len() == sums_len(conv)), "sums of {conv:?}");
    match (input, weight) {
        (input, weight) if conv.depthwise => {
            depthwise::backward(conv, x, dy, input.map(InputGradient::packed), weight, memory);
        }
        (Some(input), Some(weight)) if plan::in_one_pass(conv) && im2col::fills_threads(conv, dy) => {
            im2col::backward(conv, x, dy, input.packed(), weight, memory);
        }
        (input, weight) => {
            if let Some(WeightGradient { accumulate, sums }) = weight {
                backward_weight(conv, x, dy, accumulate, memory, sums);
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

fn check_batch(conv: &Conv, x: &[f32], y: &[f32]) {
    let batch = x.len() / conv.in_len();
    assert_eq!(x.len(), batch * conv.in_len(), "input of {conv:?}");
    assert_eq!(y.len(), batch * conv.out_len(), "output of {conv:?}");
}
