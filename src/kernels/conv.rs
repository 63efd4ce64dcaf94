//! Convolution, dense and depthwise: forward, and the gradients of input, weights and bias.
//!
//! Pictures are `[B, H, W, C]`; for the layout of weights see [`Conv`]. All functions panic where the geometry has a size of
//! zero or a kernel larger than the padded picture.

use super::elementwise::Epilogue;
pub use super::elementwise::backward_activation;
use super::geometry::{Activation, Conv};
use super::{dense, depthwise, simd};

/// Weights in the order in which the forward pass reads them. Worth keeping where the same weights are used again.
#[derive(Clone, Debug)]
pub struct Packed {
    conv: Conv,
    data: Vec<f32>,
}

impl Packed {
    /// Reorders `weight`, laid out as [`Conv`] says, for pictures of `conv`'s size.
    ///
    /// # Panics
    /// Where `weight` isn't as long as `conv` says.
    pub fn new(conv: &Conv, weight: &[f32]) -> Self {
        conv.check();
        assert_eq!(weight.len(), conv.weights(), "weights of {conv:?}");
        let pack = if conv.depthwise { depthwise::pack } else { dense::pack };
        Self { conv: *conv, data: pack(conv, weight) }
    }

    /// The geometry they were packed for.
    pub fn conv(&self) -> &Conv {
        &self.conv
    }
}

/// `y = act(conv(x) + bias + residual)`.
///
/// `x` is `[B, in_h, in_w, in_c]`; `y`, overwritten, and `residual` are `[B, out_h, out_w, out_c]`; `bias` is `[out_c]`.
///
/// # Panics
/// Where a slice is not as long as `conv` and the other slices say.
pub fn forward(
    conv: &Conv,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    residual: Option<&[f32]>,
    act: Activation,
    y: &mut [f32],
) {
    forward_packed(&Packed::new(conv, weight), x, bias, residual, act, y);
}

/// As [`forward`], with weights packed before.
///
/// # Panics
/// Where a slice is not as long as the geometry and the other slices say.
pub fn forward_packed(
    weight: &Packed,
    x: &[f32],
    bias: &[f32],
    residual: Option<&[f32]>,
    act: Activation,
    y: &mut [f32],
) {
    let Packed { conv, data } = weight;
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
    dense::forward(conv, x, data, false, finish, y);
}

/// The gradient of the input: `dx += …` where `accumulate`, else `dx = …`.
///
/// `dy`, the gradient before the activation, is `[B, out_h, out_w, out_c]`; `dx` is `[B, in_h, in_w, in_c]`.
///
/// # Panics
/// Where a slice is not as long as `conv` and the other slices say.
pub fn backward_input(conv: &Conv, dy: &[f32], weight: &[f32], accumulate: bool, dx: &mut [f32]) {
    conv.check();
    check_batch(conv, dx, dy);
    assert_eq!(weight.len(), conv.weights(), "weights of {conv:?}");
    let backward = if conv.depthwise { depthwise::backward_input } else { dense::backward_input };
    backward(conv, dy, weight, accumulate, dx);
}

/// The gradients of the weights and the bias, summed over the batch; both are overwritten.
///
/// `x` is `[B, in_h, in_w, in_c]`; `dy`, the gradient before the activation, is `[B, out_h, out_w, out_c]`; `dw` is laid out
/// as the weights are, `db` is `[out_c]`.
///
/// # Panics
/// Where a slice is not as long as `conv` and the other slices say.
pub fn backward_weight(conv: &Conv, x: &[f32], dy: &[f32], dw: &mut [f32], db: &mut [f32]) {
    conv.check();
    check_batch(conv, x, dy);
    assert_eq!(dw.len(), conv.weights(), "weights of {conv:?}");
    assert_eq!(db.len(), conv.out_c, "bias of {conv:?}");
    let backward = if conv.depthwise { depthwise::backward_weight } else { dense::backward_weight };
    backward(conv, x, dy, dw, db);
}

fn check_batch(conv: &Conv, x: &[f32], y: &[f32]) {
    let batch = x.len() / conv.in_len();
    assert_eq!(x.len(), batch * conv.in_len(), "input of {conv:?}");
    assert_eq!(y.len(), batch * conv.out_len(), "output of {conv:?}");
}
