//! A batch as the trainable part takes it.

use candle_core::Tensor;

/// A batch as the trainable part takes it.
#[derive(Clone, Debug)]
pub struct AtCut {
    /// Images `[B, 3, H, W]`, activations `[B, C, h, w]` or features `[B, D]`.
    pub values: Tensor,
    /// `[B]`, u32: index of the class.
    pub targets: Tensor,
    /// Index of each photo in its subset.
    pub indices: Vec<usize>,
}
