//! ConvNeXt (Liu et al. 2022, <https://arxiv.org/abs/2201.03545>), with the names and numbers of timm's `convnext_tiny`, and of the smaller ones that timm made by its
//! rule, `convnext_atto` and `convnext_femto`: large depthwise kernels, layer norms, GELU and layer scale.

use crate::base::config::Backbone;
use crate::kernels::Activation;
use crate::models::family::{Build, IMAGENET, Member, Weights};
use crate::models::init;
use crate::models::network::{Network, NetworkStage};
use crate::nn::program::{Conv, Pad, Program};
use crate::nn::steps::{LayerNorm, LayerScale};
use crate::pixels::{Filter, Preprocess};

#[allow(non_upper_case_globals)]
impl Backbone {
    /// ConvNeXt-Atto (`convnext-atto`), the smallest.
    pub const ConvnextAtto: Self = Self::named("convnext-atto");
    /// ConvNeXt-Femto (`convnext-femto`).
    pub const ConvnextFemto: Self = Self::named("convnext-femto");
    /// ConvNeXt-Tiny (`convnext-tiny`), the smallest of the paper's.
    pub const ConvnextTiny: Self = Self::named("convnext-tiny");
}

/// The three, with weights from ImageNet-1k alone: timm's own, and the paper's.
pub(super) const MEMBERS: &[Member] = &[
    member(Backbone::ConvnextAtto, weights("timm/convnext_atto.d2_in1k", 320, 3_374_520, 75.672), || {
        convnext(&Form { widths: [40, 80, 160, 320], blocks: [2, 2, 6, 2], flat: false })
    }),
    member(Backbone::ConvnextFemto, weights("timm/convnext_femto.d1_in1k", 384, 4_832_784, 77.498), || {
        convnext(&Form { widths: [48, 96, 192, 384], blocks: [2, 2, 6, 2], flat: false })
    }),
    member(Backbone::ConvnextTiny, weights("timm/convnext_tiny.fb_in1k", 768, 27_820_128, 82.066), || {
        convnext(&Form { widths: [96, 192, 384, 768], blocks: [3, 3, 9, 3], flat: true })
    }),
];

const fn weights(name: &'static str, features: usize, parameters: usize, top1: f32) -> Weights {
    Weights {
        name,
        revision: "main",
        file: "model.safetensors",
        licence: "Apache-2.0",
        top1: Some(top1),
        preprocess: Preprocess { filter: Filter::Bicubic, ..IMAGENET },
        features,
        parameters,
        paper: "A ConvNet for the 2020s, arXiv:2201.03545",
    }
}

const fn member(backbone: Backbone, weights: Weights, build: Build) -> Member {
    Member { backbone, also: &[], weights, classifier: "head.fc.", embedded: None, build, init: init::transformer }
}

/// Of every layer norm.
const EPS: f64 = 1e-6;

/// Times as many channels between a block's two dense layers.
const EXPANSION: usize = 4;

/// What tells them apart.
struct Form {
    /// Channels, stage by stage.
    widths: [usize; 4],
    /// Blocks, likewise.
    blocks: [usize; 4],
    /// Whether the file has the blocks' dense layers as such, `[O, I]`, or as 1×1 convolutions, `[O, I, 1, 1]`.
    flat: bool,
}

/// Builds the body. In phase 2 the last of four stages trains, with the halving before it and the norm behind it: in all three 56 % of the numbers, as the last 50
/// layers are 72 % of ResNet-50's. The features are the averages over the map, through a norm; Grad-CAM sees the map before it.
fn convnext(Form { widths, blocks, flat }: &Form) -> Network {
    let mut program = Program::default();
    let [first, .., last] = *widths;
    let mut x = program.conv(0, patches("stem.0", (3, first), 4));
    x = norm(&mut program, "stem.1", first, x);
    let mut stages = vec![NetworkStage::new("stem", &program)];
    let (mut before, mut upper) = (first, 0);
    for (stage, (&width, &blocks)) in widths.iter().zip(blocks).enumerate() {
        upper = program.steps.len();
        let name = format!("stages.{stage}");
        if stage > 0 {
            x = norm(&mut program, &format!("{name}.downsample.0"), before, x);
            x = program.conv(x, patches(&format!("{name}.downsample.1"), (before, width), 2));
        }
        for number in 0..blocks {
            x = block(&mut program, &format!("{name}.blocks.{number}"), width, *flat, x);
        }
        stages.push(NetworkStage::new(&name, &program));
        before = width;
    }
    let maps = program.steps.len();
    x = program.average_pool(x);
    norm(&mut program, "head.norm", last, x);
    stages.push(NetworkStage::new("head", &program));
    Network { program, maps, stages, upper, upper_trainable: upper, features: last }
}

/// A depthwise convolution, a norm, and two dense layers on each pixel; scaled, and added to the input.
fn block(program: &mut Program, name: &str, width: usize, flat: bool, x: usize) -> usize {
    let part = |part: &str| format!("{name}.{part}");
    let wide = EXPANSION * width;
    let mut y = program.conv(x, Conv { depthwise: true, ..Conv::new(part("conv_dw"), (width, width), 7, 1) });
    y = norm(program, &part("norm"), width, y);
    let dense = |name: &str, channels| Conv { flat, ..Conv::of_pixels(part(name), channels) };
    y = program.conv(y, Conv { act: Activation::Gelu, ..dense("mlp.fc1", (width, wide)) });
    y = program.conv(y, dense("mlp.fc2", (wide, width)));
    program.add(LayerScale { name: part("gamma"), channels: width }, y, Some(x))
}

/// Squares of so many pixels that do not overlap; what is left over at the edge is not seen.
fn patches(name: &str, channels: (usize, usize), side: usize) -> Conv {
    Conv { pad: Pad::Even(0), ..Conv::new(name, channels, side, side) }
}

fn norm(program: &mut Program, name: &str, channels: usize, x: usize) -> usize {
    program.add(LayerNorm { name: name.into(), channels, eps: EPS }, x, None)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;
    use crate::base::error::ErrorKind;
    use crate::base::seed::Seed;
    use crate::models::{Architecture, Model, Ops, registry};

    fn built(backbone: Backbone) -> Network {
        (registry::member(backbone).build)()
    }

    #[test]
    fn phase_two_trains_the_last_stage_and_what_is_behind_it() {
        let network = built(Backbone::ConvnextFemto);
        let names = network.trainable(network.upper_trainable);
        let parts = ["stages.3.", "head.norm."];
        assert!(parts.iter().all(|part| names.iter().any(|name| name.starts_with(part))));
        assert!(names.iter().all(|name| parts.iter().any(|part| name.starts_with(part))));
        assert!(names.iter().any(|name| name == "stages.3.downsample.1.weight"));
        assert!(network.parameters(network.upper_trainable) * 2 > network.parameters(0));
    }

    /// The smallest picture that has something left after five halvings; smaller ones are an error, both ways to compute.
    #[test]
    fn pictures_of_less_than_32_pixels_are_refused() {
        let architecture =
            Architecture::Transfer { backbone: Backbone::ConvnextAtto, hidden: 1, dropout: 0.0, classes: 2 };
        for ops in [Ops::Kernels, Ops::Candle] {
            let model = Model::with_ops(&architecture, Seed(1), &Device::Cpu, ops).unwrap();
            let images = |h, w| Tensor::ones((1, 3, h, w), DType::F32, &Device::Cpu).unwrap();
            assert_eq!(model.logits(&images(32, 35)).unwrap().dims(), [1, 2]);
            for (h, w, first) in [(31, 40, "stages.3.downsample.1"), (40, 3, "stem.0"), (1, 1, "stem.0")] {
                let error = model.logits(&images(h, w)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Tensor);
                assert!(error.what().contains(first) && error.how_to_mend().is_some(), "{error}");
            }
        }
    }

    /// Names and shapes as in timm's files, and so as in petal's model files from when ConvNeXt-Tiny was frozen: they hold the same tensors.
    ///
    /// ```python
    /// import timm  # 1.0.31
    /// for name in ("convnext_tiny", "convnext_atto"):
    ///     state = timm.create_model(name, num_classes=0).state_dict()
    ///     print(len(state), {n: tuple(v.shape) for n, v in state.items() if "stages.1.downsample" in n or "stages.3.blocks.1." in n})
    /// ```
    #[test]
    fn tensors_are_named_and_shaped_as_in_timms_files() {
        for (backbone, count, before, [second, last], ones) in [
            (Backbone::ConvnextTiny, 180, 96, [192, 768], &[][..]),
            (Backbone::ConvnextAtto, 126, 40, [80, 320], &[1, 1][..]),
        ] {
            let network = built(backbone);
            let tensors = network.tensors(0, network.program.steps.len());
            assert_eq!(tensors.len(), count, "{backbone}");
            let dense = |outputs: usize, inputs: usize| [&[outputs, inputs][..], ones].concat();
            for (name, shape) in [
                ("stem.0.weight", vec![before, 3, 4, 4]),
                ("stages.1.downsample.0.bias", vec![before]),
                ("stages.1.downsample.1.weight", vec![second, before, 2, 2]),
                ("stages.3.blocks.1.gamma", vec![last]),
                ("stages.3.blocks.1.conv_dw.weight", vec![last, 1, 7, 7]),
                ("stages.3.blocks.1.norm.weight", vec![last]),
                ("stages.3.blocks.1.mlp.fc1.weight", dense(4 * last, last)),
                ("stages.3.blocks.1.mlp.fc2.weight", dense(last, 4 * last)),
                ("stages.3.blocks.1.mlp.fc2.bias", vec![last]),
                ("head.norm.weight", vec![last]),
            ] {
                assert_eq!(tensors.get(name), Some(&shape), "{backbone}: {name}");
            }
        }
    }
}
