//! MobileNetV3-Large (Howard et al. 2019, <https://arxiv.org/abs/1905.02244>), with the names and numbers of timm's `mobilenetv3_large_100`.

use crate::base::config::Backbone;
use crate::kernels::Activation::{self, HardSigmoid, HardSwish, Relu};
use crate::models::family::{IMAGENET, Member, Weights};
use crate::models::init;
use crate::models::inverted::{Inverted, Squeeze};
use crate::models::network::{Network, NetworkStage, channels};
use crate::nn::program::{Conv, Program};
use crate::pixels::{Filter, Preprocess};

#[allow(non_upper_case_globals)]
impl Backbone {
    /// MobileNetV3-Large (`mobilenetv3-large`).
    pub const Mobilenetv3Large: Self = Self::named("mobilenetv3-large");
}

/// The large one, with timm's weights of 3,600 epochs at 224 pixels.
pub(super) const MEMBERS: &[Member] = &[Member {
    backbone: Backbone::Mobilenetv3Large,
    also: &["mobilenetv3_large_100"],
    weights: Weights {
        name: "timm/mobilenetv3_large_100.ra4_e3600_r224_in1k",
        revision: "main",
        file: "model.safetensors",
        licence: "Apache-2.0",
        top1: Some(76.310),
        preprocess: Preprocess { crop: 0.95, filter: Filter::Bicubic, mean: [0.5; 3], std: [0.5; 3], ..IMAGENET },
        features: 1280,
        parameters: 4_202_032,
        paper: "Searching for MobileNetV3, arXiv:1905.02244",
    },
    classifier: "classifier.",
    embedded: None,
    build: large,
    init: init::convolutional,
}];

/// An inverted residual: kernel, channels between, output channels, whether it squeezes and excites, stride.
type Block = (usize, usize, usize, bool, usize);

/// Stage by stage: what follows its convolutions, and its blocks. The first block of all has no expansion.
const LARGE: [(Activation, &[Block]); 6] = [
    (Relu, &[(3, 16, 16, false, 1)]),
    (Relu, &[(3, 64, 24, false, 2), (3, 72, 24, false, 1)]),
    (Relu, &[(5, 72, 40, true, 2), (5, 120, 40, true, 1), (5, 120, 40, true, 1)]),
    (HardSwish, &[(3, 240, 80, false, 2), (3, 200, 80, false, 1), (3, 184, 80, false, 1), (3, 184, 80, false, 1)]),
    (HardSwish, &[(3, 480, 112, true, 1), (3, 672, 112, true, 1)]),
    (HardSwish, &[(5, 672, 160, true, 2), (5, 960, 160, true, 1), (5, 960, 160, true, 1)]),
];

/// Builds the body. In phase 2, `blocks.5`, `blocks.6` and `conv_head` train. The features are made of the pooled maps by one more layer; Grad-CAM
/// sees the maps before it.
fn large() -> Network {
    let mut program = Program::default();
    let mut x = program.conv(0, hard_swish(convolution("conv_stem", "bn1", (3, 16), 3, 2)));
    let mut stages = vec![NetworkStage::new("conv_stem", &program)];
    let (mut in_c, mut upper) = (16, 0);
    for (stage, (act, blocks)) in LARGE.into_iter().enumerate() {
        upper = program.steps.len();
        for (number, &(kernel, wide, out_c, squeezes, stride)) in blocks.iter().enumerate() {
            let squeeze = Squeeze { reduced: channels(wide as f64 / 4.0), act: Relu, gate: HardSigmoid };
            let squeeze = squeezes.then_some(squeeze);
            let block = Inverted { channels: (in_c, out_c), wide, kernel, stride, act, squeeze };
            x = block.add(&mut program, &format!("blocks.{stage}.{number}"), x, convolution);
            in_c = out_c;
        }
        stages.push(NetworkStage::new(&format!("blocks.{stage}"), &program));
    }
    x = program.conv(x, hard_swish(convolution("blocks.6.0.conv", "blocks.6.0.bn1", (in_c, 960), 1, 1)));
    stages.push(NetworkStage::new("blocks.6", &program));
    let maps = program.steps.len();
    x = program.average_pool(x);
    program.conv(x, hard_swish(Conv::new("conv_head", (960, 1280), 1, 1)));
    stages.push(NetworkStage::new("conv_head", &program));
    Network { program, maps, stages, upper, upper_trainable: upper, features: 1280 }
}

fn hard_swish(step: Conv) -> Conv {
    Conv { act: HardSwish, ..step }
}

fn convolution(name: &str, norm: &str, channels: (usize, usize), kernel: usize, stride: usize) -> Conv {
    Conv::new(name, channels, kernel, stride).with_norm(norm, 1e-5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_two_trains_the_last_stages_and_what_is_behind_them() {
        let network = large();
        let names = network.trainable(network.upper_trainable);
        let parts = ["blocks.5.", "blocks.6.", "conv_head."];
        assert!(parts.iter().all(|part| names.iter().any(|name| name.starts_with(part))));
        assert!(names.iter().all(|name| parts.iter().any(|part| name.starts_with(part))));
    }
}
