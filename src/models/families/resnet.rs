//! ResNet-18 to -152 (He et al. 2015, <https://arxiv.org/abs/1512.03385>), with torchvision's names and its stride on the 3×3
//! convolution of a bottleneck ("v1.5").

use crate::base::config::Backbone;
use crate::base::seed::Stream;
use crate::kernels::Activation;
use crate::models::family::{IMAGENET, Init, Member, Weights};
use crate::models::init;
use crate::models::network::{Network, NetworkStage};
use crate::nn::program::{Conv, Program};

#[allow(non_upper_case_globals)]
impl Backbone {
    /// ResNet-18 (`resnet18`).
    pub const Resnet18: Self = Self::named("resnet18");
    /// ResNet-34 (`resnet34`).
    pub const Resnet34: Self = Self::named("resnet34");
    /// ResNet-50 (`resnet50`), the default.
    pub const Resnet50: Self = Self::named("resnet50");
    /// ResNet-101 (`resnet101`).
    pub const Resnet101: Self = Self::named("resnet101");
    /// ResNet-152 (`resnet152`).
    pub const Resnet152: Self = Self::named("resnet152");
}

/// All five, with torchvision's first weights.
pub(super) const MEMBERS: &[Member] = &[
    Member {
        build: || resnet(false, [2, 2, 2, 2]),
        init: |name, shape, stream| ending_in(".bn2.weight", name, shape, stream),
        ..torchvision(Backbone::Resnet18, "timm/resnet18.tv_in1k", 512, 11_176_512, 69.752)
    },
    Member {
        build: || resnet(false, [3, 4, 6, 3]),
        init: |name, shape, stream| ending_in(".bn2.weight", name, shape, stream),
        ..torchvision(Backbone::Resnet34, "timm/resnet34.tv_in1k", 512, 21_284_672, 73.298)
    },
    torchvision(Backbone::Resnet50, "timm/resnet50.tv_in1k", 2048, 23_508_032, 76.156),
    Member {
        build: || resnet(true, [3, 4, 23, 3]),
        ..torchvision(Backbone::Resnet101, "timm/resnet101.tv_in1k", 2048, 42_500_160, 77.404)
    },
    Member {
        build: || resnet(true, [3, 8, 36, 3]),
        ..torchvision(Backbone::Resnet152, "timm/resnet152.tv_in1k", 2048, 58_143_808, 78.33)
    },
];

/// A member, built as ResNet-50 is.
const fn torchvision(backbone: Backbone, name: &'static str, features: usize, parameters: usize, top1: f32) -> Member {
    let weights = Weights {
        name,
        revision: "main",
        file: "model.safetensors",
        licence: "BSD-3-Clause",
        top1: Some(top1),
        preprocess: IMAGENET,
        features,
        parameters,
        paper: "Deep Residual Learning for Image Recognition, arXiv:1512.03385",
    };
    let build = || resnet(true, [3, 4, 6, 3]);
    let init: Init = |name, shape, stream| ending_in(".bn3.weight", name, shape, stream);
    Member { backbone, also: &[], weights, classifier: "fc.", embedded: None, build, init }
}

/// The scale of the last norm of a residual branch starts at 0 (Goyal et al. 2017, torchvision's `zero_init_residual`): with
/// statistics that are fixed and not measured, every block would else double the variance, until all logits are infinite for
/// practical purposes.
fn ending_in(last: &str, name: &str, shape: &[usize], stream: &mut Stream) -> Vec<f32> {
    if name.starts_with("layer") && name.ends_with(last) {
        return init::zeros(shape);
    }
    init::convolutional(name, shape, stream)
}

/// Builds the body: basic blocks or bottlenecks, so many in each stage.
///
/// What trains in phase 2 is, in ResNet-50, what Keras' last 50 layers are: `layer3.4` from its second convolution on,
/// `layer3.5` and `layer4`. In the deeper ones likewise: the last block of `layer3`, the one before it from its second
/// convolution on, and `layer4`. In ResNet-18 and -34, whose blocks are twice as long in proportion: the last block of `layer3` and `layer4`.
fn resnet(bottleneck: bool, blocks: [usize; 4]) -> Network {
    let mut program = Program::default();
    let stem = Conv { act: Activation::Relu, ..convolution("conv1", "bn1", (3, 64), 7, 2) };
    let stem = program.conv(0, stem);
    let mut x = program.max_pool(stem, 3, 2, 1);
    let mut stages = vec![NetworkStage::new("stem", &program)];
    let mut in_c = 64;
    let (mut upper, mut upper_trainable) = (0, 0);
    for (stage, &count) in blocks.iter().enumerate() {
        let width = 64 << stage;
        let out_c = if bottleneck { 4 * width } else { width };
        for block in 0..count {
            let first_upper = if bottleneck { count - 2 } else { count - 1 };
            if stage == 2 && block == first_upper {
                upper = program.steps.len();
                upper_trainable = upper + usize::from(bottleneck);
            }
            let name = format!("layer{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            // Kernel, stride and channels of each convolution of the block.
            let shapes = if bottleneck {
                vec![(1, 1, in_c, width), (3, stride, width, width), (1, 1, width, out_c)]
            } else {
                vec![(3, stride, in_c, width), (3, 1, width, width)]
            };
            let last = shapes.len() - 1;
            let mut y = x;
            for (index, (kernel, stride, from, to)) in shapes.into_iter().enumerate() {
                let conv = format!("{name}.conv{}", index + 1);
                let step = convolution(&conv, &format!("{name}.bn{}", index + 1), (from, to), kernel, stride);
                let mut residual = None;
                if index == last {
                    // The shortcut comes just before the convolution that it is added to: nothing else need wait for it.
                    residual = Some(x);
                    if block == 0 && (in_c != out_c || stage > 0) {
                        let (conv, norm) = (format!("{name}.downsample.0"), format!("{name}.downsample.1"));
                        let stride = if stage > 0 { 2 } else { 1 };
                        residual = Some(program.conv(x, convolution(&conv, &norm, (in_c, out_c), 1, stride)));
                    }
                }
                y = program.add(Conv { act: Activation::Relu, ..step }, y, residual);
            }
            x = y;
            in_c = out_c;
        }
        stages.push(NetworkStage::new(&format!("layer{}", stage + 1), &program));
    }
    let maps = program.steps.len();
    program.average_pool(x);
    Network { program, maps, stages, upper, upper_trainable, features: in_c }
}

fn convolution(name: &str, norm: &str, channels: (usize, usize), kernel: usize, stride: usize) -> Conv {
    Conv::new(name, channels, kernel, stride).with_norm(norm, 1e-5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_two_of_resnet50_is_keras_last_fifty_layers() {
        let network = resnet(true, [3, 4, 6, 3]);
        assert_eq!(network.parameters(network.upper_trainable), 16_936_448);
        let names = network.trainable(network.upper_trainable);
        assert_eq!(names.len(), 45);
        assert!(names.iter().all(|name| {
            name.starts_with("layer4.")
                || name.starts_with("layer3.5.")
                || ["conv2", "bn2", "conv3", "bn3"].iter().any(|part| name.starts_with(&format!("layer3.4.{part}.")))
        }));
    }
}
