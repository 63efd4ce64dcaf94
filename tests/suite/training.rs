//! Training as a whole, on drawn flowers: it learns, it repeats itself, it goes on where it was.

use std::ops::ControlFlow;
use std::path::Path;

use petal::config::{AugmentConfig, Backbone, Config, PhaseConfig, Source, WeightsFrom};
use petal::data::{Dataset, Split, Splits};
use petal::learner::Learner;
use petal::project::{DeviceChoice, Project};
use petal::train::{Ended, Event, Phase};
use petal::{ErrorKind, files};

/// A project with drawn flowers, split.
fn flowers(root: &Path, config: &Config) -> (Project, Splits) {
    let project = Project::open_on(root, DeviceChoice::Cpu).unwrap();
    let splits = Dataset::fetch(&project, config).unwrap().split(&project, config).unwrap();
    (project, splits)
}

fn small() -> Config {
    let epochs = |epochs, learning_rate| PhaseConfig { epochs, patience: 9, learning_rate };
    Config {
        source: Source::Synthetic { per_class: 12 },
        backbone: Backbone::EfficientnetLite0,
        weights: WeightsFrom::Embedded,
        image_size: 64,
        batch_size: 8,
        head: epochs(3, 1e-3),
        fine_tune: epochs(2, 1e-4),
        baseline: epochs(2, 1e-3),
        ..Config::demo()
    }
}

/// Trains both phases; stops once after `stop_after` steps, and goes on with a new learner, as after a restart.
fn train(project: &Project, splits: &Splits, config: &Config, stop_after: Option<usize>) -> Learner {
    let mut learner = Learner::new(project, splits, config).unwrap();
    let mut steps = 0;
    let mut stopped = stop_after.is_none();
    for phase in [Phase::head(config), Phase::fine_tune(config)] {
        loop {
            let mut observe = |event: &Event| {
                steps += usize::from(matches!(event, Event::Step { .. }));
                if !stopped && Some(steps) == stop_after {
                    stopped = true;
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            match learner.fit_with(&phase, &mut observe).unwrap().ended {
                Ended::Stopped => learner = Learner::new(project, splits, config).unwrap(),
                _ => break,
            }
        }
    }
    assert!(stopped, "the training was too short to be stopped");
    learner
}

fn bytes_of(learner: &Learner) -> Vec<u8> {
    files::read(&learner.run().best()).unwrap()
}

/// Everything in the history but the seconds.
fn numbers(learner: &Learner) -> Vec<String> {
    let history = learner.history().unwrap();
    let without_time = |mut epoch: petal::train::Epoch| {
        epoch.seconds = 0.0;
        format!("{epoch:?}")
    };
    history.epochs.into_iter().map(without_time).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_stopped_or_not_cached_or_not_with_one_thread_or_two() {
    let config = small();
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let run = |index: usize, config: &Config, stop: Option<usize>| {
        let (project, splits) = flowers(folders[index].path(), config);
        let learner = train(&project, &splits, config, stop);
        (bytes_of(&learner), numbers(&learner))
    };
    let whole = run(0, &config, None);
    // 50 training photos are 7 steps an epoch: after 8 steps the head's second epoch is under way, after 24 fine-tuning.
    assert!(whole == run(1, &config, Some(8)), "stopped in the head's phase");
    assert!(whole == run(2, &Config { cache: false, ..config.clone() }, Some(24)), "no cache, stopped in fine-tuning");
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert!(whole == one.install(|| run(3, &config, None)), "one thread");
}

#[test]
fn a_finished_phase_is_not_trained_again_and_reset_trains_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { fine_tune: PhaseConfig { epochs: 1, ..small().fine_tune }, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = train(&project, &splits, &config, None);
    let before = (bytes_of(&learner), numbers(&learner));
    let again = learner.fit_with(&Phase::head(&config), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(again.ended, Ended::Before);
    // Another learner of the same settings finds everything.
    let other = Learner::new(&project, &splits, &config).unwrap();
    assert_eq!(numbers(&other), before.1);
    let (a, b) = (learner.evaluate(Split::Test).unwrap(), other.evaluate(Split::Test).unwrap());
    assert_eq!(a.predictions, b.predictions);

    learner.reset().unwrap();
    assert!(learner.history().unwrap().epochs.is_empty());
    assert_eq!(learner.evaluate(Split::Test).unwrap_err().kind(), ErrorKind::Config);
    let learner = train(&project, &splits, &config, None);
    assert!((bytes_of(&learner), numbers(&learner)) == before);
}

#[test]
fn fine_tuning_waits_for_the_head() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let error = learner.fit(&Phase::fine_tune(&config)).unwrap_err();
    assert!(error.what().contains("head's phase is not finished"), "{error}");
}

#[test]
fn a_second_phase_that_gets_worse_leaves_the_best_model_alone() {
    let folder = tempfile::tempdir().unwrap();
    // A learning rate that ruins whatever it touches.
    let ruin = PhaseConfig { epochs: 2, patience: 9, learning_rate: 1.0 };
    let config = Config { fine_tune: ruin, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let quiet = &mut |_: &Event| ControlFlow::Continue(());
    learner.fit_with(&Phase::head(&config), quiet).unwrap();
    let before = learner.evaluate(Split::Val).unwrap();
    match learner.fit_with(&Phase::fine_tune(&config), quiet) {
        Ok(fitted) => {
            let best = fitted.history.best().unwrap();
            assert_eq!(best.phase, "head");
            assert_eq!(learner.evaluate(Split::Val).unwrap().predictions, before.predictions);
        }
        // It may also go so wrong that a number is no longer finite: then the phase ends with the photos' names.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Diverged);
            let again = Learner::new(&project, &splits, &config).unwrap();
            assert_eq!(again.evaluate(Split::Val).unwrap().predictions, before.predictions);
        }
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_the_phase_and_names_the_photos() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let head = learner.model().params().get("head.linear1.weight").unwrap().var.clone();
    let mut spoil = |event: &Event| {
        if matches!(event, Event::Epoch { .. }) {
            head.set(&(head.as_tensor() * f64::NAN).unwrap()).unwrap();
        }
        ControlFlow::Continue(())
    };
    let error = learner.fit_with(&Phase::head(&config), &mut spoil).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(error.what().contains(".jpg") && error.what().contains("epoch 2"), "{error}");
    // The first epoch is on the disk, whole.
    let again = Learner::new(&project, &splits, &config).unwrap();
    assert_eq!(again.history().unwrap().epochs.len(), 1);
}

#[test]
fn the_stop_file_stops_after_a_step_and_the_next_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let stop_file = learner.run().stop_file();
    let mut steps = 0;
    let mut ask = |event: &Event| {
        if matches!(event, Event::Step { .. }) {
            steps += 1;
            if steps == 2 {
                std::fs::write(&stop_file, "").unwrap();
            }
        }
        ControlFlow::Continue(())
    };
    let phase = Phase::head(&config);
    assert_eq!(learner.fit_with(&phase, &mut ask).unwrap().ended, Ended::Stopped);
    assert!(!stop_file.exists(), "the request is taken back");
    let mut resumed_at = None;
    let mut look = |event: &Event| {
        if let Event::Begin { epochs, steps, .. } = event {
            resumed_at = Some((*epochs, *steps));
        }
        ControlFlow::Continue(())
    };
    assert!(matches!(learner.fit_with(&phase, &mut look).unwrap().ended, Ended::Finished(_)));
    assert_eq!(resumed_at, Some((0, 2)));
}

#[test]
fn the_baseline_learns_the_drawn_flowers() {
    let folder = tempfile::tempdir().unwrap();
    // Fifty pictures that stay as they are can be learned by heart; chance is a loss of ln 5 = 1.61.
    let baseline = PhaseConfig { epochs: 24, patience: 24, ..small().baseline };
    let config = Config { baseline, augment: AugmentConfig::NONE, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::baseline(&project, &splits, &config).unwrap();
    learner.fit_with(&Phase::baseline(&config), &mut |_| ControlFlow::Continue(())).unwrap();
    let last = learner.history().unwrap().epochs.pop().unwrap();
    assert!(last.train_loss < 0.5 && last.train_accuracy > 0.8, "{last:?}");
}
