//! A classifier: pretrained backbone and new head, or the baseline.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::config::Backbone;
use crate::error::Result;
use crate::nn::Params;
use crate::seed::{Seed, Stream};

/// Where a network is cut into a frozen and a trainable part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Before everything: all layers train.
    Images,
    /// Before the upper layers, which train together with the head (phase 2).
    Upper,
    /// After the backbone: the head alone trains (phase 1).
    Features,
}

/// What it takes to build a network, apart from its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Architecture {
    /// The small network from scratch.
    Baseline {
        /// Number of classes.
        classes: usize,
        /// Side of the input, in pixels.
        image_size: usize,
    },
    /// A pretrained backbone with a new head.
    Transfer {
        /// The backbone.
        backbone: Backbone,
        /// Width of the head's hidden layer.
        hidden: usize,
        /// Dropout's probability.
        dropout: f64,
        /// Number of classes.
        classes: usize,
    },
}

/// A network with its numbers.
#[derive(Debug)]
pub struct Model {
    params: Params,
}

impl Model {
    /// A network with random numbers from the seed.
    pub fn new(_architecture: &Architecture, _seed: Seed, _device: &Device) -> Result<Self> {
        todo!()
    }

    /// What it was built from.
    pub fn architecture(&self) -> &Architecture {
        todo!()
    }

    /// All tensors, the backbone's under `backbone.`, the head's under `head.`.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Names of what trains after this cut, sorted; no running statistics.
    pub fn trainable(&self, _cut: Cut) -> Vec<String> {
        todo!()
    }

    /// What comes before the cut, without a graph: `[B, 3, H, W]` to images, `[B, C, h, w]` or features `[B, D]`.
    pub fn before(&self, _images: &Tensor, _cut: Cut) -> Result<Tensor> {
        todo!()
    }

    /// What comes after the cut, with a graph for backward: logits `[B, K]`. With a stream, dropout is on.
    pub fn after(&self, _at_cut: &Tensor, _cut: Cut, _dropout: Option<&mut Stream>) -> Result<Tensor> {
        todo!()
    }

    /// Logits `[B, K]` of images `[B, 3, H, W]`, without a graph or dropout.
    pub fn logits(&self, _images: &Tensor) -> Result<Tensor> {
        todo!()
    }

    /// The last stage's maps `[B, C, h, w]`, without a graph: what Grad-CAM weighs.
    pub fn maps(&self, _images: &Tensor) -> Result<Tensor> {
        todo!()
    }

    /// Logits `[B, K]` from the last stage's maps, with a graph.
    pub fn logits_from_maps(&self, _maps: &Tensor) -> Result<Tensor> {
        todo!()
    }
}
