//! Training as a whole, on drawn flowers: it learns, it repeats itself, it goes on where it was.

use std::ops::ControlFlow;
use std::path::Path;

use petal::config::{AugmentConfig, Config, PhaseConfig};
use petal::data::{Split, Splits};
use petal::learner::Learner;
use petal::project::Project;
use petal::train::{Ended, Event, Phase};
use petal::{ErrorKind, files};

use crate::support::{flowers, small};

/// Trains both phases; stops once after `stop_after` steps, and goes on with a new learner, as after a restart.
pub(crate) fn train(project: &Project, splits: &Splits, config: &Config, stop_after: Option<usize>) -> Learner {
    let mut learner = Learner::new(project, splits, config).unwrap();
    let mut steps = 0;
    let mut stopped = stop_after.is_none();
    for phase in [Phase::head(config), Phase::upper(config)] {
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

/// A training of its own in `root`; the same numbers and bytes have to come of it where it is stopped after so many steps, without the cache, and,
/// stopped as well, on one thread.
pub(crate) fn repeats_itself(root: &Path, config: &Config, stops: &[usize], on_one_thread: usize) -> Learner {
    let learner = |name: &str, config: &Config, stop_after: Option<usize>| {
        let (project, splits) = flowers(&root.join(name), config);
        train(&project, &splits, config, stop_after)
    };
    let whole = learner("whole", config, None);
    let same = |other: &Learner, what: &str| {
        assert_eq!(numbers(other), numbers(&whole), "{what}");
        assert!(bytes_of(other) == bytes_of(&whole), "{what}");
    };
    for &stop in stops {
        let what = format!("stopped after {stop} steps");
        same(&learner(&what, config, Some(stop)), &what);
    }
    same(&learner("uncached", &Config { cache: false, ..config.clone() }, None), "uncached");
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one.install(|| same(&learner("one thread", config, Some(on_one_thread)), "one thread"));
    whole
}

pub(crate) fn bytes_of(learner: &Learner) -> Vec<u8> {
    files::read(&learner.run().best()).unwrap()
}

/// Everything in the history but the seconds.
pub(crate) fn numbers(learner: &Learner) -> Vec<String> {
    let history = learner.history().unwrap();
    let without_time = |mut epoch: petal::train::Epoch| {
        epoch.seconds = 0.0;
        format!("{epoch:?}")
    };
    history.epochs.into_iter().map(without_time).collect()
}

#[test]
fn a_second_phase_that_gets_worse_leaves_the_best_model_alone() {
    let folder = tempfile::tempdir().unwrap();
    // A learning rate that ruins whatever it touches.
    let ruin = PhaseConfig::new(2, 9, 1.0);
    let config = Config { fine_tune: ruin, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let quiet = &mut |_: &Event| ControlFlow::Continue(());
    learner.fit_with(&Phase::head(&config), quiet).unwrap();
    let before = learner.evaluate(Split::Val).unwrap();
    match learner.fit_with(&Phase::upper(&config), quiet) {
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
