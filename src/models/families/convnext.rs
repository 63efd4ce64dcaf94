//! ConvNeXt-Tiny (Liu et al. 2022, <https://arxiv.org/abs/2201.03545>) from candle-transformers, as a frozen feature extractor,
//! with timm's names.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use candle_nn::{Func, LayerNorm, Module, VarBuilder, layer_norm};
use candle_transformers::models::convnext;

use crate::base::config::Backbone;
use crate::base::error::Result;
use crate::models::family::{Build, Extractor, IMAGENET, Member, Shapes, Weights, Whole};
use crate::models::init;
use crate::pixels::{Filter, Preprocess};

#[allow(non_upper_case_globals)]
impl Backbone {
    /// ConvNeXt-Tiny (`convnext-tiny`), as a frozen backbone.
    pub const ConvnextTiny: Self = Self::named("convnext-tiny");
}

/// The one size that candle-transformers and timm name alike.
pub(super) const MEMBERS: &[Member] = &[Member {
    backbone: Backbone::ConvnextTiny,
    also: &[],
    weights: Weights {
        name: "timm/convnext_tiny.fb_in1k",
        revision: "main",
        file: "model.safetensors",
        licence: "Apache-2.0",
        top1: Some(82.066),
        preprocess: Preprocess { filter: Filter::Bicubic, ..IMAGENET },
        features: 768,
        parameters: 27_820_128,
        paper: "A ConvNet for the 2020s, arXiv:2201.03545",
    },
    classifier: "head.fc.",
    embedded: None,
    build: Build::Whole(Whole { shapes: convnext_shapes, build: convnext }),
    init: init::transformer,
}];

#[derive(Debug)]
struct Convnext {
    body: Func<'static>,
    norm: LayerNorm,
}

fn convnext(tensors: &BTreeMap<String, Tensor>, device: &Device) -> Result<Box<dyn Extractor>> {
    let tensors: HashMap<_, _> = tensors.clone().into_iter().collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F32, device);
    let norm = layer_norm(768, 1e-6, vb.pp("head.norm"))?;
    Ok(Box::new(Convnext { body: convnext::convnext_no_final_layer(&convnext::Config::tiny(), vb)?, norm }))
}

impl Extractor for Convnext {
    /// The average over the map, after the last layer norm.
    fn features(&self, images: &Tensor) -> Result<Tensor> {
        Ok(self.norm.forward(&self.body.forward(images)?)?)
    }
}

fn convnext_shapes() -> BTreeMap<String, Vec<usize>> {
    let mut shapes = Shapes::default();
    shapes.layer("stem.0", &[96, 3, 4, 4]);
    shapes.layer("stem.1", &[96]);
    let mut before = 96;
    for (stage, (width, blocks)) in [(96, 3), (192, 3), (384, 9), (768, 3)].into_iter().enumerate() {
        if stage > 0 {
            shapes.layer(&format!("stages.{stage}.downsample.0"), &[before]);
            shapes.layer(&format!("stages.{stage}.downsample.1"), &[width, before, 2, 2]);
        }
        for block in 0..blocks {
            let name = |name: &str| format!("stages.{stage}.blocks.{block}.{name}");
            shapes.layer(&name("conv_dw"), &[width, 1, 7, 7]);
            shapes.layer(&name("norm"), &[width]);
            shapes.layer(&name("mlp.fc1"), &[4 * width, width]);
            shapes.layer(&name("mlp.fc2"), &[width, 4 * width]);
            shapes.add(&name("gamma"), &[width]);
        }
        before = width;
    }
    shapes.layer("head.norm", &[before]);
    shapes.0
}
