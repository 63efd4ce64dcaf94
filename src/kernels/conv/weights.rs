//! Weights as the kernels read them, with the way that they are computed by.

use super::geometry::Conv;
use super::layout::{oihw_to_hwio, oihw_to_ohwi, oihw_to_turned_hwoi};
use super::plan::{Backward, Dense, Forward};
use super::winograd::weights::pack as transform;
use crate::kernels::memory::{Buffer, Memory};
use crate::kernels::product::Right;

/// Weights in the order in which the forward pass reads them. Worth keeping where the same weights are used again.
#[derive(Debug)]
pub struct ForwardWeights {
    pub(super) conv: Conv,
    pub(super) way: Forward,
    pub(super) data: Buffer,
}

impl ForwardWeights {
    /// Reorders `weight`, laid out as [`Conv`] says, for pictures of `conv`'s size. Each output channel's weights are multiplied
    /// by its `scale`, where there is one.
    ///
    /// # Panics
    /// Where a slice isn't as long as `conv` says.
    pub fn pack(conv: &Conv, weight: &[f32], scale: Option<&[f32]>, memory: &Memory) -> Self {
        check(conv, weight, scale);
        let mut data = memory.buffer(weight.len());
        let (way, inputs) = (Forward::of(conv), if conv.depthwise { 1 } else { conv.in_c });
        oihw_to_hwio(conv.out_c, inputs, weight, scale, &mut data);
        let data = match way {
            Forward::Dense(Dense::Winograd) => transform(conv, &data, memory),
            Forward::Dense(Dense::Im2col) => Right::pack(data, conv.depth(), conv.precision, memory),
            Forward::Depthwise | Forward::Dense(Dense::Direct) => data,
        };
        Self { conv: *conv, way, data }
    }
}

/// The same in the order in which the gradient of the input reads them.
#[derive(Debug)]
pub struct BackwardWeights {
    pub(super) conv: Conv,
    pub(super) way: Backward,
    pub(super) data: Buffer,
}

impl BackwardWeights {
    /// As [`ForwardWeights::pack`].
    ///
    /// # Panics
    /// Where a slice isn't as long as `conv` says.
    pub fn pack(conv: &Conv, weight: &[f32], scale: Option<&[f32]>, memory: &Memory) -> Self {
        check(conv, weight, scale);
        let (way, mut data) = (Backward::of(conv), memory.buffer(weight.len()));
        match way {
            Backward::Depthwise => oihw_to_hwio(conv.out_c, 1, weight, scale, &mut data),
            Backward::Scatter => oihw_to_ohwi(conv.out_c, conv.in_c, weight, scale, &mut data),
            Backward::Transposed(..) => oihw_to_turned_hwoi(conv.out_c, conv.in_c, weight, scale, &mut data),
        }
        let data = match &way {
            Backward::Transposed(transposed, Dense::Winograd) => transform(transposed, &data, memory),
            Backward::Transposed(back, Dense::Im2col) => Right::pack(data, back.depth(), conv.precision, memory),
            Backward::Scatter => Right::pack(data, conv.out_c, conv.precision, memory),
            Backward::Depthwise | Backward::Transposed(_, Dense::Direct) => data,
        };
        Self { conv: *conv, way, data }
    }
}

fn check(conv: &Conv, weight: &[f32], scale: Option<&[f32]>) {
    conv.check();
    assert_eq!(weight.len(), conv.weights(), "weights of {conv:?}");
    assert!(scale.is_none_or(|scale| scale.len() == conv.out_c), "scale of {conv:?}");
}
