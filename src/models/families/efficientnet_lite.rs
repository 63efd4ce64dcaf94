//! EfficientNet-Lite0 to -Lite4 (Tan & Le 2019, <https://arxiv.org/abs/1905.11946>, in TensorFlow's "lite" form: no squeeze-and-excitation,
//! ReLU6), with the names and numbers of timm's `tf_efficientnet_lite0` and so on.

use super::efficientnet::STAGES;
use crate::base::config::Backbone;
use crate::kernels::Activation;
use crate::models::family::{IMAGENET, Member, Weights};
use crate::models::init;
use crate::models::inverted::Inverted;
use crate::models::network::{Network, NetworkStage, channels};
use crate::nn::program::{Conv, Pad, Program};
use crate::pixels::{Filter, Preprocess};

#[allow(non_upper_case_globals)]
impl Backbone {
    /// EfficientNet-Lite0 (`efficientnet-lite0`), whose weights are in the repository.
    pub const EfficientnetLite0: Self = Self::named("efficientnet-lite0").with_embedded_weights();
    /// EfficientNet-Lite1 (`efficientnet-lite1`), made for 240 pixels.
    pub const EfficientnetLite1: Self = Self::named("efficientnet-lite1");
    /// EfficientNet-Lite2 (`efficientnet-lite2`), made for 260 pixels.
    pub const EfficientnetLite2: Self = Self::named("efficientnet-lite2");
    /// EfficientNet-Lite3 (`efficientnet-lite3`), made for 300 pixels.
    pub const EfficientnetLite3: Self = Self::named("efficientnet-lite3");
    /// EfficientNet-Lite4 (`efficientnet-lite4`), made for 380 pixels.
    pub const EfficientnetLite4: Self = Self::named("efficientnet-lite4");
}

/// All five, with the weights that were published for TensorFlow.
pub(super) const MEMBERS: &[Member] = &[
    Member {
        // Compiled in, so that neither a notebook nor an installed command depends on where the repository is.
        embedded: Some(include_bytes!("../../../models/pretrained/tf_efficientnet_lite0.in1k.f16.safetensors")),
        ..lite0("timm/tf_efficientnet_lite0.in1k", 3_371_008, 74.846)
    },
    Member {
        backbone: Backbone::EfficientnetLite1,
        build: || efficientnet_lite(1.0, 1.1),
        ..sized(lite0("timm/tf_efficientnet_lite1.in1k", 4_135_680, 76.674), 240, 0.882, Filter::Bicubic)
    },
    Member {
        backbone: Backbone::EfficientnetLite2,
        build: || efficientnet_lite(1.1, 1.2),
        ..sized(lite0("timm/tf_efficientnet_lite2.in1k", 4_811_072, 77.47), 260, 0.89, Filter::Bicubic)
    },
    Member {
        backbone: Backbone::EfficientnetLite3,
        build: || efficientnet_lite(1.2, 1.4),
        ..sized(lite0("timm/tf_efficientnet_lite3.in1k", 6_916_096, 79.808), 300, 0.904, Filter::Bilinear)
    },
    Member {
        backbone: Backbone::EfficientnetLite4,
        build: || efficientnet_lite(1.4, 1.8),
        ..sized(lite0("timm/tf_efficientnet_lite4.in1k", 11_725_568, 81.54), 380, 0.92, Filter::Bilinear)
    },
];

const fn lite0(name: &'static str, parameters: usize, top1: f32) -> Member {
    let weights = Weights {
        name,
        revision: "main",
        file: "model.safetensors",
        licence: "Apache-2.0",
        top1: Some(top1),
        preprocess: Preprocess { filter: Filter::Bicubic, mean: [0.5; 3], std: [0.5; 3], ..IMAGENET },
        features: 1280,
        parameters,
        paper: "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, arXiv:1905.11946",
    };
    Member {
        backbone: Backbone::EfficientnetLite0,
        also: &[],
        weights,
        classifier: "classifier.",
        embedded: None,
        build: || efficientnet_lite(1.0, 1.0),
        init: init::convolutional,
    }
}

/// The same, trained on pictures of another size.
const fn sized(member: Member, size: usize, crop: f64, filter: Filter) -> Member {
    let preprocess = Preprocess { size, crop, filter, ..member.weights.preprocess };
    Member { weights: Weights { preprocess, ..member.weights }, ..member }
}

/// Builds the body: Lite0, wider and deeper by these factors. Its stem and head keep their width, the first and last stage their
/// depth. In phase 2, `blocks.5`, `blocks.6`, `conv_head` and `bn2` train.
fn efficientnet_lite(width: f64, depth: f64) -> Network {
    let mut program = Program::default();
    let mut x = program.conv(0, relu6(convolution("conv_stem", "bn1", (3, 32), 3, 2)));
    let mut stages = vec![NetworkStage::new("conv_stem", &program)];
    let mut in_c = 32;
    let mut upper = 0;
    for (stage, (repeats, kernel, stride, expansion, out_c)) in STAGES.into_iter().enumerate() {
        if stage == 5 {
            upper = program.steps.len();
        }
        let first_or_last = stage == 0 || stage + 1 == STAGES.len();
        let repeats = if first_or_last { repeats } else { (depth * repeats as f64).ceil() as usize };
        let out_c = channels(width * out_c as f64);
        for block in 0..repeats {
            let name = format!("blocks.{stage}.{block}");
            let stride = if block == 0 { stride } else { 1 };
            let (channels, wide, act) = ((in_c, out_c), in_c * expansion, Activation::Relu6);
            let block = Inverted { channels, wide, kernel, stride, act, squeeze: None };
            x = block.add(&mut program, &name, x, convolution);
            in_c = out_c;
        }
        stages.push(NetworkStage::new(&format!("blocks.{stage}"), &program));
    }
    x = program.conv(x, relu6(convolution("conv_head", "bn2", (in_c, 1280), 1, 1)));
    stages.push(NetworkStage::new("conv_head", &program));
    let maps = program.steps.len();
    program.average_pool(x);
    Network { program, maps, stages, upper, upper_trainable: upper, features: 1280 }
}

fn relu6(step: Conv) -> Conv {
    Conv { act: Activation::Relu6, ..step }
}

fn convolution(name: &str, norm: &str, channels: (usize, usize), kernel: usize, stride: usize) -> Conv {
    Conv { pad: Pad::Same, ..Conv::new(name, channels, kernel, stride).with_norm(norm, 1e-3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_two_trains_the_last_two_stages_and_what_is_behind_them() {
        let network = efficientnet_lite(1.0, 1.0);
        assert!(network.trainable(network.upper_trainable).iter().all(|name| {
            ["blocks.5.", "blocks.6.", "conv_head.", "bn2."].iter().any(|prefix| name.starts_with(prefix))
        }));
    }
}
