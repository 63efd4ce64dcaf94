//! The networks that are compared with torchvision, timm and PyTorch (tests/fixtures/networks.py): one list, and each of it both ways
//! to compute.

use candle_core::Tensor;
use petal::config::Backbone;
use petal::models::{Architecture, Cut, Ops};

use super::networks::check;
use crate::formulas::{calm, lively};

pub(super) const CLASSES: usize = 5;

/// One network of the fixtures.
pub(super) struct Case {
    /// `networks_….safetensors`.
    pub(super) fixture: &'static str,
    pub(super) architecture: Architecture,
    /// Whether its backbone has the weights that come with petal; all other weights are by formula.
    pub(super) embedded: bool,
    /// Which formula: by name and shape.
    pub(super) formula: fn(&str, &[usize]) -> Tensor,
    /// Side of the images that gradients are taken on.
    pub(super) side: usize,
    /// What Adam trains in the fixture, how fast and how often.
    pub(super) trained: Cut,
    pub(super) learning_rate: f64,
    pub(super) steps: usize,
}

/// A test for each line and way: `parity::cases::resnet50_is_torchvisions::by_kernels`, say.
macro_rules! both_ways {
    ($($name:ident: $case:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn by_kernels() {
                check(&$case, Ops::Kernels);
            }

            #[test]
            fn by_candles_operations() {
                check(&$case, Ops::Candle);
            }
        }
    )*};
}

both_ways! {
    baseline_is_pytorchs: baseline(45);
    resnet18_is_torchvisions: transfer("resnet18", Backbone::Resnet18);
    resnet50_is_torchvisions: transfer("resnet50", Backbone::Resnet50);
    lite0_is_timms: embedded("lite0", Backbone::EfficientnetLite0);
    lite1_is_timms: transfer("lite1", Backbone::EfficientnetLite1);
    lite3_is_timms: transfer("lite3", Backbone::EfficientnetLite3);
    lite4_is_timms: transfer("lite4", Backbone::EfficientnetLite4);
    b0_is_timms: transfer("b0", Backbone::EfficientnetB0);
    b2_is_timms: transfer("b2", Backbone::EfficientnetB2);
    mobilenetv3_is_timms: transfer("mobilenetv3", Backbone::Mobilenetv3Large);
    vits16_is_timms: transfer("vits16", Backbone::VitSmall16);
    dinov2s14_is_timms: transfer("dinov2s14", Backbone::Dinov2Small14);
    dinov2s14reg4_is_timms: transfer("dinov2s14reg4", Backbone::Dinov2Small14Reg4);
    mobilenetv4_is_timms: transfer("mobilenetv4", Backbone::Mobilenetv4ConvMedium);
    convnext_atto_is_timms: normed("convnext_atto", Backbone::ConvnextAtto);
    convnext_tiny_is_timms: normed("convnext_tiny", Backbone::ConvnextTiny);
}

/// A backbone with weights by formula, below petal's head.
pub(super) fn transfer(fixture: &'static str, backbone: Backbone) -> Case {
    let architecture = Architecture::Transfer { backbone, hidden: 256, dropout: 0.3, classes: CLASSES };
    let (embedded, side, trained) = (false, 33, Cut::Upper);
    Case { fixture, architecture, embedded, formula: lively, side, trained, learning_rate: 1e-5, steps: 1 }
}

/// The same for one with layer norms.
pub(super) fn normed(fixture: &'static str, backbone: Backbone) -> Case {
    Case { formula: calm, ..transfer(fixture, backbone) }
}

/// The same with the weights that come with petal.
pub(super) fn embedded(fixture: &'static str, backbone: Backbone) -> Case {
    Case { embedded: true, ..transfer(fixture, backbone) }
}

/// The small network that trains from scratch; its size is that of its images.
pub(super) fn baseline(side: usize) -> Case {
    let architecture = Architecture::Baseline { classes: CLASSES, image_size: side };
    let (fixture, embedded, trained) = ("baseline", false, Cut::Images);
    Case { fixture, architecture, embedded, formula: lively, side, trained, learning_rate: 1e-3, steps: 5 }
}

impl Case {
    /// Whether it has a pretrained backbone, which takes images of any size, and can be cut in three places.
    pub(super) fn is_transfer(&self) -> bool {
        matches!(self.architecture, Architecture::Transfer { .. })
    }

    /// Where it can be cut.
    pub(super) fn cuts(&self) -> &'static [Cut] {
        if self.is_transfer() { &[Cut::Images, Cut::Upper, Cut::Features] } else { &[Cut::Images] }
    }
}
