//! One cache for all: runs, the library and the command, and several processes at once, of which none takes away what another reads.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

use petal::config::{Config, PhaseConfig};
use petal::data::{Split, Splits};
use petal::learner::{Kind, Learner};
use petal::train::{Cache, Event, Evicted, Phase};
use petal::{Project, files};
use serde_json::Value;

use super::{content, missing, prepare};
use crate::support::{again, flowers, small, wait_for};
use crate::training::{bytes_of, train};

fn petal_command(folder: &Path, arguments: &[&str]) -> (Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petal"));
    let output = command.current_dir(folder).args(arguments).arg("--json").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    (serde_json::from_slice(&output.stdout).unwrap(), said)
}

#[test]
fn library_and_command_and_all_runs_share_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    assert_eq!(missing(&project, &splits, &config, &Phase::head(&config)), 3);
    let before = content(&project);

    fs::write(folder.path().join("petal.toml"), config.to_toml()).unwrap();
    let train = |run: &str| petal_command(folder.path(), &["train", "--config", "petal.toml", "--run", run]).1;
    let said = train("first");
    // The head's phase finds them; the upper layers' are new.
    let phases: Vec<&str> = said.split("phase fine-tune: up to").collect();
    assert!(phases.len() == 2 && !phases[0].contains("go into the cache"), "{said}");
    assert!(phases[1].contains("frozen layers: ") && phases[1].contains(" go into the cache"), "{said}");
    let after = content(&project);
    assert!(after.len() == 6 && before.iter().all(|file| after.get(file.0) == Some(file.1)));
    assert!(!train("second").contains("go into the cache"));
    // And what the command made, the library finds.
    assert_eq!(missing(&project, &splits, &config, &Phase::upper(&config)), 0);
    assert_eq!(content(&project), after);

    let (cache, _) = petal_command(folder.path(), &["cache"]);
    assert_eq!(cache["bytes"].as_u64(), Some(after.values().sum()));
    assert_eq!(cache["files"].as_array().unwrap().len(), 6);
    assert_eq!(cache["files"][0]["in_use"], false);
    assert_eq!(cache["removed"]["files"], 0);
    let text = Cache::open(&project).unwrap().text();
    for words in ["6 files", "efficientnet-lite0, features", "efficientnet-lite0, upper", "just now"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Somebody else's file is not touched.
    let foreign = Cache::folder(&project).join("notes.bin");
    fs::write(&foreign, "mine").unwrap();
    let (cleared, _) = petal_command(folder.path(), &["cache", "--clear"]);
    assert_eq!((cleared["removed"]["files"].as_u64(), &cleared["removed"]["bytes"]), (Some(6), &cache["bytes"]));
    assert!(content(&project).is_empty() && foreign.exists());
    assert!(project.text().contains("0 bytes in 0 files"), "{}", project.text());
}

#[test]
fn two_at_once_make_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    std::thread::scope(|scope| {
        for learning_rate in [1e-3, 2e-3] {
            let config = Config { head: PhaseConfig { learning_rate, ..config.head }, ..config.clone() };
            let (project, splits) = (&project, &splits);
            scope.spawn(move || prepare(project, splits, &config, &Phase::head(&config)));
        }
    });
    let made = content(&project);
    assert_eq!(made.len(), 3);
    assert_eq!(missing(&project, &splits, &config, &Phase::head(&config)), 0);
}

const HELD: &str = "cache::sharing::what_another_process_reads_stays_and_even_deleted_it_is_read_to_the_end";
const CHILD: &str = "PETAL_TEST_CACHE";

#[test]
fn what_another_process_reads_stays_and_even_deleted_it_is_read_to_the_end() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return train_slowly(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut other = again(HELD, CHILD, folder.path()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
    wait_for("the first step", || folder.path().join("reads").exists());
    let cache = Cache::open(&project).unwrap();
    assert!(cache.files.len() == 3 && cache.files.iter().all(|file| file.in_use), "{}", cache.text());
    assert_eq!(cache.clear().unwrap(), Evicted::default());
    let strict = Config { seed: 5, cache_limit: 0.0, ..config.clone() };
    let room = prepare(&project, &splits, &strict, &Phase::head(&strict)).unwrap();
    assert_eq!((room.evicted, content(&project).len()), (Evicted::default(), 5));
    #[cfg(unix)]
    fs::remove_dir_all(Cache::folder(&project)).unwrap();
    fs::write(folder.path().join("go on"), "").unwrap();
    assert!(other.wait().unwrap().success());

    let undisturbed = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(undisturbed.path(), &config);
    let expected = bytes_of(&train(&project, &splits, &config, None));
    assert!(files::read(&folder.path().join("models/runs/slow/best.safetensors")).unwrap() == expected);
}

/// Trains both phases, and waits after the first step.
fn train_slowly(folder: &Path) {
    let config = small();
    let project = Project::open_on(folder, petal::project::DeviceChoice::Cpu).unwrap();
    let splits = Splits::open(&project.data).unwrap();
    let mut learner = Learner::in_run(&project, &splits, &config, Kind::Transfer, Some("slow")).unwrap();
    let mut steps = 0;
    let mut wait = |event: &Event| {
        if matches!(event, Event::Step { .. }) {
            steps += 1;
            if steps == 1 {
                fs::write(folder.join("reads"), "").unwrap();
                wait_for("the word to go on", || folder.join("go on").exists());
            }
        }
        ControlFlow::Continue(())
    };
    for phase in [Phase::head(&config), Phase::upper(&config)] {
        learner.fit_with(&phase, &mut wait).unwrap();
    }
    learner.evaluate(Split::Val).unwrap();
}
