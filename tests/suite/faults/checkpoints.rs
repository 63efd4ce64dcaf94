//! F37–F42: checkpoints that are killed while they are written, meet a full disk, or belong to something else.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use petal::config::{Config, PhaseConfig};
use petal::learner::{Kind, Learner};
use petal::nn::codec;
use petal::train::{Checkpoint, Ended, Event, Phase, Progress, Run};
use petal::{Error, ErrorKind, Purpose, Seed, files};
use serde_json::Value;

use super::{as_child, child, names, petal, wait_for_word};
use crate::support::{flowers, small, small_for};

/// A run of nothing but numbers.
fn run(folder: &Path) -> Run {
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
fn any_run(folder: &Path) -> Run {
    let metadata = codec::read_metadata(&folder.join("last.safetensors")).unwrap();
    let progress: Progress = serde_json::from_str(&metadata).unwrap();
    Run::new(folder, progress.made_with)
}

/// Everything in a checkpoint but seconds, as text and bytes.
fn content(checkpoint: Checkpoint) -> (String, Vec<u8>) {
    let tensors = checkpoint.tensors();
    let Checkpoint { mut progress, .. } = checkpoint;
    progress.history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    (serde_json::to_string(&progress).unwrap(), codec::to_bytes(&tensors, "").unwrap())
}

const F37: &str = "faults::checkpoints::f37_killed_at_any_moment_of_a_save_there_is_a_whole_checkpoint";

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

const F38: &str = "faults::checkpoints::f38_a_checkpoint_that_does_not_fit_leaves_the_one_before";

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

/// The baseline in small, and one epoch of it: the quickest training there is.
fn tiny() -> Config {
    let epochs = PhaseConfig { epochs: 1, patience: 1, learning_rate: 1e-3 };
    Config { image_size: 32, baseline: epochs, ..small() }
}

/// Begins a training; fails if it got as far as the first step.
fn begin(learner: petal::Result<Learner>, config: &Config) -> Error {
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

/// Rewrites a checkpoint with this change to its description.
fn rewrite(path: &Path, change: impl Fn(&mut Value)) {
    let (tensors, metadata) = codec::read(path, &Device::Cpu).unwrap();
    let mut description: Value = serde_json::from_str(&metadata).unwrap();
    change(&mut description);
    codec::write(path, &tensors, &description.to_string()).unwrap();
}

#[test]
fn f40_a_checkpoint_of_something_else_is_refused_by_what_differs_and_an_older_format_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let config = tiny();
    let (project, splits) = flowers(folder.path(), &config);
    let open = |config: &Config| Learner::in_run(&project, &splits, config, Kind::Baseline, Some("run"));
    let mut learner = open(&config).unwrap();
    // Stopped in the middle: there is something to go on with.
    let stop = &mut |event: &Event| match event {
        Event::Step { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    assert_eq!(learner.fit_with(&Phase::baseline(&config), stop).unwrap().ended, Ended::Stopped);
    let last = learner.run().last();
    let whole = files::read(&last).unwrap();
    let refused = |config: &Config| {
        let error = open(config).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Checkpoint, Some(last.as_path())));
        error.to_string()
    };

    let text = refused(&Config { seed: 7, batch_size: 16, ..config.clone() });
    assert!(text.contains("batch_size was 8, is 16; ") && text.contains("seed was 42, is 7"), "{text}");
    rewrite(&last, |d| d["made_with"]["classes"] = "tulips, roses, sunflowers, dandelion, daisy".into());
    let text = refused(&config);
    assert!(text.contains("classes was tulips, roses,") && text.contains("is daisy, dandelion,"), "{text}");
    rewrite(&last, |d| {
        d["made_with"]["classes"] = splits.classes.join(", ").into();
        d["format"] = 99.into();
        d["what_comes"] = "in a later version".into();
    });
    let text = refused(&config);
    assert!(text.contains("format 99") && text.contains("reads 1 to 3"), "{text}");

    // A bit that changed on the disk, far from the header.
    let mut bytes = whole.clone();
    let at = bytes.len() - 5;
    bytes[at] ^= 1;
    fs::write(&last, &bytes).unwrap();
    let error = begin(open(&config), &config);
    assert_eq!((error.kind(), error.path()), (ErrorKind::Checkpoint, Some(last.as_path())));
    assert!(error.what().contains("not those that were written"), "{error}");
    // Tensors of another network, rightly written.
    fs::write(&last, &whole).unwrap();
    let run = any_run(&learner.run().folder);
    let mut checkpoint = run.load(&Device::Cpu).unwrap();
    let bias = checkpoint.model.remove("dense2.bias").unwrap();
    run.save(&checkpoint).unwrap();
    let error = begin(open(&config), &config);
    assert!(error.what().contains("1 missing (dense2.bias)"), "{error}");
    checkpoint.model.insert("dense2.bias".into(), bias);
    checkpoint.best.insert("dense9.bias".into(), Tensor::new(&[1f32], &Device::Cpu).unwrap());
    run.save(&checkpoint).unwrap();
    let error = begin(open(&config), &config);
    assert!(error.what().contains("1 not wanted (dense9.bias)"), "{error}");

    // The first version's format had no hash, and no list of phases; what the phases computed stood in the settings. A phase without a whole
    // epoch begins anew.
    fs::write(&last, &whole).unwrap();
    rewrite(&last, |d| older(d, 1, 0));
    let mut steps = Vec::new();
    let look = &mut |event: &Event| {
        steps.extend(match event {
            Event::Begin { steps, .. } => Some(*steps),
            _ => None,
        });
        ControlFlow::Continue(())
    };
    let fitted = open(&config).unwrap().fit_with(&Phase::baseline(&config), look).unwrap();
    assert!(matches!(fitted.ended, Ended::Finished(_)));
    assert_eq!(steps, [0]);
    let Checkpoint { progress, .. } = run.load(&Device::Cpu).unwrap();
    assert_eq!((progress.format, progress.sha256.map(|hash| hash.len())), (3, Some(64)));
    let whole = content(run.load(&Device::Cpu).unwrap());

    // With a whole epoch it goes on, to the same bytes.
    learner.reset().unwrap();
    let stop = &mut |event: &Event| match event {
        Event::Epoch { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    assert_eq!(learner.fit_with(&Phase::baseline(&config), stop).unwrap().ended, Ended::Stopped);
    rewrite(&last, |d| older(d, 2, 1));
    let mut begun = Vec::new();
    let look = &mut |event: &Event| {
        if let Event::Begin { epochs, .. } = event {
            begun.push(*epochs);
        }
        ControlFlow::Continue(())
    };
    let mut learner = open(&config).unwrap();
    learner.fit_with(&Phase::baseline(&config), look).unwrap();
    assert_eq!(begun, [1]);
    assert!(content(run.load(&Device::Cpu).unwrap()) == whole);
}

/// Makes a checkpoint's description what an earlier version of petal wrote.
fn older(description: &mut Value, format: u32, epochs: usize) {
    description["format"] = format.into();
    description["phase"] = "baseline".into();
    description["phase_epochs"] = epochs.into();
    description["finished"] = serde_json::json!([]);
    description["made_with"]["baseline"] = "{\"epochs\":2,\"patience\":9,\"learning_rate\":0.001}".into();
    let fields = description.as_object_mut().unwrap();
    fields.remove("phases").unwrap();
    if format == 1 {
        fields.remove("sha256").unwrap();
    }
}

/// Trains phases to their ends. With `stops`, in the middle and at the end of every epoch, each time going on with a new learner,
/// as after a restart. Gives the checkpoint after each epoch and at the end, and the model file.
fn trained(open: &dyn Fn() -> Learner, phases: &[Phase], stops: bool) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    let mut learner = open();
    let mut seen = Vec::new();
    for phase in phases {
        let mut stopped = Vec::new();
        loop {
            let run = learner.run().clone();
            let observe = &mut |event: &Event| {
                let moment = match event {
                    Event::Step { epoch, done, total, .. } if *done >= total / 2 => (*epoch, false),
                    Event::Epoch { epoch, .. } => {
                        seen.push(content(run.load(&Device::Cpu).unwrap()));
                        (epoch.epoch, true)
                    }
                    _ => return ControlFlow::Continue(()),
                };
                if stops && !stopped.contains(&moment) {
                    stopped.push(moment);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            let ended = learner.fit_with(phase, observe).unwrap().ended;
            if ended != Ended::Stopped {
                break;
            }
            learner = open();
        }
        seen.push(content(learner.run().load(&Device::Cpu).unwrap()));
        assert_eq!(stopped.len(), if stops { 2 * phase.epochs } else { 0 });
    }
    (seen, files::read(&learner.run().best()).unwrap())
}

#[test]
fn f41_stopped_anywhere_and_gone_on_with_every_checkpoint_has_the_same_bytes() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let config = small_for(2, 2, 2);
    // The cache changes nothing either.
    let configs = [config.clone(), Config { cache: false, ..config }];
    let [whole, stopped] = [0, 1].map(|index| {
        let config = &configs[index];
        let (project, splits) = flowers(folders[index].path(), config);
        let open = |kind| Learner::in_run(&project, &splits, config, kind, None).unwrap();
        let transfer = [Phase::head(config), Phase::upper(config)];
        [
            trained(&|| open(Kind::Transfer), &transfer, index == 1),
            trained(&|| open(Kind::Baseline), &[Phase::baseline(config)], index == 1),
        ]
    });
    for (which, (whole, stopped)) in ["transfer", "baseline"].into_iter().zip(whole.into_iter().zip(stopped)) {
        assert_eq!(whole.0.len(), stopped.0.len());
        for (index, (whole, stopped)) in whole.0.iter().zip(&stopped.0).enumerate() {
            assert_eq!(whole.0, stopped.0, "{which}, checkpoint {index}");
            assert!(whole.1 == stopped.1, "{which}, checkpoint {index}: its tensors");
        }
        assert!(whole.1 == stopped.1, "{which}: the model file");
    }
}

const F42: &str = "faults::checkpoints::f42_a_run_that_another_process_trains_is_locked_and_says_by_whom";

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
