//! A search among settings: who goes on, what is found again, and that the test photos stay unread.

use std::ops::ControlFlow;

use petal::config::{Candidate, Config, PhaseConfig};
use petal::data::Split;
use petal::learner::{Learner, sweep_with};
use petal::train::{Event, Halving};
use petal::{ErrorKind, files};

use crate::support::{flowers, small};

/// Four rates, of which two learn nothing in so few steps.
fn candidates() -> Vec<Candidate> {
    let base = Config { head: PhaseConfig::new(1, 9, 1e-3), fine_tune: PhaseConfig::new(3, 9, 1e-5), ..small() };
    base.grid(&["fine_tune.learning_rate=1e-9,1e-3,1e-8,3e-4"]).unwrap()
}

#[test]
fn the_better_half_goes_on_without_a_look_at_the_test_photos() {
    let folder = tempfile::tempdir().unwrap();
    let candidates = candidates();
    let (project, splits) = flowers(folder.path(), &candidates[0].config);
    for sample in splits.test.samples.iter() {
        std::fs::remove_file(&sample.path).unwrap();
    }
    let mut epochs = 0;
    let mut go_on = |_: &str, event: &Event| {
        epochs += usize::from(matches!(event, Event::Epoch { .. }));
        ControlFlow::Continue(())
    };
    let found = sweep_with(&project, &splits, &candidates, 1, &mut go_on).unwrap();
    assert_eq!(
        found.rungs.iter().map(|rung| (rung.epochs, rung.tried.len(), rung.kept)).collect::<Vec<_>>(),
        [(1, 4, 2), (2, 2, 1), (3, 1, 0)]
    );
    // What is the same is trained once, and going on with more epochs trains only those: one head, four first epochs, two second ones, a third one.
    assert_eq!(epochs, 1 + 4 + 2 + 1);
    // Each round has the best of the one before, and ranks by accuracy, of equals by loss.
    for rungs in found.rungs.windows(2) {
        let kept: Vec<_> = rungs[0].tried[..rungs[0].kept].iter().map(|tried| &tried.name).collect();
        assert!(rungs[1].tried.iter().all(|tried| kept.contains(&&tried.name)));
    }
    for tried in found.rungs.iter().flat_map(|rung| rung.tried.windows(2)) {
        let score = |of: &petal::train::Tried| (of.accuracy, -of.loss);
        assert!(score(&tried[0]) >= score(&tried[1]), "{tried:?}");
    }
    let winner = found.winner().unwrap();
    assert!(!winner.name.contains("1e-9") && !winner.name.contains("1e-8"), "one that learned: {}", winner.name);
    // The same by hand is the same run, with the same numbers.
    let config = candidates.iter().find(|candidate| candidate.name == winner.name).unwrap().config.clone();
    let learner = Learner::new(&project, &splits, &config).unwrap();
    assert!(learner.run().folder.ends_with(&winner.run));
    let best = learner.history().unwrap().best().cloned().unwrap();
    assert_eq!((best.val_accuracy, best.val_loss), (winner.accuracy, winner.loss));
    assert_eq!(learner.evaluate(Split::Test).unwrap_err().kind(), ErrorKind::Io);
    // All of it is found again.
    let mut trains = |_: &str, event: &Event| match event {
        Event::Epoch { .. } => panic!("trained again"),
        _ => ControlFlow::Continue(()),
    };
    let again = sweep_with(&project, &splits, &candidates, 1, &mut trains).unwrap();
    assert_eq!(again.rungs, found.rungs, "with the numbers of each round, though the winner has gone on since");
    let view = found.view().text();
    assert!(view.contains("best of 4") && view.contains("1 epoch ") && view.contains("3 epochs"), "{view}");
    assert!(files::sha256(found.curves().unwrap().png()) != files::sha256(&[]));
}

#[test]
fn a_search_that_was_stopped_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let candidates = candidates();
    let (project, splits) = flowers(&folder.path().join("whole"), &candidates[0].config);
    let whole = sweep_with(&project, &splits, &candidates, 1, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let (project, splits) = flowers(&folder.path().join("stopped"), &candidates[0].config);
    let mut steps = 0;
    let mut stop = |_: &str, event: &Event| {
        steps += usize::from(matches!(event, Event::Step { .. }));
        if steps == 30 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let stopped = sweep_with(&project, &splits, &candidates, 1, &mut stop).unwrap();
    assert!(stopped.is_stopped && stopped.winner().is_none());
    assert!(stopped.view().text().contains("stopped"), "{}", stopped.view().text());
    let rest = sweep_with(&project, &splits, &candidates, 1, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let numbers = |found: &Halving| -> Vec<(String, f64, f64)> {
        let tried = found.rungs.iter().flat_map(|rung| &rung.tried);
        tried.map(|tried| (tried.name.clone(), tried.accuracy, tried.loss)).collect()
    };
    assert_eq!(numbers(&rest), numbers(&whole));
}

#[test]
fn who_has_had_all_epochs_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let base = Config { head: PhaseConfig::new(1, 9, 1e-3), fine_tune: PhaseConfig::new(1, 9, 1e-3), ..small() };
    let (project, splits) = flowers(folder.path(), &base);
    let mut candidates = base.grid(&["fine_tune.learning_rate=1e-3,1e-9"]).unwrap();
    // The one that learns nothing could go on.
    candidates[1].config.fine_tune.epochs = 4;
    let found = sweep_with(&project, &splits, &candidates, 1, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let best_first = found.rungs[0].tried[0].name == candidates[0].name;
    assert_eq!(found.rungs.len(), if best_first { 1 } else { 2 });
    assert!(found.rungs.windows(2).all(|pair| pair[0].epochs < pair[1].epochs));
    assert_eq!(found.rungs.last().unwrap().kept, 0);
}

#[test]
fn nothing_to_choose_among_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let candidates = candidates();
    let (project, splits) = flowers(folder.path(), &candidates[0].config);
    let refused = |candidates: &[Candidate], first| {
        sweep_with(&project, &splits, candidates, first, &mut |_, _| ControlFlow::Continue(())).unwrap_err()
    };
    let twice = [candidates[0].clone(), candidates[0].clone()];
    for error in [refused(&[], 1), refused(&candidates, 0), refused(&twice, 1)] {
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    let mut idle = candidates[0].clone();
    (idle.config.head.epochs, idle.config.fine_tune.epochs) = (0, 0);
    assert!(refused(&[idle], 1).what().contains("epochs"));
}
