//! Vision transformers (Dosovitskiy et al. 2020, <https://arxiv.org/abs/2010.11929>) with timm's names: ViT-Small/16 and ViT-Base/16, trained on
//! ImageNet-21k and ImageNet-1k, and DINOv2's, which learned from photos without labels, with and without registers.
//!
//! Photos of any size are seen whole: what is no whole number of patches gets a margin of zeros, the mean colour, on both sides.

use crate::base::config::Backbone;
use crate::kernels::Activation;
use crate::models::family::{Build, IMAGENET, Member, Weights};
use crate::models::init;
use crate::models::network::{Network, NetworkStage};
use crate::nn::program::{Conv, Pad, Program};
use crate::nn::steps::{Attention, ClassToken, LayerNorm, LayerScale, Tokens};
use crate::pixels::{Filter, Preprocess};

#[allow(non_upper_case_globals)]
impl Backbone {
    /// ViT-Small/16 (`vit-small16`).
    pub const VitSmall16: Self = Self::named("vit-small16");
    /// ViT-Base/16 (`vit-base16`).
    pub const VitBase16: Self = Self::named("vit-base16");
    /// DINOv2's ViT-Small/14 (`dinov2-small14`), made for 518 pixels.
    pub const Dinov2Small14: Self = Self::named("dinov2-small14");
    /// DINOv2's ViT-Base/14 (`dinov2-base14`), made for 518 pixels.
    pub const Dinov2Base14: Self = Self::named("dinov2-base14");
    /// The small one with four registers (`dinov2-small14-reg4`).
    pub const Dinov2Small14Reg4: Self = Self::named("dinov2-small14-reg4");
    /// The base one with four registers (`dinov2-base14-reg4`).
    pub const Dinov2Base14Reg4: Self = Self::named("dinov2-base14-reg4");
}

/// All of them, with the sets that timm loads by default.
pub(super) const MEMBERS: &[Member] = &[
    Member {
        also: &["vit_s_16"],
        ..member(
            Backbone::VitSmall16,
            weights(
                "timm/vit_small_patch16_224.augreg_in21k_ft_in1k",
                384,
                21_665_664,
                Some(81.402),
                AUGREG,
                HOW_TO_TRAIN,
            ),
            || vit(384, &VIT),
        )
    },
    Member {
        also: &["vit_b_16"],
        ..member(
            Backbone::VitBase16,
            weights(
                "timm/vit_base_patch16_224.augreg2_in21k_ft_in1k",
                768,
                85_798_656,
                Some(85.108),
                AUGREG,
                HOW_TO_TRAIN,
            ),
            || vit(768, &VIT),
        )
    },
    Member {
        also: &["dinov2_vits14"],
        ..member(
            Backbone::Dinov2Small14,
            weights("timm/vit_small_patch14_dinov2.lvd142m", 384, 22_056_192, None, DINO, DINOV2),
            || vit(384, &DINO_VIT),
        )
    },
    Member {
        also: &["dinov2_vitb14"],
        ..member(
            Backbone::Dinov2Base14,
            weights("timm/vit_base_patch14_dinov2.lvd142m", 768, 86_579_712, None, DINO, DINOV2),
            || vit(768, &DINO_VIT),
        )
    },
    Member {
        also: &["dinov2_vits14_reg"],
        ..member(
            Backbone::Dinov2Small14Reg4,
            weights("timm/vit_small_patch14_reg4_dinov2.lvd142m", 384, 22_057_344, None, DINO, REGISTERS),
            || vit(384, &DINO_REG4),
        )
    },
    Member {
        also: &["dinov2_vitb14_reg"],
        ..member(
            Backbone::Dinov2Base14Reg4,
            weights("timm/vit_base_patch14_reg4_dinov2.lvd142m", 768, 86_582_016, None, DINO, REGISTERS),
            || vit(768, &DINO_REG4),
        )
    },
];

const HOW_TO_TRAIN: &str =
    "How to train your ViT? Data, Augmentation, and Regularization in Vision Transformers, arXiv:2106.10270";
const DINOV2: &str = "DINOv2: Learning Robust Visual Features without Supervision, arXiv:2304.07193";
const REGISTERS: &str = "Vision Transformers Need Registers, arXiv:2309.16588";

const AUGREG: Preprocess = Preprocess { crop: 0.9, filter: Filter::Bicubic, mean: [0.5; 3], std: [0.5; 3], ..IMAGENET };
const DINO: Preprocess = Preprocess { size: 518, crop: 1.0, filter: Filter::Bicubic, ..IMAGENET };

const fn weights(
    name: &'static str,
    features: usize,
    parameters: usize,
    top1: Option<f32>,
    preprocess: Preprocess,
    paper: &'static str,
) -> Weights {
    Weights {
        name,
        revision: "main",
        file: "model.safetensors",
        licence: "Apache-2.0",
        top1,
        preprocess,
        features,
        parameters,
        paper,
    }
}

const fn member(backbone: Backbone, weights: Weights, build: Build) -> Member {
    Member { backbone, also: &[], weights, classifier: "head.", embedded: None, build, init: init::transformer }
}

/// What tells the networks from each other, but for their width.
struct Shape {
    /// Side of a patch, in pixels.
    patch: usize,
    /// Patches along a side of the photos that it was made for.
    grid: usize,
    registers: usize,
    class_has_place: bool,
    /// Whether each branch has a layer scale.
    scaled: bool,
}

const VIT: Shape = Shape { patch: 16, grid: 14, registers: 0, class_has_place: true, scaled: false };
const DINO_VIT: Shape = Shape { patch: 14, grid: 37, registers: 0, class_has_place: true, scaled: true };
const DINO_REG4: Shape = Shape { registers: 4, class_has_place: false, ..DINO_VIT };

const BLOCKS: usize = 12;

/// The blocks that train in phase 2, the last quarter, with the norm behind them: 26 of 107 layers as Keras would count them (of a block: norm, queries with
/// keys and values, attention, projection, sum, norm, two dense layers, sum), where the last 50 would be five blocks and a half.
const UPPER: usize = BLOCKS / 4;

const EPS: f64 = 1e-6;

/// Builds the body: tokens of patches, blocks of attention and of two dense layers, and the last norm of the class token.
///
/// What the last block makes of other tokens is read by nobody: behind its attention it goes on with the class token alone.
fn vit(width: usize, shape: &Shape) -> Network {
    let &Shape { patch, grid, registers, class_has_place, .. } = shape;
    let mut program = Program::default();
    let patches = Conv { pad: Pad::Same, ..Conv::new("patch_embed.proj", (3, width), patch, patch) };
    let x = program.conv(0, patches);
    let tokens = Tokens { channels: width, grid, registers, class_has_place };
    let mut x = program.add(tokens, x, None);
    let mut stages = vec![NetworkStage::new("tokens", &program)];
    let (mut upper, mut maps) = (0, 0);
    for block in 0..BLOCKS {
        if block == BLOCKS - UPPER {
            upper = program.steps.len();
        }
        if block + 1 == BLOCKS {
            maps = program.steps.len();
        }
        let part = |part: &str| format!("blocks.{block}.{part}");
        let mut y = program.add(norm(part("norm1"), width), x, None);
        y = program.conv(y, Conv::of_pixels(part("attn.qkv"), (width, 3 * width)));
        y = program.add(Attention { heads: width / 64 }, y, None);
        if block + 1 == BLOCKS {
            y = program.add(ClassToken, y, None);
            x = program.add(ClassToken, x, None);
        }
        let projection = Conv::of_pixels(part("attn.proj"), (width, width));
        x = branch(&mut program, projection, shape.scaled.then(|| part("ls1.gamma")), y, x);
        y = program.add(norm(part("norm2"), width), x, None);
        let wide = Conv { act: Activation::Gelu, ..Conv::of_pixels(part("mlp.fc1"), (width, 4 * width)) };
        y = program.conv(y, wide);
        let narrow = Conv::of_pixels(part("mlp.fc2"), (4 * width, width));
        x = branch(&mut program, narrow, shape.scaled.then(|| part("ls2.gamma")), y, x);
        if block + 1 == BLOCKS {
            program.add(norm("norm".into(), width), x, None);
        }
        stages.push(NetworkStage::new(&format!("blocks.{block}"), &program));
    }
    Network { program, maps, stages, upper, upper_trainable: upper, features: width }
}

fn norm(name: String, channels: usize) -> LayerNorm {
    LayerNorm { name, channels, eps: EPS }
}

/// The last layer of a branch, scaled by `gamma` where there is one, and the sum with what went by.
fn branch(program: &mut Program, layer: Conv, gamma: Option<String>, y: usize, x: usize) -> usize {
    let channels = layer.out_c;
    match gamma {
        None => program.add(layer, y, Some(x)),
        Some(name) => {
            let y = program.conv(y, layer);
            program.add(LayerScale { name, channels }, y, Some(x))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::program::Size;

    #[test]
    fn phase_two_trains_the_last_three_blocks_and_the_last_norm() {
        let network = vit(384, &DINO_REG4);
        let names = network.trainable(network.upper_trainable);
        let parts = ["blocks.9.", "blocks.10.", "blocks.11.", "norm."];
        assert!(parts.iter().all(|part| names.iter().any(|name| name.starts_with(part))));
        assert!(names.iter().all(|name| parts.iter().any(|part| name.starts_with(part))));
    }

    #[test]
    fn photos_are_seen_whole_whatever_their_size() {
        for (h, w, grid) in [(224, 224, 14 * 14), (97, 81, 7 * 6), (1, 17, 2)] {
            let sizes = vit(384, &VIT).program.sizes(Size { h, w, c: 3 });
            assert_eq!(sizes[2], Size { h: 1 + grid, w: 1, c: 384 }, "{h} × {w}");
            assert_eq!(sizes.last(), Some(&Size { h: 1, w: 1, c: 384 }));
        }
        let sizes = vit(384, &DINO_REG4).program.sizes(Size { h: 224, w: 224, c: 3 });
        assert_eq!(sizes[2].h, 1 + 4 + 16 * 16);
    }
}
