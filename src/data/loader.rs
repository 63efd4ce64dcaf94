//! From photos to batches: decoded in parallel, in order.

use candle_core::Tensor;

use super::Subset;
use crate::config::AugmentConfig;
use crate::error::Result;
use crate::pixels::Preprocess;
use crate::project::Device;
use crate::seed::Seed;

/// Photos as tensors.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[B, 3, H, W]`, f32, normalized; channels-last in memory.
    pub images: Tensor,
    /// `[B]`, u32: index of the class.
    pub targets: Tensor,
    /// Index of each photo in its [`Subset`].
    pub indices: Vec<usize>,
}

/// Makes batches of a [`Subset`].
#[derive(Clone, Debug)]
pub struct Loader;

impl Loader {
    /// Photos as the network was trained to see them, `batch_size` at a time.
    pub fn new(_subset: &Subset, _preprocess: Preprocess, _batch_size: usize, _device: &Device) -> Self {
        todo!()
    }

    /// Varies each photo; the variation is drawn from (seed, view, index of the photo).
    #[must_use]
    pub fn augmented(self, _augment: AugmentConfig, _seed: Seed) -> Self {
        todo!()
    }

    /// All photos in the subset's own order.
    pub fn batches(&self) -> impl Iterator<Item = Result<Batch>> + '_ {
        std::iter::empty()
    }

    /// The photos with these indices, in this order, in their `view`-th variation.
    pub fn batches_of<'a>(&'a self, _order: &'a [usize], _view: u64) -> impl Iterator<Item = Result<Batch>> + 'a {
        std::iter::empty()
    }
}
