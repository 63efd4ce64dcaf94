//! MobileNetV4 (Qin et al. 2024, <https://arxiv.org/abs/2404.10518>), its convolutional forms, with timm's names and numbers.

use crate::base::config::Backbone;
use crate::kernels::Activation;
use crate::models::family::{IMAGENET, Member, Weights};
use crate::models::init;
use crate::models::network::{Network, NetworkStage};
use crate::nn::program::{Conv, Program};
use crate::pixels::{Filter, Preprocess};

#[allow(non_upper_case_globals)]
impl Backbone {
    /// MobileNetV4-Conv-Medium (`mobilenetv4-conv-medium`).
    pub const Mobilenetv4ConvMedium: Self = Self::named("mobilenetv4-conv-medium");
}

/// The medium one, with timm's weights of 500 epochs at 224 pixels.
pub(super) const MEMBERS: &[Member] = &[Member {
    backbone: Backbone::Mobilenetv4ConvMedium,
    also: &[],
    weights: Weights {
        name: "timm/mobilenetv4_conv_medium.e500_r224_in1k",
        revision: "main",
        file: "model.safetensors",
        licence: "Apache-2.0",
        top1: Some(79.092),
        preprocess: Preprocess { crop: 0.95, filter: Filter::Bicubic, ..IMAGENET },
        features: 1280,
        parameters: 8_434_512,
        paper: "MobileNetV4: Universal Models for the Mobile Ecosystem, arXiv:2404.10518",
    },
    classifier: "classifier.",
    embedded: None,
    build: || conv_medium(&MEDIUM),
    init: init::convolutional,
}];

/// A universal inverted bottleneck: kernels of the depthwise convolutions before and after the expansion (0: there is none), and the
/// expansion.
type Block = (usize, usize, usize);

/// Stage by stage: output channels and blocks; the first block of each halves the picture.
const MEDIUM: [(usize, &[Block]); 3] = [
    (80, &[(3, 5, 4), (3, 3, 2)]),
    (160, &[(3, 5, 6), (3, 3, 4), (3, 3, 4), (3, 5, 4), (3, 3, 4), (3, 0, 4), (0, 0, 2), (3, 0, 4)]),
    (
        256,
        &[
            (5, 5, 6),
            (5, 5, 4),
            (3, 5, 4),
            (3, 5, 4),
            (0, 0, 4),
            (3, 0, 4),
            (3, 5, 2),
            (5, 5, 4),
            (0, 0, 4),
            (0, 0, 4),
            (5, 0, 2),
        ],
    ),
];

/// Builds the body. In phase 2, `blocks.3`, `blocks.4` and `conv_head` train. The features are made of the pooled maps by one more
/// convolution; Grad-CAM sees the maps before it.
fn conv_medium(stages_of_blocks: &[(usize, &[Block])]) -> Network {
    let mut program = Program::default();
    let relu = |step: Conv| Conv { act: Activation::Relu, ..step };
    let mut x = program.conv(0, relu(convolution("conv_stem", "bn1", (3, 32), 3, 2)));
    let mut stages = vec![NetworkStage::new("conv_stem", &program)];
    // The first stage's expansion is a whole convolution.
    x = program.conv(x, relu(convolution("blocks.0.0.conv_exp", "blocks.0.0.bn1", (32, 128), 3, 2)));
    x = program.conv(x, convolution("blocks.0.0.conv_pwl", "blocks.0.0.bn2", (128, 48), 1, 1));
    stages.push(NetworkStage::new("blocks.0", &program));
    let (mut in_c, mut upper) = (48, 0);
    for (stage, &(out_c, blocks)) in (1..).zip(stages_of_blocks) {
        upper = program.steps.len();
        for (block, &sizes) in blocks.iter().enumerate() {
            let stride = if block == 0 { 2 } else { 1 };
            x = universal(&mut program, &format!("blocks.{stage}.{block}"), x, (in_c, out_c), stride, sizes);
            in_c = out_c;
        }
        stages.push(NetworkStage::new(&format!("blocks.{stage}"), &program));
    }
    let name = format!("blocks.{}", stages_of_blocks.len() + 1);
    x = program.conv(x, relu(convolution(&format!("{name}.0.conv"), &format!("{name}.0.bn1"), (in_c, 960), 1, 1)));
    stages.push(NetworkStage::new(&name, &program));
    let maps = program.steps.len();
    x = program.average_pool(x);
    program.conv(x, relu(convolution("conv_head", "norm_head", (960, 1280), 1, 1)));
    stages.push(NetworkStage::new("conv_head", &program));
    Network { program, maps, stages, upper, upper_trainable: upper, features: 1280 }
}

/// Depthwise, expand, depthwise, project; the stride is the second depthwise one's, or the first's where it stands alone.
fn universal(
    program: &mut Program,
    name: &str,
    x: usize,
    (in_c, out_c): (usize, usize),
    stride: usize,
    (start, middle, expansion): Block,
) -> usize {
    let part = |part: &str, channels, kernel, stride| {
        convolution(&format!("{name}.{part}.conv"), &format!("{name}.{part}.bn"), channels, kernel, stride)
    };
    let wide = in_c * expansion;
    let mut y = x;
    if start > 0 {
        let stride = if middle > 0 { 1 } else { stride };
        y = program.conv(y, Conv { depthwise: true, ..part("dw_start", (in_c, in_c), start, stride) });
    }
    y = program.conv(y, Conv { act: Activation::Relu, ..part("pw_exp", (in_c, wide), 1, 1) });
    if middle > 0 {
        let step = part("dw_mid", (wide, wide), middle, stride);
        y = program.conv(y, Conv { depthwise: true, act: Activation::Relu, ..step });
    }
    let residual = (stride == 1 && in_c == out_c).then_some(x);
    program.add(part("pw_proj", (wide, out_c), 1, 1), y, residual)
}

fn convolution(name: &str, norm: &str, channels: (usize, usize), kernel: usize, stride: usize) -> Conv {
    Conv::new(name, channels, kernel, stride).with_norm(norm, 1e-5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_two_trains_the_last_stages_and_what_is_behind_them() {
        let network = conv_medium(&MEDIUM);
        let names = network.trainable(network.upper_trainable);
        let parts = ["blocks.3.", "blocks.4.", "conv_head.", "norm_head."];
        assert!(parts.iter().all(|part| names.iter().any(|name| name.starts_with(part))));
        assert!(names.iter().all(|name| parts.iter().any(|part| name.starts_with(part))));
    }
}
