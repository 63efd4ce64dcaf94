//! The pretrained weights of each backbone, together with the preprocessing that they were trained with.

use crate::base::config::{Backbone, Fit};
use crate::pixels::{Filter, Preprocess};

/// One set of pretrained weights, and what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// The usual name, which is also the repository on the hub: `timm/resnet50.tv_in1k`.
    pub name: &'static str,
    /// Branch, tag or commit in that repository. Default `main`; the commit is remembered at the first download.
    pub revision: &'static str,
    /// The file in that repository.
    pub file: &'static str,
    /// The licence of the weights, as an SPDX identifier.
    pub licence: &'static str,
    /// What the network was trained to see.
    pub preprocess: Preprocess,
    /// Numbers that the backbone makes of a photo: the `D` of features `[B, D]`.
    pub features: usize,
    /// Numbers that the backbone consists of, batch norm's statistics not counted.
    pub parameters: usize,
    /// The paper.
    pub paper: &'static str,
}

/// The default weights of a backbone, all trained on ImageNet-1k at 224 × 224.
///
/// Preprocessing is the one that timm records with each set. For `vit-base16` the published processor squeezes the whole
/// photo into the square, whatever its shape; here its shorter side is resized to 224 and the centre is cropped, as for all
/// the others, so that shapes stay true.
pub fn weights(backbone: Backbone) -> Weights {
    const RESNET: &str = "Deep Residual Learning for Image Recognition, arXiv:1512.03385";
    let torchvision = |name, features, parameters| Weights {
        name,
        revision: "main",
        file: "model.safetensors",
        licence: "BSD-3-Clause",
        preprocess: IMAGENET,
        features,
        parameters,
        paper: RESNET,
    };
    match backbone {
        Backbone::Resnet18 => torchvision("timm/resnet18.tv_in1k", 512, 11_176_512),
        Backbone::Resnet34 => torchvision("timm/resnet34.tv_in1k", 512, 21_284_672),
        Backbone::Resnet50 => torchvision("timm/resnet50.tv_in1k", 2048, 23_508_032),
        Backbone::Resnet101 => torchvision("timm/resnet101.tv_in1k", 2048, 42_500_160),
        Backbone::Resnet152 => torchvision("timm/resnet152.tv_in1k", 2048, 58_143_808),
        Backbone::EfficientnetLite0 => Weights {
            licence: "Apache-2.0",
            preprocess: Preprocess { filter: Filter::Bicubic, mean: [0.5; 3], std: [0.5; 3], ..IMAGENET },
            paper: "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, arXiv:1905.11946",
            ..torchvision("timm/tf_efficientnet_lite0.in1k", 1280, 3_371_008)
        },
        Backbone::VitBase16 => Weights {
            licence: "Apache-2.0",
            preprocess: Preprocess { crop: 1.0, mean: [0.5; 3], std: [0.5; 3], ..IMAGENET },
            paper: "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale, arXiv:2010.11929",
            ..torchvision("google/vit-base-patch16-224", 768, 85_798_656)
        },
        Backbone::ConvnextTiny => Weights {
            licence: "Apache-2.0",
            preprocess: Preprocess { filter: Filter::Bicubic, ..IMAGENET },
            paper: "A ConvNet for the 2020s, arXiv:2201.03545",
            ..torchvision("timm/convnext_tiny.fb_in1k", 768, 27_820_128)
        },
    }
}

/// torchvision's evaluation preset.
const IMAGENET: Preprocess = Preprocess {
    size: 224,
    crop: 0.875,
    fit: Fit::Crop,
    filter: Filter::Bilinear,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backbone_has_weights_of_its_own() {
        let mut names: Vec<_> = Backbone::ALL.iter().map(|&b| weights(b).name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Backbone::ALL.len());
        assert_eq!(weights(Backbone::Resnet50).features, 2048);
        assert_eq!(weights(Backbone::EfficientnetLite0).preprocess.std, [0.5; 3]);
    }
}
