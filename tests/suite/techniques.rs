//! Techniques of a phase's settings in whole trainings: repeatable to the byte, part of a run's identity, and doing what they say.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use petal::config::{
    AugmentConfig, Balance, Config, Layers, Method, OptimizerKind, PhaseConfig, Schedule, Source, Watch,
};
use petal::data::Split;
use petal::learner::{Kind, Learner};
use petal::models::{Architecture, Cut, Model};
use petal::train::{AtCut, Ended, Phase, Steps};
use petal::{ErrorKind, Seed};

use crate::support::{flowers, small};
use crate::training::{bytes_of, repeats_itself};

/// Settings in which every technique is at work in one phase or the other.
fn everything() -> Config {
    let head = PhaseConfig {
        schedule: Schedule::Cosine,
        optimizer: OptimizerKind::AdamW,
        weight_decay: 0.05,
        clip: 0.5,
        label_smoothing: 0.1,
        mixup: 0.4,
        ema: 0.9,
        accumulate: 2,
        size: 32,
        ..PhaseConfig::new(2, 9, 3e-3)
    };
    let fine_tune = PhaseConfig {
        schedule: Schedule::OneCycle,
        optimizer: OptimizerKind::Sgd,
        weight_decay: 1e-4,
        layer_decay: 0.7,
        size: 49,
        gradual: 0.5,
        mixup: 0.2,
        cutmix: 1.0,
        ema: 0.8,
        watch: Watch::Accuracy,
        ..PhaseConfig::new(2, 9, 1e-3)
    };
    let augment = AugmentConfig { crop: 0.4, trivial: true, erase: 0.3, ..AugmentConfig::default() };
    Config { image_size: 40, head, fine_tune, augment, balance: Balance::Weights, ..small() }
}

#[test]
fn f77_all_techniques_at_once_are_stopped_cached_and_threaded_to_the_same_bytes() {
    let all = tempfile::tempdir().unwrap();
    let whole = repeats_itself(all.path(), &everything(), &[7, 18], 11);
    // What is kept are means of the weights.
    let checkpoint = whole.run().load(&Device::Cpu).unwrap();
    assert!(checkpoint.recipe.keys().all(|name| name.starts_with("ema.")) && !checkpoint.recipe.is_empty());
    assert!(checkpoint.moments.keys().all(|name| name.starts_with("velocity.")));
}

#[test]
fn f77_sampling_and_all_layers_are_stopped_and_cached_to_the_same_bytes() {
    let all = tempfile::tempdir().unwrap();
    let fine_tune =
        PhaseConfig { layers: Layers::All, schedule: Schedule::Cosine, size: 45, ..PhaseConfig::new(1, 9, 2e-4) };
    let head = PhaseConfig { epochs: 1, ..small().head };
    let config = Config { image_size: 32, head, fine_tune, balance: Balance::Sampling, ..small() };
    let whole = repeats_itself(all.path(), &config, &[9], 9);
    let trained = whole.run().load(&Device::Cpu).unwrap().model;
    assert!(trained.contains_key("backbone.conv_stem.weight"), "all layers train");
}

#[test]
fn each_technique_is_another_run_and_none_leaves_names_and_files_as_they_were() {
    let plain = Config::seed();
    let computes = |fine_tune: PhaseConfig| Phase::upper(&Config { fine_tune, ..plain.clone() }).computes();
    let base = plain.fine_tune;
    assert_eq!(computes(base).into_keys().collect::<Vec<_>>(), ["cut", "learning_rate"]);
    let text = plain.to_toml();
    for key in ["balance", "schedule", "optimizer", "layers", "method", "label_smoothing", "ema", "erase", "momentum"] {
        assert!(!text.contains(key), "{key} is written though it is at its default");
    }
    let mut seen = vec![computes(base)];
    for changed in [
        PhaseConfig { schedule: Schedule::Cosine, ..base },
        PhaseConfig { schedule: Schedule::Cosine, warm_up: 0.2, ..base },
        PhaseConfig { schedule: Schedule::Cosine, epochs: 11, ..base },
        PhaseConfig { schedule: Schedule::OneCycle, ..base },
        PhaseConfig { optimizer: OptimizerKind::AdamW, ..base },
        PhaseConfig { optimizer: OptimizerKind::AdamW, weight_decay: 0.01, ..base },
        PhaseConfig { optimizer: OptimizerKind::Sgd, ..base },
        PhaseConfig { optimizer: OptimizerKind::Sgd, momentum: 0.8, ..base },
        PhaseConfig { layers: Layers::All, ..base },
        PhaseConfig { layer_decay: 0.8, ..base },
        PhaseConfig { gradual: 0.5, ..base },
        PhaseConfig { gradual: 0.5, epochs: 11, ..base },
        PhaseConfig { clip: 1.0, ..base },
        PhaseConfig { label_smoothing: 0.1, ..base },
        PhaseConfig { mixup: 0.2, ..base },
        PhaseConfig { cutmix: 1.0, ..base },
        PhaseConfig { ema: 0.99, ..base },
        PhaseConfig { watch: Watch::Accuracy, ..base },
        PhaseConfig { accumulate: 4, ..base },
        PhaseConfig { size: 192, ..base },
    ] {
        let computes = computes(changed);
        assert!(!seen.contains(&computes), "{changed:?}");
        seen.push(computes);
        let config = Config { fine_tune: changed, ..plain.clone() };
        assert_eq!(Config::from_toml(&config.to_toml()).unwrap(), config);
        assert_eq!(Phase::upper(&config).settings(), changed);
    }
    // What only says how long to go on is no part of it, and what another optimizer would read is none either.
    assert_eq!(computes(PhaseConfig { epochs: 3, patience: 1, momentum: 0.5, warm_up: 0.3, ..base }), seen[0]);
}

#[test]
fn evened_out_classes_are_a_run_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let run = |balance| {
        let config = Config { balance, ..config.clone() };
        Learner::in_run(&project, &splits, &config, Kind::Transfer, None).unwrap().run().clone()
    };
    let [none, weights, sampling] = [Balance::None, Balance::Weights, Balance::Sampling].map(run);
    assert!(!none.made_with.contains_key("balance"));
    assert_eq!(
        (&weights.made_with["balance"][..], &sampling.made_with["balance"][..]),
        ("\"weights\"", "\"sampling\"")
    );
    assert!(none.folder != weights.folder && weights.folder != sampling.folder);
}

#[test]
fn a_batch_in_parts_has_the_gradients_of_the_whole() {
    let architecture = Architecture::Baseline { classes: 3, image_size: 22 };
    let losses = |accumulate: usize, weights: Option<[f32; 3]>| {
        let model = Model::new(&architecture, Seed(5), &Device::Cpu).unwrap();
        let settings = PhaseConfig { accumulate, optimizer: OptimizerKind::Sgd, ..PhaseConfig::new(1, 1, 0.05) };
        let phase = Phase::new("all", Cut::Images, settings);
        let values = Tensor::arange(0f32, 7.0 * 3.0 * 22.0 * 22.0, &Device::Cpu).unwrap();
        let values = values.sin().unwrap().reshape((7, 3, 22, 22)).unwrap().to_dtype(DType::F32).unwrap();
        let batch = AtCut::new(values, Tensor::new(&[0u32, 1, 2, 2, 1, 0, 0], &Device::Cpu).unwrap(), (0..7).collect());
        let batch = weights.map_or(batch.clone(), |weights| batch.weighted(&weights).unwrap());
        let mut steps = Steps::new(&model, &phase, Seed(1), 4).unwrap();
        (0..4).map(|step| steps.take(0, step, batch.clone()).unwrap().loss).collect::<Vec<f64>>()
    };
    for weights in [None, Some([0.5, 1.0, 4.0])] {
        let whole = losses(1, weights);
        assert!(whole[3] < whole[0]);
        for parts in [2, 3, 7, 50] {
            for (got, expected) in losses(parts, weights).iter().zip(&whole) {
                assert!((got - expected).abs() < 1e-5, "{parts} parts: {got} {expected}");
            }
        }
    }
}

#[test]
fn stages_are_counted_from_the_head_down() {
    let backbone = petal::config::Backbone::EfficientnetLite0;
    let architecture = Architecture::Transfer { backbone, hidden: 4, dropout: 0.0, classes: 2 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let depths = model.depths(Cut::Images).unwrap();
    let names = model.trainable(Cut::Images);
    let depth = |name: &str| depths[names.iter().position(|other| other == name).unwrap()];
    for (name, expected) in [
        ("head.linear1.weight", 0),
        ("backbone.conv_head.weight", 1),
        ("backbone.bn2.weight", 1),
        ("backbone.blocks.6.0.conv_pw.weight", 2),
        ("backbone.blocks.0.0.bn1.bias", 8),
        ("backbone.conv_stem.weight", 9),
        ("backbone.bn1.weight", 9),
    ] {
        assert_eq!(depth(name), expected, "{name}");
    }
}

#[test]
fn gradual_unfreezing_moves_a_stage_when_its_time_has_come_and_not_before() {
    let backbone = petal::config::Backbone::EfficientnetLite0;
    let architecture = Architecture::Transfer { backbone, hidden: 4, dropout: 0.0, classes: 2 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let phase = Phase::new("all", Cut::Images, PhaseConfig { gradual: 0.5, ..PhaseConfig::new(1, 1, 1e-3) });
    let (names, depths) = (model.trainable(Cut::Images), model.depths(Cut::Images).unwrap());
    let values = || -> Vec<Vec<f32>> {
        let vars = model.trainable_vars(Cut::Images).unwrap();
        vars.iter().map(|(_, var)| var.flatten_all().unwrap().to_vec1().unwrap()).collect()
    };
    let images = Tensor::rand(0f32, 1.0, (2, 3, 32, 32), &Device::Cpu).unwrap();
    let batch = AtCut::new(images, Tensor::new(&[0u32, 1], &Device::Cpu).unwrap(), vec![0, 1]);
    // Nine stages below the head in half of 18 steps: one more in each step.
    let mut steps = Steps::new(&model, &phase, Seed(1), 18).unwrap();
    for step in 0..11 {
        let before = values();
        steps.take(0, step, batch.clone()).unwrap();
        for ((name, depth), (before, after)) in names.iter().zip(&depths).zip(before.iter().zip(values())) {
            assert!(*depth <= step || *before == after, "{name}, {depth} below the head, has moved in step {step}");
            assert!(*depth > step || *before != after || name.contains("bias"), "{name} has not moved in step {step}");
        }
    }
}

#[test]
fn the_head_is_solved_for_found_again_and_serves_as_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let head = PhaseConfig { method: Method::Instant, ..small().head };
    let fine_tune = PhaseConfig { epochs: 1, ..small().fine_tune };
    let config = Config { source: Source::Synthetic { per_class: 20 }, head, fine_tune, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let fit =
        |learner: &mut Learner, phase: &Phase| learner.fit_with(phase, &mut |_| ControlFlow::Continue(())).unwrap();
    let fitted = fit(&mut learner, &Phase::head(&config));
    let Ended::Finished(reason) = &fitted.ended else { panic!("{:?}", fitted.ended) };
    assert!(reason.contains("solved with C") && reason.contains("10 nearest neighbours"), "{reason}");
    let epoch = fitted.history.best().unwrap();
    assert!(epoch.val_accuracy >= 0.5 && epoch.train_accuracy > 0.9, "{epoch:?}");
    assert_eq!(learner.evaluate(Split::Val).unwrap().accuracy().value, epoch.val_accuracy);
    learner.grad_cam(&learner.evaluate(Split::Val).unwrap().examples(1)).unwrap();

    // The same bytes again: in another place, without the cache, with one thread.
    let elsewhere = tempfile::tempdir().unwrap();
    let uncached = Config { cache: false, ..config.clone() };
    let (other_project, other_splits) = flowers(elsewhere.path(), &uncached);
    let mut other = Learner::new(&other_project, &other_splits, &uncached).unwrap();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one.install(|| fit(&mut other, &Phase::head(&config)));
    assert!(bytes_of(&other) == bytes_of(&learner));

    // The upper layers go on from it; it is found again, by its call as well.
    let fitted = fit(&mut learner, &Phase::upper(&config));
    assert_eq!(fitted.history.epochs.len(), 2);
    let instant = learner.instant();
    assert_eq!(fit(&mut learner, &instant).ended, Ended::Before);
    // Steps are another head, beside it.
    fit(&mut learner, &Phase::head(&Config { head: PhaseConfig { epochs: 1, ..small().head }, ..config.clone() }));
    assert_eq!(learner.history().unwrap().epochs.len(), 1);

    let mut narrow = config;
    narrow.classifier.hidden = 9;
    let mut learner = Learner::new(&project, &splits, &narrow).unwrap();
    let error = learner.fit_with(&Phase::head(&narrow), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.what().contains("at least 10"), "{error}");
}
