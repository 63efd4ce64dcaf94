//! F43: numbers that are not finite, and what is left then.

use std::fs;
use std::ops::ControlFlow;

use petal::config::{Config, PhaseConfig};
use petal::data::{Sample, Split, Splits};
use petal::learner::Learner;
use petal::models::{Cut, Model};
use petal::train::{Ended, Event, Phase};
use petal::{ErrorKind, files};

use super::ON;
use crate::support::{flowers, small};
use crate::training::{bytes_of, numbers};

/// The values of a tensor.
pub(super) fn values(model: &Model, name: &str) -> Vec<f32> {
    model.params().get(name).unwrap().var.flatten_all().unwrap().to_vec1().unwrap()
}

/// A handle to the model's head, which an observer can hold while the learner trains.
fn spoiler(learner: &Learner) -> impl Fn() + use<> {
    let head = learner.model().params().get("head.linear1.weight").unwrap().var.clone();
    move || head.set(&(head.as_tensor() * f64::NAN).unwrap()).unwrap()
}

#[test]
fn f43_a_loss_that_is_not_finite_ends_the_phase_and_leaves_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let spoil_head = spoiler(&learner);
    let mut in_training = |event: &Event| {
        if matches!(event, Event::Epoch { .. }) {
            spoil_head();
        }
        ON
    };
    let head = Phase::head(&config);
    let error = learner.fit_with(&head, &mut in_training).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Diverged, Some(learner.run().folder.as_path())));
    for words in ["training loss is NaN in step 1 of epoch 2, phase head, learning rate 0.001", ".jpg, "] {
        assert!(error.what().contains(words), "{words}: {error}");
    }
    // Eight photos a batch.
    assert_eq!(error.what().matches(".jpg").count(), 8);
    let saved = files::read(&learner.run().last()).unwrap();
    assert_eq!(learner.history().unwrap().epochs.len(), 1);

    // In validation alone: the epoch is not saved either.
    let spoil_head = spoiler(&learner);
    let mut in_validation = |event: &Event| {
        if matches!(event, Event::Step { done, total, .. } if done == total) {
            spoil_head();
        }
        ON
    };
    let error = learner.fit_with(&head, &mut in_validation).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(error.what().contains("the validation loss is NaN after epoch 2"), "{error}");
    assert!(files::read(&learner.run().last()).unwrap() == saved, "the checkpoint is the one before");

    // What is in memory is the best epoch, not what went wrong; and the same learner trains on to the same end.
    assert!(values(learner.model(), "head.linear1.weight").iter().all(|value| value.is_finite()));
    learner.fit_with(&head, &mut |_| ON).unwrap();
    let other = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(other.path(), &config);
    let mut undisturbed = Learner::new(&project, &splits, &config).unwrap();
    undisturbed.fit_with(&head, &mut |_| ON).unwrap();
    assert!(bytes_of(&learner) == bytes_of(&undisturbed) && numbers(&learner) == numbers(&undisturbed));
}

#[test]
fn f43_numbers_that_went_bad_on_the_disk_and_labels_out_of_range_name_the_photos() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { head: PhaseConfig { epochs: 1, ..small().head }, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let head = Phase::head(&config);
    let open = |splits: &Splits| Learner::new(&project, splits, &config).unwrap();

    let sample = |sample: &Sample| Sample { target: sample.target + 9, ..sample.clone() };
    let mut wrong = splits.clone();
    wrong.train.samples = splits.train.samples.iter().map(sample).collect();
    let error = open(&wrong).fit_with(&head, &mut |_| ON).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Dataset, Some(splits.train.samples[0].path.as_path())));
    assert!(error.what().contains("class number 9; the network has 5"), "{error}");
    let mut wrong = splits.clone();
    wrong.train.samples = splits.train.samples.iter().filter(|sample| sample.target != 2).cloned().collect();
    let error = open(&wrong).fit_with(&head, &mut |_| ON).unwrap_err();
    assert!(error.what().contains("no photo to learn from is of class \"roses\""), "{error}");
    wrong.val.samples = [].into();
    assert!(open(&wrong).fit_with(&head, &mut |_| ON).unwrap_err().what().contains("val has no photos"));

    // Features that were NaN from the start, or became it on the disk.
    let begun = open(&splits).fit_with(&head, &mut |event| match event {
        Event::Step { .. } => ControlFlow::Break(()),
        _ => ON,
    });
    assert_eq!(begun.unwrap().ended, Ended::Stopped);
    for path in files::sorted_dir(&project.models.join("cache")).unwrap() {
        let mut bytes = files::read(&path).unwrap();
        // After a header, which begins with its own length.
        let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        bytes[header..].as_chunks_mut().0.iter_mut().for_each(|number| *number = f32::NAN.to_le_bytes());
        fs::write(&path, bytes).unwrap();
    }
    let error = open(&splits).fit_with(&head, &mut |_| ON).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(error.what().contains("step 2 of epoch 1") && error.what().matches(".jpg").count() == 8, "{error}");

    // Where a person asks for it, settings refuse.
    let fast = PhaseConfig { learning_rate: 1e6, ..config.head };
    let error = Config { head: fast, ..config.clone() }.check().unwrap_err();
    assert!(error.what().contains("head.learning_rate is 1000000; expected above 0, at most 10"), "{error}");
    let error = open(&splits).fit_with(&Phase::new("mine", Cut::Features, fast), &mut |_| ON).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn f43_after_a_stop_in_fine_tuning_the_model_is_the_best_and_not_the_last_step() {
    let folder = tempfile::tempdir().unwrap();
    // Every step makes it worse.
    let ruin = PhaseConfig::new(2, 9, 0.05);
    let config = Config { fine_tune: ruin, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    learner.fit_with(&Phase::head(&config), &mut |_| ON).unwrap();
    let best = learner.evaluate(Split::Val).unwrap().predictions;
    let mut steps = 0;
    let mut stop = |event: &Event| {
        steps += usize::from(matches!(event, Event::Step { .. }));
        if steps == 3 { ControlFlow::Break(()) } else { ON }
    };
    assert_eq!(learner.fit_with(&Phase::upper(&config), &mut stop).unwrap().ended, Ended::Stopped);
    assert_eq!(learner.evaluate(Split::Val).unwrap().predictions, best);

    // Nor after an error, nor after a panic of the observer.
    let spoil_head = spoiler(&learner);
    let mut fail = |event: &Event| {
        if matches!(event, Event::Step { .. }) {
            spoil_head();
        }
        ON
    };
    learner.fit_with(&Phase::upper(&config), &mut fail).unwrap_err();
    assert_eq!(learner.evaluate(Split::Val).unwrap().predictions, best);
    let mut panic = |event: &Event| match event {
        Event::Step { .. } => panic!("as an observer may"),
        _ => ON,
    };
    let phase = Phase::upper(&config);
    let fit = std::panic::AssertUnwindSafe(|| learner.fit_with(&phase, &mut panic));
    assert!(std::panic::catch_unwind(fit).is_err());
    assert_eq!(learner.evaluate(Split::Val).unwrap().predictions, best);
}
