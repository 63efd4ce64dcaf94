//! F37 and F38: checkpoints that are killed while they are written, or meet a full disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use petal::nn::codec;
use petal::train::{Checkpoint, Progress, Run};
use petal::{ErrorKind, Purpose, Seed, files};

use super::{as_child, child, names, petal, wait_for_word};

/// A run of nothing but numbers.
pub(super) fn run(folder: &Path) -> Run {
    Run::new(folder, BTreeMap::from([("seed".to_owned(), "1".to_owned())]))
}

/// A checkpoint whose every number is `number`, of `floats` numbers in four tensors.
fn filled(number: usize, floats: usize) -> Checkpoint {
    let tensor = |_| Tensor::full(number as f32, floats / 4, &Device::Cpu).unwrap();
    let tensors = ["model.w", "best.w", "adam.mean.w", "adam.square.w"];
    let made_with = run(Path::new("")).made_with;
    let progress = Progress { adam_steps: number, made_with, ..Progress::default() };
    Checkpoint::of_tensors(progress, tensors.map(String::from).into_iter().map(|name| (name, tensor(()))).collect())
}

/// The run in this folder, whatever it was made with.
pub(super) fn any_run(folder: &Path) -> Run {
    let metadata = codec::read_metadata(&folder.join("last.safetensors")).unwrap();
    let progress: Progress = serde_json::from_str(&metadata).unwrap();
    Run::new(folder, progress.made_with)
}

/// Everything in a checkpoint but seconds, as text and bytes.
pub(super) fn content(checkpoint: Checkpoint) -> (String, Vec<u8>) {
    let tensors = checkpoint.tensors();
    let Checkpoint { mut progress, .. } = checkpoint;
    progress.history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    (serde_json::to_string(&progress).unwrap(), codec::to_bytes(&tensors, "").unwrap())
}

const F37: &str = "faults::checkpoint_saves::f37_killed_at_any_moment_of_a_save_there_is_a_whole_checkpoint";

#[test]
fn f37_killed_at_any_moment_of_a_save_there_is_a_whole_checkpoint() {
    if let Some(folder) = as_child() {
        return save_for_ever(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path());
    let mut moments = Seed(37).stream(Purpose::Shuffle, 0, 0);
    let mut last = 0;
    for kill in 1..=200 {
        let mut process = child(F37, folder.path()).spawn().unwrap();
        wait_for_word(&mut process);
        sleep(Duration::from_secs_f64(moments.range(0.0, 0.03)));
        process.kill().unwrap();
        process.wait().unwrap();
        let found = run.load(&Device::Cpu).unwrap_or_else(|error| panic!("after kill {kill}: {error}"));
        let number = found.progress.adam_steps;
        assert!(number > last, "kill {kill}: {number} after {last}");
        assert_eq!(content(Checkpoint { progress: Progress::default(), ..found }).1, filled_bytes(number));
        // What a killed writer leaves does not pile up.
        let left = names(folder.path());
        let known = [".history.csv.tmp", ".last.safetensors.tmp", "history.csv", "last.safetensors", "lock"];
        assert!(left.iter().all(|name| known.contains(&name.as_str())), "kill {kill}: {left:?}");
        last = number;
    }
    run.save(&filled(last + 1, FLOATS)).unwrap();
    assert!(names(folder.path()).iter().all(|name| !name.ends_with(".tmp")), "{:?}", names(folder.path()));
}

const FLOATS: usize = 1 << 17;

fn filled_bytes(number: usize) -> Vec<u8> {
    codec::to_bytes(&filled(number, FLOATS).tensors(), "").unwrap()
}

/// What the child does: goes on from what is there, and saves until it is killed.
fn save_for_ever(folder: &Path) {
    let run = run(folder);
    let _lock = run.lock().unwrap();
    let first = run.load(&Device::Cpu).unwrap().progress.adam_steps + 1;
    for number in first.. {
        run.save(&filled(number, FLOATS)).unwrap();
        if number == first {
            eprint!("!");
        }
    }
}

const SETTINGS: &str = r#"
backbone = "efficientnet-lite0"
weights = "embedded"
image_size = 64
batch_size = 8
head = { epochs = 6, patience = 6, learning_rate = 1e-3 }
fine_tune = { epochs = 4, patience = 6, learning_rate = 1e-4 }
"#;

#[test]
fn f37_a_training_that_is_killed_again_and_again_ends_with_the_same_bytes() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path();
    fs::write(folder.join("petal.toml"), SETTINGS).unwrap();
    for step in [["download-dataset", "--source", "synthetic", "--per-class", "12"].as_slice(), &["split-dataset"]] {
        assert!(petal(folder, step).output().unwrap().status.success());
    }
    let train =
        |models: &str, run: &str| petal(folder, &["train", "--config", "petal.toml", "--models", models, "--run", run]);
    let whole = train("whole", "run").output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let end = |models: &str, run: &str| {
        let folder = folder.join(models).join("runs").join(run);
        let checkpoint = any_run(&folder).load(&Device::Cpu).unwrap();
        (files::read(&folder.join("best.safetensors")).unwrap(), content(checkpoint))
    };
    let whole = end("whole", "run");

    let mut moments = Seed(38).stream(Purpose::Shuffle, 0, 0);
    let (mut kills, mut amid, mut trainings) = (0, 0, 0);
    while kills < 20 || trainings == 0 {
        let name = format!("run {trainings}");
        let mut process = train("killed", &name).spawn().unwrap();
        let (begun, moment) = (Instant::now(), Duration::from_secs_f64(moments.range(0.1, 1.2)));
        let ended = loop {
            match process.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if kills < 20 && begun.elapsed() >= moment => break None,
                None => sleep(Duration::from_millis(2)),
            }
        };
        let folder = folder.join("killed/runs").join(&name);
        if let Some(status) = ended {
            assert!(status.success());
            assert!(
                end("killed", &name) == whole,
                "training {trainings} ends otherwise than the one that was never killed"
            );
            trainings += 1;
            continue;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        kills += 1;
        if folder.join("last.safetensors").exists() {
            let Checkpoint { progress, .. } = any_run(&folder).load(&Device::Cpu).unwrap();
            amid += usize::from(!progress.history.epochs.is_empty() && progress.history.ended.len() < 2);
        }
    }
    assert!(amid >= 3, "only {amid} of 20 kills came in the middle of a training");
}

#[test]
fn f38_a_disk_that_is_full_at_any_byte_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    files::write_bytes(&path, b"old").unwrap();
    // The writer has a buffer of a megabyte.
    for bytes in [0, 1, 1000, (1 << 20) - 1, 1 << 20, 3 << 20] {
        let error = files::write_atomic(&path, |out| {
            out.write_all(&vec![7; bytes])?;
            Err(std::io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::DiskFull, Some(path.as_path())));
        assert_eq!(files::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["model"]);
    }
}

const F38: &str = "faults::checkpoint_saves::f38_a_checkpoint_that_does_not_fit_leaves_the_one_before";

/// The limit on the size of a file stands in for the end of a disk: both are found by the system, in the middle of a write.
#[cfg(unix)]
#[test]
fn f38_a_checkpoint_that_does_not_fit_leaves_the_one_before() {
    if let Some(folder) = as_child() {
        let error = run(&folder).save(&filled(2, 1 << 20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DiskFull);
        return eprintln!("{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path());
    run.save(&filled(1, 1 << 10)).unwrap();
    let before = files::read(&run.last()).unwrap();
    let listed = names(folder.path());
    for blocks in ["0", "1", "100", "3000"] {
        let own = child(F38, folder.path());
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f $0 && exec \"$@\"", blocks]).arg(own.get_program());
        limited.args(own.get_args()).envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = limited.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{blocks}: {text}");
        for words in ["a checkpoint needs 4 MB, ", " are free", "last.safetensors", "which is kept"] {
            assert!(text.contains(words), "{blocks}: {words}: {text}");
        }
        assert!(files::read(&run.last()).unwrap() == before && names(folder.path()) == listed, "{blocks}");
    }
    // With room again, it goes on.
    run.save(&filled(2, 1 << 20)).unwrap();
    assert_eq!(run.load(&Device::Cpu).unwrap().progress.adam_steps, 2);
}
