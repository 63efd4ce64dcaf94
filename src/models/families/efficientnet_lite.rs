//! EfficientNet-Lite0 (Tan & Le 2019, <https://arxiv.org/abs/1905.11946>, in TensorFlow's "lite" form: no squeeze-and-excitation,
//! ReLU6), with the names and numbers of timm's `tf_efficientnet_lite0`.

use crate::base::config::Backbone;
use crate::kernels::Activation;
use crate::models::family::{Build, IMAGENET, Member, Weights};
use crate::models::init;
use crate::models::network::{Network, NetworkStage};
use crate::nn::program::{ConvStep, Norm, Pad, Program};
use crate::pixels::{Filter, Preprocess};

#[allow(non_upper_case_globals)]
impl Backbone {
    /// EfficientNet-Lite0 (`efficientnet-lite0`), whose weights are in the repository.
    pub const EfficientnetLite0: Self = Self::named("efficientnet-lite0").with_embedded_weights();
}

/// Lite0, with the weights that were published for TensorFlow.
pub(super) const MEMBERS: &[Member] = &[Member {
    backbone: Backbone::EfficientnetLite0,
    also: &[],
    weights: Weights {
        name: "timm/tf_efficientnet_lite0.in1k",
        revision: "main",
        file: "model.safetensors",
        licence: "Apache-2.0",
        preprocess: Preprocess { filter: Filter::Bicubic, mean: [0.5; 3], std: [0.5; 3], ..IMAGENET },
        features: 1280,
        parameters: 3_371_008,
        paper: "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, arXiv:1905.11946",
    },
    classifier: "classifier.",
    // Compiled in, so that neither a notebook nor an installed command depends on where the repository is.
    embedded: Some(include_bytes!("../../../models/pretrained/tf_efficientnet_lite0.in1k.f16.safetensors")),
    build: Build::Steps(efficientnet_lite0),
    init: init::convolutional,
}];

/// Stage by stage: repeats, kernel, stride, expansion, output channels.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// Builds the body. In phase 2, `blocks.5`, `blocks.6`, `conv_head` and `bn2` train.
fn efficientnet_lite0() -> Network {
    let mut program = Program::default();
    let mut x = program.conv(convolution("conv_stem", "bn1", 0, (3, 32), 3, 2, Activation::Relu6));
    let mut stages = vec![NetworkStage::new("conv_stem", &program)];
    let mut in_c = 32;
    let mut upper = 0;
    for (stage, (repeats, kernel, stride, expansion, out_c)) in STAGES.into_iter().enumerate() {
        if stage == 5 {
            upper = program.steps.len();
        }
        for block in 0..repeats {
            let name = format!("blocks.{stage}.{block}");
            let stride = if block == 0 { stride } else { 1 };
            let wide = in_c * expansion;
            let residual = (stride == 1 && in_c == out_c).then_some(x);
            let mut y = x;
            // Without expansion the block is depthwise, then pointwise, and timm numbers its tensors from there.
            let (project, last_norm) = if expansion == 1 {
                ("conv_pw", "bn2")
            } else {
                let (conv, norm) = (format!("{name}.conv_pw"), format!("{name}.bn1"));
                y = program.conv(convolution(&conv, &norm, y, (in_c, wide), 1, 1, Activation::Relu6));
                ("conv_pwl", "bn3")
            };
            let norm = if expansion == 1 { "bn1" } else { "bn2" };
            let (conv, norm) = (format!("{name}.conv_dw"), format!("{name}.{norm}"));
            let depthwise = convolution(&conv, &norm, y, (wide, wide), kernel, stride, Activation::Relu6);
            y = program.conv(ConvStep { depthwise: true, ..depthwise });
            let (conv, norm) = (format!("{name}.{project}"), format!("{name}.{last_norm}"));
            let pointwise = convolution(&conv, &norm, y, (wide, out_c), 1, 1, Activation::None);
            x = program.conv(ConvStep { residual, ..pointwise });
            in_c = out_c;
        }
        stages.push(NetworkStage::new(&format!("blocks.{stage}"), &program));
    }
    x = program.conv(convolution("conv_head", "bn2", x, (in_c, 1280), 1, 1, Activation::Relu6));
    stages.push(NetworkStage::new("conv_head", &program));
    let maps = program.steps.len();
    program.average_pool(x);
    Network { program, maps, stages, upper, upper_trainable: upper, features: 1280 }
}

fn convolution(
    name: &str,
    norm: &str,
    input: usize,
    (in_c, out_c): (usize, usize),
    kernel: usize,
    stride: usize,
    act: Activation,
) -> ConvStep {
    ConvStep {
        input,
        residual: None,
        name: name.into(),
        norm: Some(Norm { name: norm.into(), eps: 1e-3 }),
        in_c,
        out_c,
        kernel,
        stride,
        pad: Pad::Same,
        depthwise: false,
        act,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_two_trains_the_last_two_stages_and_what_is_behind_them() {
        let network = efficientnet_lite0();
        assert!(network.trainable(network.upper_trainable).iter().all(|name| {
            ["blocks.5.", "blocks.6.", "conv_head.", "bn2."].iter().any(|prefix| name.starts_with(prefix))
        }));
    }
}
