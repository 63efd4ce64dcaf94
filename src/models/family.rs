//! What a family of networks says of its members: all that is known of a network is in one file of `families/`.

use super::network::Network;
use crate::base::config::{Backbone, Fit};
use crate::base::seed::Stream;
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
    /// The share of ImageNet-1k's validation photos that it tells with its own classifier, at its own size, in percent, as timm's results say it
    /// (`results/results-imagenet.csv`); none where it comes without a classifier.
    pub top1: Option<f32>,
    /// The paper.
    pub paper: &'static str,
}

/// One network of a family.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name in settings and on the command line.
    pub(super) backbone: Backbone,
    /// Other names for it, beside the repository's: as timm, torchvision and Keras spell it. Case, `-` and `_` don't count.
    pub(super) also: &'static [&'static str],
    /// Its default weights.
    pub(super) weights: Weights,
    /// What the names of the classifier's tensors begin with in that file: they are not the backbone's.
    pub(super) classifier: &'static str,
    /// The weights as they are compiled in, where they are.
    pub(super) embedded: Option<&'static [u8]>,
    /// How it is built.
    pub(super) build: Build,
    /// Its first values, where no weights are given.
    pub(super) init: Init,
}

/// How a network is built: as a program of steps.
pub(super) type Build = fn() -> Network;

/// First values of a tensor of the backbone, by its name and shape.
pub(super) type Init = fn(&str, &[usize], &mut Stream) -> Vec<f32>;

/// torchvision's evaluation preset.
pub(super) const IMAGENET: Preprocess = Preprocess {
    size: 224,
    crop: 0.875,
    fit: Fit::Crop,
    filter: Filter::Bilinear,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
};
