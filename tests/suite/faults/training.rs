//! F43–F48: numbers that are not finite, batches and settings at their limits, stops, odd clocks.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Output};
use std::time::{Duration, SystemTime};

use petal::config::{Config, PhaseConfig};
use petal::data::{Sample, Split, Splits};
use petal::learner::{Kind, Learner};
use petal::models::{Cut, Model};
use petal::project::Machine;
use petal::train::preflight::Needs;
use petal::train::{Ended, Event, Phase};
use petal::{ErrorKind, files};

use super::{names, petal};
use crate::support::{flowers, small, small_for};
use crate::training::{bytes_of, numbers};

const ON: ControlFlow<()> = ControlFlow::Continue(());

/// The values of a tensor.
fn values(model: &Model, name: &str) -> Vec<f32> {
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
    let ruin = PhaseConfig { epochs: 2, patience: 9, learning_rate: 0.05 };
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

#[test]
fn f44_batches_of_one_photo_train_and_leave_the_running_statistics_alone() {
    let folder = tempfile::tempdir().unwrap();
    // Fifty photos in batches of seven: the last is of one. Then all of one.
    for batch_size in [7, 1] {
        let config = Config { batch_size, ..small_for(1, 1, 1) };
        let (project, splits) = flowers(folder.path(), &config);
        assert_eq!(splits.train.samples.len() % batch_size, usize::from(batch_size == 7));
        let mut learner = Learner::new(&project, &splits, &config).unwrap();
        let buffers = |learner: &Learner| -> Vec<_> {
            let params = learner.model().params().iter();
            params.filter(|(_, param)| param.buffer).map(|(name, _)| values(learner.model(), name)).collect()
        };
        let before = buffers(&learner);
        for phase in [Phase::head(&config), Phase::upper(&config)] {
            learner.fit_with(&phase, &mut |_| ON).unwrap();
        }
        assert!(before.len() > 50 && buffers(&learner) == before, "batch norm's statistics moved");
        let history = learner.history().unwrap();
        assert!(history.epochs.len() == 2 && history.epochs.iter().all(|epoch| epoch.val_loss.is_finite()));
    }
}

#[test]
fn f45_settings_at_their_limits_are_refused_or_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let none = PhaseConfig { epochs: 0, ..small().fine_tune };
    let config =
        Config { head: PhaseConfig { epochs: 1, ..small().head }, fine_tune: none, batch_size: 4096, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let zero = PhaseConfig { patience: 0, ..config.head };
    let error = Config { head: zero, ..config.clone() }.check().unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.what().contains("head.patience is 0"), "{error}");

    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let error = learner.fit_with(&Phase::new("mine", Cut::Features, zero), &mut |_| ON).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.what().contains("mine.patience is 0"), "{error}");
    // A phase of no epochs is left out; nothing of it is written.
    let fitted = learner.fit_with(&Phase::new("mine", Cut::Features, none), &mut |_| panic!("no event")).unwrap();
    assert!(matches!(fitted.ended, Ended::Finished(_)) && fitted.history.epochs.is_empty());
    assert!(names(&project.models).is_empty(), "{:?}", names(&project.models));

    // A batch that is larger than the data set is one step.
    let mut steps = Vec::new();
    let mut look = |event: &Event| {
        steps.extend(match event {
            Event::Step { done, total, .. } => Some((*done, *total)),
            _ => None,
        });
        ON
    };
    learner.fit_with(&Phase::head(&config), &mut look).unwrap();
    assert_eq!(steps, [(50, 50)]);
    let before = bytes_of(&learner);
    learner.fit_with(&Phase::upper(&config), &mut |_| panic!("no event")).unwrap();
    assert_eq!(learner.history().unwrap().epochs.len(), 1);

    // No threads are as many as there are cores.
    fs::write(folder.path().join("petal.toml"), config.to_toml()).unwrap();
    let output = petal(folder.path(), &["train", "--config", "petal.toml", "--run", "zero", "--json"])
        .env("RAYON_NUM_THREADS", "0")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(files::read(&project.models.join("runs/zero/best.safetensors")).unwrap() == before);
}

#[test]
fn f46_too_little_memory_is_told_before_it_is_asked_for_with_a_batch_that_fits() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { image_size: 1024, batch_size: 4096, ..small() };
    let (project, mut splits) = flowers(folder.path(), &config);
    // As many photos as one batch takes.
    splits.train.samples = (0..100).flat_map(|_| splits.train.samples.to_vec()).collect();
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let all = Phase::new("all layers", Cut::Images, config.baseline);
    let error = learner.fit_with(&all, &mut |_| panic!("training began")).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Memory, Some(learner.run().folder.as_path())));
    assert!(error.what().contains("training needs about "), "{error}");
    assert!(names(&project.models).is_empty(), "{:?}", names(&project.models));

    // The batch that it names does fit.
    let machine = Machine { threads: 2, memory: 16 << 30, memory_free: 8 << 30, disk_free: 1 << 40 };
    let needs = |config: &Config| Needs::of(learner.model(), Cut::Images, config, 5000).unwrap();
    let error = needs(&config).check(&machine).unwrap_err();
    let mend = error.how_to_mend().unwrap();
    let fits: usize = mend.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(mend, format!("set batch_size to {fits} (it is 4096)"));
    needs(&Config { batch_size: fits, ..config.clone() }).check(&machine).unwrap();
    needs(&Config { batch_size: fits + 1, ..config }).check(&machine).unwrap_err();
}

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
    let epochs = |epochs, learning_rate| PhaseConfig { epochs, patience: 99, learning_rate };
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

#[test]
fn f48_clock_time_zone_and_language_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { head: PhaseConfig { epochs: 2, ..small().head }, ..small() };
    flowers(folder.path(), &config);
    fs::write(folder.path().join("petal.toml"), config.to_toml()).unwrap();
    let train = |name: &str, odd: bool| {
        let mut command = petal(folder.path(), &["train", "--config", "petal.toml", "--run", name]);
        if odd {
            command.envs([("TZ", "Pacific/Kiritimati"), ("LC_ALL", "de_DE.UTF-8"), ("LANG", "de_DE.UTF-8")]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let run = folder.path().join("models/runs").join(name);
        (run.clone(), files::read(&run.join("best.safetensors")).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (run, bytes, _) = train("here and now", false);
    // As if the clock had been set back by decades, and then forward.
    for (name, year) in [("data", 1970), ("models", 2100)] {
        for file in names(&folder.path().join(name)) {
            let path = folder.path().join(name).join(file);
            if path.is_file() {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs((year - 1970) * 31_557_600);
                fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
            }
        }
    }
    let (odd, odd_bytes, _) = train("elsewhere", true);
    assert!(bytes == odd_bytes);
    let rows = |run: &Path| -> Vec<Vec<String>> {
        let text = fs::read_to_string(run.join("history.csv")).unwrap();
        text.lines().map(|line| line.split(',').take(8).map(str::to_owned).collect()).collect()
    };
    assert_eq!(rows(&run), rows(&odd));
    assert!(rows(&odd)[1..].iter().all(|row| row[3].parse::<f64>().is_ok()), "{:?}", rows(&odd));
    // What was finished in the future is finished.
    let (_, again, said) = train("here and now", true);
    assert!(again == bytes && said.contains("phase head was finished before"), "{said}");
}
