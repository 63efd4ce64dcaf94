//! Networks that multiply in bf16: near those in f32, and as repeatable.

use candle_core::{Device, Tensor};
use petal::config::{Backbone, Config, Layers, PhaseConfig, Precision};
use petal::models::{Architecture, Cut, Model, Ops};
use petal::nn::loss;
use petal::train::Phase;
use petal::{ErrorKind, Seed, export};

use crate::formulas::{distance, images};
use crate::support::{flowers, small};
use crate::training::{numbers, repeats_itself, train};

fn narrow() -> Config {
    let fine_tune = PhaseConfig { layers: Layers::All, ..PhaseConfig::new(1, 9, 2e-4) };
    Config { image_size: 48, precision: Precision::Bf16, head: PhaseConfig::new(1, 9, 1e-3), fine_tune, ..small() }
}

#[test]
fn in_bf16_too_it_is_stopped_cached_and_threaded_to_the_same_bytes() {
    let all = tempfile::tempdir().unwrap();
    let config = narrow();
    let whole = repeats_itself(all.path(), &config, &[9], 3);

    // In f32 it is another run, on the same folder and cache, with numbers of its own.
    let wide = Config { precision: Precision::F32, ..config.clone() };
    let (project, splits) = flowers(&all.path().join("whole"), &wide);
    let other = train(&project, &splits, &wide, None);
    assert_ne!(other.run().folder, whole.run().folder);
    assert_ne!(numbers(&other), numbers(&whole));

    // The model file says it, and asks as it trained; what is at its default is not written.
    let (model, info) = export::load(&whole.run().best(), &Device::Cpu).unwrap();
    assert_eq!((model.precision(), info.precision), (Precision::Bf16, Precision::Bf16));
    let images = images(&[0, 1, 2], 48, 48);
    let (loaded, own) = (model.logits(&images).unwrap(), whole.model().logits(&images).unwrap());
    assert_eq!(loaded.to_vec2::<f32>().unwrap(), own.to_vec2::<f32>().unwrap());
    assert_eq!(export::info(&other.run().best()).unwrap().precision, Precision::F32);
    assert!(!wide.to_toml().contains("precision") && config.to_toml().contains("precision = \"bf16\""));
    assert_eq!(Config::from_toml(&config.to_toml()).unwrap(), config);
}

fn architecture(backbone: Backbone) -> Architecture {
    Architecture::Transfer { backbone, hidden: 32, dropout: 0.0, classes: 5 }
}

fn model(architecture: &Architecture, precision: Precision) -> Model {
    Model::new(architecture, Seed(1), &Device::Cpu).unwrap().in_precision(precision).unwrap()
}

#[test]
fn features_and_gradients_in_bf16_are_near_those_in_f32() {
    for (backbone, side, [features_apart, gradients_apart]) in [
        (Backbone::Resnet50, 96, [1e-2, 0.15]),
        (Backbone::Resnet18, 65, [1e-2, 0.15]),
        (Backbone::EfficientnetLite0, 96, [2e-2, 0.4]),
        (Backbone::ConvnextAtto, 65, [1e-2, 5e-2]),
        (Backbone::VitSmall16, 48, [2e-2, 0.15]),
    ] {
        let (architecture, images) = (architecture(backbone), images(&[0, 1, 2, 3], side, side));
        let [wide, narrow] = [Precision::F32, Precision::Bf16].map(|precision| model(&architecture, precision));
        let features = [&wide, &narrow].map(|model| model.before(&images, Cut::Features).unwrap());
        let apart = distance(&features[1], &features[0]);
        assert!(apart > 1e-5 && apart < features_apart, "{backbone}: features are {apart:e} apart");

        let targets = Tensor::new(&[0u32, 1, 2, 3], &Device::Cpu).unwrap();
        let gradients = [&wide, &narrow].map(|model| {
            let logits = model.after(&images, Cut::Images, None).unwrap();
            model.backward(&loss::cross_entropy(&logits, &targets).unwrap()).unwrap()
        });
        let vars = [&wide, &narrow].map(|model| model.trainable_vars(Cut::Images).unwrap());
        // Where numbers near 0 come out on its other side, a gradient takes another way: the more, the deeper a network with random weights is.
        // All of them as one: of a single bias, whose terms cancel, little more than the rounding may be left. The kernels' own tests are exact.
        let all = [0, 1].map(|i| {
            let flat =
                |(_, var): &(String, candle_core::Var)| gradients[i].get(var).unwrap().unwrap().flatten_all().unwrap();
            Tensor::cat(&vars[i].iter().map(flat).collect::<Vec<_>>(), 0).unwrap()
        });
        let apart = distance(&all[1], &all[0]);
        assert!(apart > 1e-5 && apart < gradients_apart, "{backbone}: gradients are {apart:e} apart");
    }
}

#[test]
fn what_candle_computes_stays_f32() {
    let lite0 = architecture(Backbone::EfficientnetLite0);
    let by_candle = Model::with_ops(&lite0, Seed(1), &Device::Cpu, Ops::Candle).unwrap();
    let error = by_candle.in_precision(Precision::Bf16).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.what().contains("precision is bf16"), "{error}");
    let text = "precision = \"f16\"";
    assert!(Config::from_toml(text).unwrap_err().what().contains("f16"));
    // The phases are the same ones: it is the run that differs.
    assert_eq!(
        Phase::upper(&narrow()).computes(),
        Phase::upper(&Config { precision: Precision::F32, ..narrow() }).computes()
    );
}
