//! EfficientNet-Lite2 with its published weights against timm (tests/fixtures/lite2_features.py), where `PETAL_LITE2_WEIGHTS` names the
//! file (`tf_efficientnet_lite2.in1k.f16.safetensors`).

use std::io::Write;
use std::path::PathBuf;

use candle_core::Device;
use petal::config::{Backbone, WeightsFrom};
use petal::models::{Architecture, Cut, Model, Ops, weights};
use petal::{Seed, Unheard};

use super::networks::TOLERANCE;
use crate::formulas::{distance, fixture, images};

#[test]
fn lite2_gives_the_features_that_timm_gives() {
    let Some(file) = std::env::var_os("PETAL_LITE2_WEIGHTS").map(PathBuf::from) else {
        let line = "skipped: EfficientNet-Lite2's features (PETAL_LITE2_WEIGHTS does not name its weights)";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    };
    let expected = fixture("lite2_features");
    let backbone = Backbone::EfficientnetLite2;
    let loaded = weights::load(backbone, &WeightsFrom::File(file), &Device::Cpu, "unused".as_ref(), &mut Unheard)
        .unwrap()
        .unwrap();
    let architecture = Architecture::Transfer { backbone, hidden: 8, dropout: 0.0, classes: 2 };
    for ops in [Ops::Kernels, Ops::Candle] {
        let model = Model::with_ops(&architecture, Seed(0), &Device::Cpu, ops).unwrap();
        weights::apply(&model, &loaded).unwrap();
        for (height, width) in [(97, 81), (260, 260)] {
            let features = model.before(&images(&[0, 1], height, width), Cut::Features).unwrap();
            let off = distance(&features, &expected[&format!("{height}x{width}")]);
            println!("{ops:?} at {height} × {width}: {off:.1e}");
            assert!(off < TOLERANCE, "{ops:?} at {height} × {width}: {off:e}");
        }
    }
}
