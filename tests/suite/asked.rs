//! A trained network is asked at another size, and about several views: without training again, and never mixed up with what was measured before.

use candle_core::{Device, Tensor};
use petal::config::{Backbone, Config, TestConfig, TestViews};
use petal::data::Split;
use petal::eval::Asked;
use petal::learner::{Learner, compare_runs};
use petal::models::{Architecture, Model, registry};
use petal::pixels::Preprocess;
use petal::{ErrorKind, Seed, export};

use crate::support::{flowers, small};
use crate::training::train;

const LITE0: Architecture =
    Architecture::Transfer { backbone: Backbone::EfficientnetLite0, hidden: 8, dropout: 0.0, classes: 3 };

/// torchvision's `TenCrop`, slice by slice: four corners and the middle, and all of them mirrored.
#[test]
fn ten_views_are_the_mean_over_ten_crops() {
    let model = Model::new(&LITE0, Seed(3), &Device::Cpu).unwrap();
    let preprocess = Preprocess { size: 35, ..registry::weights(Backbone::EfficientnetLite0).preprocess };
    let asked = |views| Asked::new(&model, &preprocess, &TestConfig { size: 0, views }).unwrap();
    let (one, ten) = (asked(TestViews::One), asked(TestViews::Crops));
    assert_eq!(
        (ten.preprocess().size, ten.preprocess().crop),
        (40, 1.0),
        "an eighth more than 35, and the whole photo"
    );
    let images = Tensor::rand(0f32, 1.0, (2, 3, 40, 40), &Device::Cpu).unwrap();
    let mut expected = vec![0.0; 6];
    for (top, left) in [(0, 0), (0, 5), (5, 0), (5, 5), (2, 2)] {
        for mirrored in [false, true] {
            let crop = images.narrow(2, top, 35).unwrap().narrow(3, left, 35).unwrap();
            let crop = crop.contiguous().unwrap();
            let crop = if mirrored { crop.flip(&[3]).unwrap() } else { crop };
            let told = one.probabilities(&crop).unwrap().concat();
            expected.iter_mut().zip(told).for_each(|(sum, told)| *sum += f64::from(told) / 10.0);
        }
    }
    for (got, expected) in ten.probabilities(&images).unwrap().concat().into_iter().zip(expected) {
        assert!((f64::from(got) - expected).abs() < 1e-6, "{got} {expected}");
    }
}

#[test]
fn asked_for_its_features_too_it_tells_the_same_bytes() {
    let model = Model::new(&LITE0, Seed(3), &Device::Cpu).unwrap();
    let preprocess = Preprocess { size: 35, ..registry::weights(Backbone::EfficientnetLite0).preprocess };
    let images = Tensor::rand(0f32, 1.0, (2, 3, 40, 40), &Device::Cpu).unwrap();
    for views in [TestViews::One, TestViews::Flip, TestViews::Crops] {
        let asked = || Asked::new(&model, &preprocess, &TestConfig { size: 0, views }).unwrap();
        let side = asked().preprocess().size;
        let images = images.narrow(2, 0, side).unwrap().narrow(3, 0, side).unwrap().contiguous().unwrap();
        let both = asked().with_features(&model).unwrap();
        assert_eq!(asked().probabilities(&images).unwrap(), both.probabilities(&images).unwrap());
        assert_eq!(both.told(&images).unwrap()[1].features.as_ref().unwrap().len(), 1280);
    }
}

#[test]
fn another_size_is_for_networks_that_take_any() {
    let preprocess = |size| Preprocess { size, ..registry::weights(Backbone::EfficientnetLite0).preprocess };
    let larger = TestConfig { size: 48, ..TestConfig::default() };
    let model = Model::new(&LITE0, Seed(3), &Device::Cpu).unwrap();
    assert_eq!(Asked::new(&model, &preprocess(32), &larger).unwrap().preprocess(), &preprocess(48));
    let baseline = Model::new(&Architecture::Baseline { classes: 3, image_size: 32 }, Seed(3), &Device::Cpu).unwrap();
    let refused = Asked::new(&baseline, &preprocess(32), &larger).unwrap_err();
    assert!(refused.kind() == ErrorKind::Config && refused.what().contains("test.size is 48"), "{refused}");
    let views = TestConfig { size: 32, views: TestViews::Flip };
    assert!(Asked::new(&baseline, &preprocess(32), &views).is_ok());
}

#[test]
fn asking_otherwise_trains_nothing_and_is_never_taken_for_what_was_measured_before() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = train(&project, &splits, &config, None);
    let name = learner.run().folder.file_name().unwrap().to_str().unwrap().to_owned();
    let plain = learner.evaluate(Split::Val).unwrap();
    learner.info_mut().test = TestConfig { size: 0, views: TestViews::Flip };
    let flipped = learner.evaluate(Split::Val).unwrap();
    assert_ne!(plain.predictions, flipped.predictions);
    assert_eq!((&plain.model[..], &flipped.model[..]), ("efficientnet-lite0", "efficientnet-lite0, 2 views"));
    // A model file keeps how it is asked, and an old one has nothing of it.
    let file = folder.path().join("model.safetensors");
    learner.save(&file).unwrap();
    assert_eq!(export::info(&file).unwrap().test.views, TestViews::Flip);
    assert_eq!(export::info(&learner.run().best()).unwrap().test, TestConfig::default());
    // The run's settings still say one view: what was measured with two is measured anew.
    let compared = compare_runs(&project, &[&name, &name], Split::Val).unwrap();
    assert_eq!(compared.evaluations[0].accuracy(), plain.accuracy());
    // With other settings it is the same run, and nothing is trained.
    let other = Config { test: TestConfig { size: 0, views: TestViews::Flip }, ..config };
    let again = Learner::new(&project, &splits, &other).unwrap();
    assert_eq!(again.run().folder, learner.run().folder);
    assert_eq!(again.evaluate(Split::Val).unwrap().predictions, flipped.predictions);
}
