//! EfficientNet-B0 to -B3 (Tan & Le 2019, <https://arxiv.org/abs/1905.11946>), with the names and numbers of timm's `efficientnet_b0` and so on:
//! inverted residuals with squeeze-and-excitation and SiLU.

use crate::base::config::Backbone;
use crate::kernels::Activation;
use crate::models::family::{Build, IMAGENET, Member, Weights};
use crate::models::init;
use crate::models::inverted::{Inverted, Squeeze};
use crate::models::network::{Network, NetworkStage, channels};
use crate::nn::program::{Conv, Program};
use crate::pixels::{Filter, Preprocess};

#[allow(non_upper_case_globals)]
impl Backbone {
    /// EfficientNet-B0 (`efficientnet-b0`).
    pub const EfficientnetB0: Self = Self::named("efficientnet-b0");
    /// EfficientNet-B1 (`efficientnet-b1`), made for 240 pixels.
    pub const EfficientnetB1: Self = Self::named("efficientnet-b1");
    /// EfficientNet-B2 (`efficientnet-b2`), made for 256 pixels.
    pub const EfficientnetB2: Self = Self::named("efficientnet-b2");
    /// EfficientNet-B3 (`efficientnet-b3`), made for 288 pixels.
    pub const EfficientnetB3: Self = Self::named("efficientnet-b3");
}

/// All four, with timm's best weights of their own size.
pub(super) const MEMBERS: &[Member] = &[
    member(
        Backbone::EfficientnetB0,
        weights("timm/efficientnet_b0.ra4_e3600_r224_in1k", 1280, 4_007_548, 78.568, MOBILE),
        || efficientnet(1.0, 1.0),
    ),
    member(
        Backbone::EfficientnetB1,
        weights(
            "timm/efficientnet_b1.ra4_e3600_r240_in1k",
            1280,
            6_513_184,
            80.404,
            Preprocess { size: 240, ..MOBILE },
        ),
        || efficientnet(1.0, 1.1),
    ),
    member(
        Backbone::EfficientnetB2,
        weights("timm/efficientnet_b2.ra_in1k", 1408, 7_700_994, 79.324, Preprocess { size: 256, ..BICUBIC }),
        || efficientnet(1.1, 1.2),
    ),
    member(
        Backbone::EfficientnetB3,
        weights("timm/efficientnet_b3.ra2_in1k", 1536, 10_696_232, 81.472, Preprocess { size: 288, ..BICUBIC }),
        || efficientnet(1.2, 1.4),
    ),
];

const BICUBIC: Preprocess = Preprocess { filter: Filter::Bicubic, ..IMAGENET };

/// What timm's recipe for mobile networks trains with.
const MOBILE: Preprocess = Preprocess { crop: 0.9, mean: [0.5; 3], std: [0.5; 3], ..BICUBIC };

const fn weights(name: &'static str, features: usize, parameters: usize, top1: f32, preprocess: Preprocess) -> Weights {
    Weights {
        name,
        revision: "main",
        file: "model.safetensors",
        licence: "Apache-2.0",
        top1: Some(top1),
        preprocess,
        features,
        parameters,
        paper: "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, arXiv:1905.11946",
    }
}

const fn member(backbone: Backbone, weights: Weights, build: Build) -> Member {
    Member { backbone, also: &[], weights, classifier: "classifier.", embedded: None, build, init: init::convolutional }
}

/// Stage by stage, of B0 and of Lite0: repeats, kernel, stride, expansion, output channels.
pub(super) const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// Of a block's input channels, what its squeeze leaves.
const SQUEEZE: usize = 4;

/// Builds the body: B0, wider and deeper by these factors, its stem and head, too. In phase 2, `blocks.5`, `blocks.6`, `conv_head` and `bn2` train.
fn efficientnet(width: f64, depth: f64) -> Network {
    let mut program = Program::default();
    let wider = |of: usize| channels(width * of as f64);
    let mut in_c = wider(32);
    let mut x = program.conv(0, silu(convolution("conv_stem", "bn1", (3, in_c), 3, 2)));
    let mut stages = vec![NetworkStage::new("conv_stem", &program)];
    let mut upper = 0;
    for (stage, (repeats, kernel, stride, expansion, out_c)) in STAGES.into_iter().enumerate() {
        if stage == 5 {
            upper = program.steps.len();
        }
        let out_c = wider(out_c);
        for block in 0..(depth * repeats as f64).ceil() as usize {
            let name = format!("blocks.{stage}.{block}");
            let stride = if block == 0 { stride } else { 1 };
            let squeeze = Squeeze { reduced: in_c / SQUEEZE, act: Activation::Silu, gate: Activation::Sigmoid };
            let (channels, wide, act) = ((in_c, out_c), in_c * expansion, Activation::Silu);
            let block = Inverted { channels, wide, kernel, stride, act, squeeze: Some(squeeze) };
            x = block.add(&mut program, &name, x, convolution);
            in_c = out_c;
        }
        stages.push(NetworkStage::new(&format!("blocks.{stage}"), &program));
    }
    let features = wider(1280);
    x = program.conv(x, silu(convolution("conv_head", "bn2", (in_c, features), 1, 1)));
    stages.push(NetworkStage::new("conv_head", &program));
    let maps = program.steps.len();
    program.average_pool(x);
    Network { program, maps, stages, upper, upper_trainable: upper, features }
}

fn silu(step: Conv) -> Conv {
    Conv { act: Activation::Silu, ..step }
}

fn convolution(name: &str, norm: &str, channels: (usize, usize), kernel: usize, stride: usize) -> Conv {
    Conv::new(name, channels, kernel, stride).with_norm(norm, 1e-5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_two_trains_the_last_two_stages_and_what_is_behind_them() {
        let network = efficientnet(1.0, 1.0);
        let names = network.trainable(network.upper_trainable);
        let parts = ["blocks.5.", "blocks.6.", "conv_head.", "bn2."];
        assert!(parts.iter().all(|part| names.iter().any(|name| name.starts_with(part))));
        assert!(names.iter().all(|name| parts.iter().any(|part| name.starts_with(part))));
    }
}
