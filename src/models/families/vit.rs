//! ViT-Base/16 (Dosovitskiy et al. 2020, <https://arxiv.org/abs/2010.11929>) from candle-transformers, as a frozen feature
//! extractor, with the names of `transformers`.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, IndexOp, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder, layer_norm};
use candle_transformers::models::vit;

use crate::base::config::Backbone;
use crate::base::error::Result;
use crate::models::family::{Build, Extractor, IMAGENET, Member, Shapes, Weights, Whole};
use crate::models::init;
use crate::pixels::Preprocess;

#[allow(non_upper_case_globals)]
impl Backbone {
    /// ViT-Base/16 (`vit-base16`), as a frozen backbone.
    pub const VitBase16: Self = Self::named("vit-base16");
}

/// The published processor squeezes the whole photo into the square, whatever its shape; here its shorter side is resized to 224
/// and the centre is cropped, as for all the others, so that shapes stay true.
pub(super) const MEMBERS: &[Member] = &[Member {
    backbone: Backbone::VitBase16,
    also: &["vit_b_16"],
    weights: Weights {
        name: "google/vit-base-patch16-224",
        revision: "main",
        file: "model.safetensors",
        licence: "Apache-2.0",
        top1: None,
        preprocess: Preprocess { crop: 1.0, mean: [0.5; 3], std: [0.5; 3], ..IMAGENET },
        features: 768,
        parameters: 85_798_656,
        paper: "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale, arXiv:2010.11929",
    },
    classifier: "classifier.",
    embedded: None,
    build: Build::Whole(Whole { shapes: vit_shapes, build: vit }),
    init: init::transformer,
}];

#[derive(Debug)]
struct Vit {
    embeddings: vit::Embeddings,
    encoder: vit::Encoder,
    norm: LayerNorm,
}

fn vit(tensors: &BTreeMap<String, Tensor>, device: &Device) -> Result<Box<dyn Extractor>> {
    let tensors: HashMap<_, _> = tensors.clone().into_iter().collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F32, device).pp("vit");
    let config = vit::Config::vit_base_patch16_224();
    Ok(Box::new(Vit {
        embeddings: vit::Embeddings::new(&config, false, vb.pp("embeddings"))?,
        encoder: vit::Encoder::new(&config, vb.pp("encoder"))?,
        norm: layer_norm(config.hidden_size, config.layer_norm_eps, vb.pp("layernorm"))?,
    }))
}

impl Extractor for Vit {
    /// The class token after the last layer norm.
    fn features(&self, images: &Tensor) -> Result<Tensor> {
        let tokens = self.encoder.forward(&self.embeddings.forward(images, None, false)?)?;
        Ok(self.norm.forward(&tokens.i((.., 0, ..))?.contiguous()?)?)
    }
}

fn vit_shapes() -> BTreeMap<String, Vec<usize>> {
    let (width, hidden) = (768, 3072);
    let mut shapes = Shapes::default();
    shapes.add("vit.embeddings.cls_token", &[1, 1, width]);
    shapes.add("vit.embeddings.position_embeddings", &[1, 14 * 14 + 1, width]);
    shapes.layer("vit.embeddings.patch_embeddings.projection", &[width, 3, 16, 16]);
    for block in 0..12 {
        let layer = |name: &str| format!("vit.encoder.layer.{block}.{name}");
        for name in ["attention.attention.query", "attention.attention.key", "attention.attention.value"] {
            shapes.layer(&layer(name), &[width, width]);
        }
        shapes.layer(&layer("attention.output.dense"), &[width, width]);
        shapes.layer(&layer("intermediate.dense"), &[hidden, width]);
        shapes.layer(&layer("output.dense"), &[width, hidden]);
        shapes.layer(&layer("layernorm_before"), &[width]);
        shapes.layer(&layer("layernorm_after"), &[width]);
    }
    shapes.layer("vit.layernorm", &[width]);
    shapes.0
}
