//! A training that is looked at while it runs, and one that runs in the background.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use petal::config::{AugmentConfig, Config};
use petal::learner::Learner;
use petal::train::{Ended, Event, Phase, Run, State, Status};
use petal::{ErrorKind, files};

use crate::support::{flowers, small};

/// `status.json`: what the library reads of it, and all of it.
fn status(run: &Run) -> (Status, serde_json::Value) {
    let bytes = files::read(&run.status_file()).unwrap();
    (serde_json::from_slice(&bytes).unwrap(), serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn a_run_shows_how_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let run = learner.run().clone();

    // At the first step, the file says so; then the training is stopped in its second epoch.
    let mut seen = Vec::new();
    let phase = Phase::head(&config);
    let stopped = learner.fit_with(&phase, &mut |event| {
        seen.push(status(&run).0.state);
        let stop = matches!(event, Event::Step { epoch: 2, .. });
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(stopped.unwrap().ended, Ended::Stopped);
    assert_eq!(seen.first(), Some(&State::Preparing));
    assert!(seen.contains(&State::Training), "{seen:?}");
    let (state, shown) = status(&run);
    assert_eq!((state.state, state.epoch, state.epochs, state.best_epoch), (State::Stopped, 2, 3, Some(1)));
    assert_eq!(shown["folder"], run.folder.display().to_string());
    assert_eq!((shown["busy"].as_bool(), shown["pictured"].as_u64()), (Some(false), Some(1)));
    assert!(shown["share"].as_f64().unwrap() > 1.0 / 3.0, "{shown}");
    assert!(shown["line"].as_str().unwrap().contains("stopped in epoch 2 of 3"), "{shown}");
    assert!(files::read(&run.curves_file()).unwrap().starts_with(b"\x89PNG"));

    learner.fit_with(&phase, &mut |_| ControlFlow::Continue(())).unwrap();
    let (state, shown) = status(&run);
    assert_eq!(
        (state.state, shown["pictured"].as_u64(), shown["share"].as_f64()),
        (State::Finished, Some(3), Some(1.0))
    );
    assert!(shown["line"].as_str().unwrap().contains("finished: all 3 epochs done"), "{shown}");
    learner.reset().unwrap();
    assert!(!run.status_file().exists() && !run.curves_file().exists());
}

#[test]
fn a_training_that_fails_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let learner = Learner::new(&project, &splits, &config).unwrap();
    let run = learner.run().clone();
    // Fine-tuning before the head: found before training begins, and the folder is not touched.
    let (mut learner, fitted) = learner.fit_in_background(&Phase::upper(&config)).unwrap().wait();
    assert_eq!(fitted.unwrap_err().kind(), ErrorKind::Config);
    assert!(!run.status_file().exists());

    // The learner came back. While another process trains this run, what the file says is that one's.
    let lock = run.lock().unwrap();
    let failed = learner.fit_with(&Phase::head(&config), &mut |_| ControlFlow::Continue(()));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Locked);
    assert!(!run.status_file().exists());
    drop(lock);

    let mut broken = false;
    let failed = learner.fit_with(&Phase::head(&config), &mut |event| {
        if matches!(event, Event::Step { .. }) && !broken {
            broken = true;
            // The next checkpoint cannot be written.
            std::fs::remove_file(run.last()).unwrap();
            std::fs::create_dir(run.last()).unwrap();
        }
        ControlFlow::Continue(())
    });
    let error = failed.unwrap_err();
    let (state, shown) = status(&run);
    assert_eq!(state.state, State::Failed);
    assert_eq!(state.message, error.to_string());
    assert!(shown["line"].as_str().unwrap().starts_with("phase head failed: "), "{shown}");
}

#[test]
fn the_background_trains_the_same_model_and_gives_the_learner_back() {
    let config = Config { augment: AugmentConfig::NONE, ..small() };
    let phase = Phase::head(&config);
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    let (project, splits) = flowers(folders[0].path(), &config);
    let mut plain = Learner::new(&project, &splits, &config).unwrap();
    plain.fit_with(&phase, &mut |_| ControlFlow::Continue(())).unwrap();

    let (project, splits) = flowers(folders[1].path(), &config);
    let learner = Learner::new(&project, &splits, &config).unwrap();
    let run = learner.fit_in_background(&phase).unwrap();
    let begun = Instant::now();
    while run.status().state == State::Waiting {
        assert!(begun.elapsed() < Duration::from_secs(60), "it has not begun");
        std::thread::sleep(Duration::from_millis(1));
    }
    run.stop();
    let (learner, fitted) = run.wait();
    assert_eq!(fitted.unwrap().ended, Ended::Stopped);

    let run = learner.fit_in_background(&phase).unwrap();
    while !run.is_done() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(run.status().state, State::Finished);
    assert!(run.text().contains("all 3 epochs done") && run.html().contains("<table"), "{}", run.text());
    let (learner, fitted) = run.wait();
    assert!(matches!(fitted.unwrap().ended, Ended::Finished(_)));
    assert!(files::read(&learner.run().best()).unwrap() == files::read(&plain.run().best()).unwrap());
}

#[test]
fn a_background_training_that_nobody_holds_stops() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let learner = Learner::new(&project, &splits, &config).unwrap();
    let run = learner.run().clone();
    drop(learner.fit_in_background(&Phase::head(&config)).unwrap());
    let begun = Instant::now();
    // It is over when its lock is free and the file says how it ended.
    while !run.status_file().exists() || status(&run).0.state.is_busy() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(status(&run).0.state, State::Stopped);
}
