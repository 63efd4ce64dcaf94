//! What a family of networks owes a training, from random weights and with every layer: it learns pictures by heart, it goes on where it was stopped, with the
//! same bytes on one thread, and it keeps near itself in bf16.

use candle_core::{Device, Tensor};
use petal::Seed;
use petal::config::{AugmentConfig, Backbone, Config, Layers, OptimizerKind, PhaseConfig, Precision, WeightsFrom};
use petal::models::{Architecture, Cut, Model};
use petal::train::{AtCut, Phase, Steps};

use crate::formulas::images;
use crate::support::small;
use crate::training::repeats_itself;

/// A test of both for each network: `families::convnext_atto::learns_pictures_by_heart`, say.
macro_rules! families {
    ($($name:ident: $backbone:expr, $side:expr, $learning_rate:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn learns_pictures_by_heart() {
                by_heart($backbone, $side, $learning_rate);
            }

            #[test]
            fn is_stopped_cached_and_threaded_to_the_same_bytes() {
                for precision in [Precision::F32, Precision::Bf16] {
                    repeats($backbone, precision, $learning_rate);
                }
            }
        }
    )*};
}

families! {
    convnext_atto: Backbone::ConvnextAtto, 32, 1e-4;
}

const CLASSES: usize = 4;

/// 32 pictures that have nothing in common, in one batch: chance is a loss of ln 4 = 1.39.
fn by_heart(backbone: Backbone, side: usize, learning_rate: f64) {
    let architecture = Architecture::Transfer { backbone, hidden: 64, dropout: 0.0, classes: CLASSES };
    let model = Model::new(&architecture, Seed(3), &Device::Cpu).unwrap();
    let config = PhaseConfig { optimizer: OptimizerKind::AdamW, ..PhaseConfig::new(1, 1, learning_rate) };
    let phase = Phase::new("all", Cut::Images, config);
    let targets: Vec<u32> = (0..32).map(|picture| picture % CLASSES as u32).collect();
    let (targets, picks) = (Tensor::new(targets, &Device::Cpu).unwrap(), (0..32).collect::<Vec<usize>>());
    let batch = AtCut::new(images(&picks, side, side), targets, picks);
    let mut steps = Steps::new(&model, &phase, Seed(3), STEPS).unwrap();
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let taken = steps.take(0, step, batch.clone()).unwrap();
        losses.push(taken.loss);
        if taken.correct == 32 && taken.loss < 0.1 {
            println!("{backbone}: all 32 after {step} steps");
            return;
        }
    }
    panic!("{backbone} has not learned 32 pictures in {STEPS} steps: {losses:?}");
}

/// The most steps that it may take.
const STEPS: usize = 150;

fn repeats(backbone: Backbone, precision: Precision, learning_rate: f64) {
    let phase = |layers| PhaseConfig { layers, ..PhaseConfig::new(1, 9, learning_rate) };
    let config = Config {
        backbone,
        weights: WeightsFrom::Random,
        precision,
        image_size: 48,
        head: phase(Layers::default()),
        fine_tune: phase(Layers::All),
        augment: AugmentConfig::default(),
        ..small()
    };
    let folder = tempfile::tempdir().unwrap();
    repeats_itself(folder.path(), &config, &[7], 3);
}
