//! ViT and ConvNeXt from candle-transformers, as frozen feature extractors.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, IndexOp, Tensor};
use candle_nn::{Func, LayerNorm, Module, VarBuilder, layer_norm};
use candle_transformers::models::{convnext, vit};

use crate::base::config::Backbone;
use crate::base::error::{Error, Result};

/// A frozen network that turns images into features.
#[derive(Debug)]
pub struct Zoo(Network);

#[derive(Debug)]
enum Network {
    Vit { embeddings: vit::Embeddings, encoder: vit::Encoder, norm: LayerNorm },
    Convnext { body: Func<'static>, norm: LayerNorm },
}

impl Zoo {
    /// The tensors that a network of the zoo is made of, with the names in its published file: those of `transformers` for
    /// `vit-base16`, timm's for `convnext-tiny`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a backbone that is not in the zoo.
    pub fn shapes(backbone: Backbone) -> Result<BTreeMap<String, Vec<usize>>> {
        match backbone {
            Backbone::VitBase16 => Ok(vit_shapes()),
            Backbone::ConvnextTiny => Ok(convnext_shapes()),
            other => Err(Error::config("backbone", other, "vit-base16 or convnext-tiny, the ones of the zoo")),
        }
    }

    /// The network over these tensors, of the names and shapes of [`Zoo::shapes`]. It shares their storage: setting a
    /// `Var` afterwards sets it here, too.
    pub fn new(backbone: Backbone, tensors: &BTreeMap<String, Tensor>, device: &Device) -> Result<Self> {
        // Detached: what is frozen needs no graph.
        let tensors: HashMap<_, _> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.detach())).collect();
        let vb = VarBuilder::from_tensors(tensors, DType::F32, device);
        Ok(Self(match backbone {
            Backbone::VitBase16 => {
                let config = vit::Config::vit_base_patch16_224();
                let vb = vb.pp("vit");
                Network::Vit {
                    embeddings: vit::Embeddings::new(&config, false, vb.pp("embeddings"))?,
                    encoder: vit::Encoder::new(&config, vb.pp("encoder"))?,
                    norm: layer_norm(config.hidden_size, config.layer_norm_eps, vb.pp("layernorm"))?,
                }
            }
            Backbone::ConvnextTiny => Network::Convnext {
                body: convnext::convnext_no_final_layer(&convnext::Config::tiny(), vb.clone())?,
                norm: layer_norm(768, 1e-6, vb.pp("head.norm"))?,
            },
            other => return Err(Error::config("backbone", other, "vit-base16 or convnext-tiny, the ones of the zoo")),
        }))
    }

    /// Features `[B, 768]` of images `[B, 3, 224, 224]`, without a graph: ViT's class token, or ConvNeXt's average over the
    /// map, each after the last layer norm; what timm calls `forward_head(…, pre_logits=True)`.
    pub fn features(&self, images: &Tensor) -> Result<Tensor> {
        // Candle's convolution copies strided input element by element.
        let images = images.detach().contiguous()?;
        Ok(match &self.0 {
            Network::Vit { embeddings, encoder, norm } => {
                let tokens = encoder.forward(&embeddings.forward(&images, None, false)?)?;
                norm.forward(&tokens.i((.., 0, ..))?.contiguous()?)?
            }
            Network::Convnext { body, norm } => norm.forward(&body.forward(&images)?)?,
        })
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

#[derive(Default)]
struct Shapes(BTreeMap<String, Vec<usize>>);

impl Shapes {
    fn add(&mut self, name: &str, shape: &[usize]) {
        self.0.insert(name.into(), shape.to_vec());
    }

    /// A weight of this shape, and a bias as long as its first dimension.
    fn layer(&mut self, name: &str, weight: &[usize]) {
        self.add(&format!("{name}.weight"), weight);
        self.add(&format!("{name}.bias"), &weight[..1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(backbone: Backbone) -> usize {
        Zoo::shapes(backbone).unwrap().values().map(|shape| shape.iter().product::<usize>()).sum()
    }

    /// timm: `sum(p.numel() for p in timm.create_model(name, num_classes=0).parameters())`
    #[test]
    fn shapes_add_up_to_the_published_sizes() {
        assert_eq!(count(Backbone::VitBase16), 85_798_656);
        assert_eq!(count(Backbone::ConvnextTiny), 27_820_128);
        assert!(Zoo::shapes(Backbone::Resnet18).is_err());
    }
}
