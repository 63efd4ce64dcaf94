//! Networks of candle-transformers, as frozen feature extractors.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::family::{Build, Extractor, Whole};
use super::registry;
use crate::base::config::Backbone;
use crate::base::error::{Error, Result};

/// A frozen network that turns images into features.
#[derive(Debug)]
pub struct Zoo(Box<dyn Extractor>);

impl Zoo {
    /// The tensors that a network of the zoo is made of, with the names in its published file: those of `transformers` for
    /// `vit-base16`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a backbone that is not in the zoo.
    pub fn shapes(backbone: Backbone) -> Result<BTreeMap<String, Vec<usize>>> {
        match registry::member(backbone).build {
            Build::Whole(whole) => Ok((whole.shapes)()),
            Build::Steps(_) => Err(not_in_the_zoo(backbone)),
        }
    }

    /// The network over these tensors, of the names and shapes of [`Zoo::shapes`]. It shares their storage: setting a
    /// `Var` afterwards sets it here, too.
    pub fn new(backbone: Backbone, tensors: &BTreeMap<String, Tensor>, device: &Device) -> Result<Self> {
        match registry::member(backbone).build {
            Build::Whole(whole) => Self::of(whole, tensors, device),
            Build::Steps(_) => Err(not_in_the_zoo(backbone)),
        }
    }

    pub(super) fn of(whole: Whole, tensors: &BTreeMap<String, Tensor>, device: &Device) -> Result<Self> {
        // Detached: what is frozen needs no graph.
        let tensors = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.detach())).collect();
        Ok(Self((whole.build)(&tensors, device)?))
    }

    /// Features `[B, D]` of images `[B, 3, 224, 224]`, without a graph: what timm calls `forward_head(…, pre_logits=True)`.
    pub fn features(&self, images: &Tensor) -> Result<Tensor> {
        // Candle's convolution copies strided input element by element.
        self.0.features(&images.detach().contiguous()?)
    }
}

fn not_in_the_zoo(backbone: Backbone) -> Error {
    let zoo = Backbone::ALL.into_iter().filter(|&one| matches!(registry::member(one).build, Build::Whole(_)));
    let names = zoo.map(Backbone::name).collect::<Vec<_>>().join(" or ");
    Error::config("backbone", backbone, &format!("{names}, the one of the zoo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_steps_is_not_in_the_zoo() {
        let error = Zoo::shapes(Backbone::Resnet18).unwrap_err();
        assert!(error.what().contains("expected vit-base16, the one of the zoo"), "{error}");
    }
}
