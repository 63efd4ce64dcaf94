//! F39 and F42: a run's folder that cannot be written, or that another process has.

use std::fs;
use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::Duration;

use petal::config::{Config, PhaseConfig};
use petal::learner::{Kind, Learner};
use petal::train::{Ended, Event, Phase};
use petal::{Error, ErrorKind};

use super::checkpoint_saves::run;
use super::{as_child, child, names, wait_for_word};
use crate::support::{flowers, small};

/// The baseline in small, and one epoch of it: the quickest training there is.
pub(super) fn tiny() -> Config {
    let epochs = PhaseConfig::new(1, 1, 1e-3);
    Config { image_size: 32, baseline: epochs, ..small() }
}

/// Begins a training; fails if it got as far as the first step.
pub(super) fn begin(learner: petal::Result<Learner>, config: &Config) -> Error {
    let observe = &mut |event: &Event| {
        assert!(!matches!(event, Event::Step { .. }), "training began");
        ControlFlow::Continue(())
    };
    let fitted = learner.and_then(|mut learner| learner.fit_with(&Phase::baseline(config), observe));
    fitted.expect_err("this should not have been possible")
}

#[test]
fn f39_a_place_that_cannot_be_written_is_found_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let config = tiny();
    let (project, splits) = flowers(folder.path(), &config);
    let baseline = |name: &str| Learner::in_run(&project, &splits, &config, Kind::Baseline, Some(name));
    let runs = project.models.join("runs");

    for file in ["last.safetensors", "best.safetensors", "history.csv", "config.toml", "lock", ".last.safetensors.tmp"]
    {
        let in_the_way = runs.join(format!("with {file}")).join(file);
        fs::create_dir_all(&in_the_way).unwrap();
        let error = begin(baseline(&format!("with {file}")), &config);
        assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Checkpoint), "{file}: {error}");
        assert!(error.path().unwrap().starts_with(in_the_way.parent().unwrap()), "{file}: {error}");
    }
    fs::write(runs.join("a file"), "").unwrap();
    let error = begin(baseline("a file"), &config);
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("a file"), "{error}");
    assert_eq!(baseline(&"x".repeat(101)).unwrap_err().kind(), ErrorKind::Config);
    // More than a system takes as a path.
    let deep = (0..30).fold(project.models.clone(), |path, _| path.join("x".repeat(200)));
    let mut elsewhere = project.clone();
    elsewhere.models = deep;
    let error = begin(Learner::in_run(&elsewhere, &splits, &config, Kind::Baseline, None), &config);
    assert_eq!(error.kind(), ErrorKind::Io);

    // Nobody, not even root, can make a folder there: a disk that is read-only, or gone.
    if cfg!(target_os = "linux") {
        elsewhere.models = "/proc/petal".into();
        let error = begin(Learner::in_run(&elsewhere, &splits, &config, Kind::Baseline, None), &config);
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.path().unwrap().starts_with("/proc/petal"), "{error}");
    }
}

const F42: &str = "faults::run_folder::f42_a_run_that_another_process_trains_is_locked_and_says_by_whom";

#[test]
fn f42_a_run_that_another_process_trains_is_locked_and_says_by_whom() {
    if let Some(folder) = as_child() {
        let _lock = run(&folder).lock().unwrap();
        eprint!("!");
        return sleep(Duration::from_secs(600));
    }
    let folder = tempfile::tempdir().unwrap();
    let config = tiny();
    let (project, splits) = flowers(folder.path(), &config);
    let open = || Learner::in_run(&project, &splits, &config, Kind::Baseline, Some("run"));
    let held = open().unwrap().run().folder.clone();
    let mut other = child(F42, &held).spawn().unwrap();
    wait_for_word(&mut other);
    let before = names(&held);
    let error = begin(open(), &config);
    let reset = open().unwrap().reset().unwrap_err();
    other.kill().unwrap();
    other.wait().unwrap();
    for error in [error, reset] {
        assert_eq!((error.kind(), error.path()), (ErrorKind::Locked, Some(held.join("lock").as_path())));
        assert!(error.what().contains(&format!("process {}", other.id())), "{error}");
    }
    assert_eq!(names(&held), before);
    // Nobody has to clear away a dead process's lock.
    let fitted = open().unwrap().fit_with(&Phase::baseline(&config), &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(matches!(fitted.ended, Ended::Finished(_)));
}
