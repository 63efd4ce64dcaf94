//! F47: a training that a person stops, by the stop file or by Ctrl-C, goes on from there.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Output};
use std::time::Duration;

use petal::config::{Config, PhaseConfig};
use petal::data::Splits;
use petal::files;
use petal::learner::{Kind, Learner};
use petal::train::{Ended, Event, Phase};

use super::{ON, petal};
use crate::support::{flowers, small};

#[test]
fn f47_the_stop_file_stops_after_a_step_and_the_next_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let stop_file = learner.run().stop_file();
    let phase = Phase::head(&config);
    // 50 photos in batches of 8 are seven steps. The last of all, too, is one after which to stop.
    for (at, begun, left) in [(2, (0, 0), (0, 2)), (5, (0, 2), (1, 0)), (14, (1, 0), (3, 0))] {
        let (mut steps, mut first) = (0, None);
        let mut ask = |event: &Event| {
            match event {
                Event::Begin { epochs, steps, .. } => first = Some((*epochs, *steps)),
                Event::Step { .. } => {
                    steps += 1;
                    if steps == at {
                        fs::write(&stop_file, "").unwrap();
                    }
                }
                _ => {}
            }
            ON
        };
        assert_eq!(learner.fit_with(&phase, &mut ask).unwrap().ended, Ended::Stopped);
        assert_eq!((steps, first), (at, Some(begun)));
        assert!(!stop_file.exists(), "the request is taken back");
        let progress = learner.run().progress().unwrap();
        assert_eq!((progress.phase().unwrap().epochs, progress.step), left);
    }
    // Stopped after its very last step, the phase only has to be called finished.
    let mut look = |event: &Event| {
        assert!(!matches!(event, Event::Step { .. }));
        ON
    };
    assert!(matches!(learner.fit_with(&phase, &mut look).unwrap().ended, Ended::Finished(_)));
    // A request from before a call was meant for an earlier one.
    fs::write(&stop_file, "").unwrap();
    assert!(matches!(learner.fit_with(&Phase::upper(&config), &mut |_| ON).unwrap().ended, Ended::Finished(_)));
}

/// Starts `petal train` in a folder with drawn flowers and these settings, and waits for a line with this word.
fn train_until(folder: &Path, config: &Config, word: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    fs::write(folder.join("petal.toml"), config.to_toml()).unwrap();
    let mut process = petal(folder, &["train", "--config", "petal.toml", "--run", "run"]).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap());
    let mut said = Vec::new();
    let found = lines.by_ref().lines().map_while(std::io::Result::ok).any(|line| {
        said.push(line);
        said.last().is_some_and(|line| line.contains(word))
    });
    if !found {
        process.wait().unwrap();
        panic!("it ended before {word:?}: {said:?}");
    }
    (process, lines)
}

fn interrupt(process: &Child) {
    let sent = std::process::Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(unix)]
#[test]
fn f47_ctrl_c_stops_after_the_step_and_the_same_command_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let epochs = |epochs, learning_rate| PhaseConfig::new(epochs, 99, learning_rate);
    let config = Config { head: epochs(40, 1e-3), fine_tune: epochs(1, 1e-4), ..small() };
    flowers(folder.path(), &config);
    let (process, _lines) = train_until(folder.path(), &config, "epoch  2");
    interrupt(&process);
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(text(&output).contains("stopped; everything is kept") && text(&output).contains("the same command"));

    let last = || files::read(&folder.path().join("models/runs/run/last.safetensors")).unwrap();
    let stopped = last();
    let run = |name: &str| {
        let output = petal(folder.path(), &["train", "--config", "petal.toml", "--run", name]).output().unwrap();
        assert!(output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (said, files::read(&folder.path().join("models/runs").join(name).join("best.safetensors")).unwrap())
    };
    let (said, bytes) = run("run");
    assert!(said.contains("phase head: up to 40 epochs, going on after "), "{said}");
    assert!(last() != stopped && bytes == run("never stopped").1);
}

#[cfg(unix)]
#[test]
fn f47_a_second_ctrl_c_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // One step is one large batch, computed from the pixels: some seconds.
    let config = Config { image_size: 448, batch_size: 50, cache: false, ..small() };
    flowers(folder.path(), &config);
    let (process, _lines) = train_until(folder.path(), &config, "phase head");
    interrupt(&process);
    std::thread::sleep(Duration::from_millis(30));
    interrupt(&process);
    let output = process.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(130), ""));
    // The step was not waited for: the checkpoint is the one that the phase began with.
    let project = petal::Project::open_on(folder.path(), petal::project::DeviceChoice::Cpu).unwrap();
    let splits = Splits::open(&project.data).unwrap();
    let learner = Learner::in_run(&project, &splits, &config, Kind::Transfer, Some("run")).unwrap();
    let progress = learner.run().progress().unwrap();
    assert_eq!((progress.phase().unwrap().name.as_str(), progress.step), ("head", 0));
}
