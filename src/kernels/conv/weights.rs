//! Weights as the kernels read them, with the way that they are computed by.

use super::geometry::Conv;
use super::layout::{oihw_to_hwio, oihw_to_ohwi, oihw_to_turned_hwoi};
use super::plan::{Backward, Dense, Forward};
use super::winograd;
use crate::kernels::memory::{Buffer, Memory};

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
            Forward::Dense(Dense::Winograd) => winograd::pack(conv, &data, memory),
            Forward::Depthwise | Forward::Dense(Dense::Direct | Dense::Im2col) => data,
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
        if let Backward::Transposed(transposed, Dense::Winograd) = &way {
            data = winograd::pack(transposed, &data, memory);
        }
        Self { conv: *conv, way, data }
    }
}

fn check(conv: &Conv, weight: &[f32], scale: Option<&[f32]>) {
    conv.check();
    assert_eq!(weight.len(), conv.weights(), "weights of {conv:?}");
    assert!(scale.is_none_or(|scale| scale.len() == conv.out_c), "scale of {conv:?}");
}
