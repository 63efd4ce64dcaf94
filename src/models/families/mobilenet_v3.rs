//! MobileNetV3-Large (Howard et al. 2019, <https://arxiv.org/abs/1905.02244>), with the names and numbers of timm's `mobilenetv3_large_100`.

use crate::base::config::Backbone;
use crate::kernels::Activation::{self, HardSigmoid, HardSwish, Relu};
use crate::models::family::{Build, IMAGENET, Member, Weights};
use crate::models::init;
use crate::models::network::{Network, NetworkStage, channels};
use crate::nn::program::{Conv, Program};
use crate::nn::steps::SqueezeExcite;
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
        preprocess: Preprocess { crop: 0.95, filter: Filter::Bicubic, mean: [0.5; 3], std: [0.5; 3], ..IMAGENET },
        features: 1280,
        parameters: 4_202_032,
        paper: "Searching for MobileNetV3, arXiv:1905.02244",
    },
    classifier: "classifier.",
    embedded: None,
    build: Build::Steps(large),
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
    let mut x = program.conv(0, convolution("conv_stem", Some("bn1"), (3, 16), 3, 2, HardSwish));
    let mut stages = vec![NetworkStage::new("conv_stem", &program)];
    let (mut in_c, mut upper) = (16, 0);
    for (stage, (act, blocks)) in LARGE.into_iter().enumerate() {
        upper = program.steps.len();
        for (number, &block) in blocks.iter().enumerate() {
            x = inverted(&mut program, &format!("blocks.{stage}.{number}"), x, in_c, block, act);
            in_c = block.2;
        }
        stages.push(NetworkStage::new(&format!("blocks.{stage}"), &program));
    }
    x = program.conv(x, convolution("blocks.6.0.conv", Some("blocks.6.0.bn1"), (in_c, 960), 1, 1, HardSwish));
    stages.push(NetworkStage::new("blocks.6", &program));
    let maps = program.steps.len();
    x = program.average_pool(x);
    program.conv(x, convolution("conv_head", None, (960, 1280), 1, 1, HardSwish));
    stages.push(NetworkStage::new("conv_head", &program));
    Network { program, maps, stages, upper, upper_trainable: upper, features: 1280 }
}

/// Expand, depthwise, squeeze and excite, project. Without expansion timm numbers the tensors from the depthwise convolution.
fn inverted(
    program: &mut Program,
    name: &str,
    x: usize,
    in_c: usize,
    (kernel, wide, out_c, squeezes, stride): Block,
    act: Activation,
) -> usize {
    let part = |conv: &str, norm: &str, channels, kernel, stride, act| {
        convolution(&format!("{name}.{conv}"), Some(&format!("{name}.{norm}")), channels, kernel, stride, act)
    };
    let (mut y, expands) = (x, wide != in_c);
    let (norms, project) = if expands { (["bn2", "bn3"], "conv_pwl") } else { (["bn1", "bn2"], "conv_pw") };
    if expands {
        y = program.conv(y, part("conv_pw", "bn1", (in_c, wide), 1, 1, act));
    }
    y = program.conv(y, Conv { depthwise: true, ..part("conv_dw", norms[0], (wide, wide), kernel, stride, act) });
    if squeezes {
        let squeeze = SqueezeExcite {
            reduce: format!("{name}.se.conv_reduce"),
            expand: format!("{name}.se.conv_expand"),
            channels: wide,
            reduced: channels(wide as f64 / 4.0),
            act: Relu,
            gate: HardSigmoid,
        };
        y = program.add(squeeze, y, None);
    }
    let residual = (stride == 1 && in_c == out_c).then_some(x);
    program.add(part(project, norms[1], (wide, out_c), 1, 1, Activation::None), y, residual)
}

fn convolution(
    name: &str,
    norm: Option<&str>,
    channels: (usize, usize),
    kernel: usize,
    stride: usize,
    act: Activation,
) -> Conv {
    let conv = Conv { act, ..Conv::new(name, channels, kernel, stride) };
    match norm {
        Some(norm) => conv.with_norm(norm, 1e-5),
        None => conv,
    }
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
