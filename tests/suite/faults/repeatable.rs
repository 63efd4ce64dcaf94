//! F48, F49 and F51: the same seed gives the same bytes, in whatever order and whenever things are done, or a clear error.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, SystemTime};

use petal::config::{Config, PhaseConfig, Source};
use petal::data::{Dataset, Split};
use petal::learner::{Kind, Learner};
use petal::project::{DeviceChoice, Project};
use petal::train::{Ended, Event, Phase};
use petal::{ErrorKind, files};

use super::{names, petal};
use crate::support::{flowers, small};
use crate::training::{bytes_of, numbers, train};

fn quiet(_: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Copies photos one by one, in this order.
fn copy(from: &Path, to: &Path, mut files: Vec<String>, backwards: bool) {
    if backwards {
        files.reverse();
    }
    for file in files.iter().filter(|file| from.join(file).is_file()) {
        fs::create_dir_all(to.join(file).parent().unwrap()).unwrap();
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

#[test]
fn f49_the_same_seed_gives_the_same_bytes_with_any_threads_any_order_of_files_and_from_the_command() {
    let parent = tempfile::tempdir().unwrap();
    let drawn = {
        let project = Project::open_on(parent.path().join("drawn"), DeviceChoice::Cpu).unwrap();
        Dataset::fetch(&project, &small()).unwrap().root
    };
    let short = |phase: PhaseConfig| PhaseConfig { epochs: 2, ..phase };
    let config = Config { head: short(small().head), fine_tune: short(small().fine_tune), ..small() };

    // By the library, from files that were made in their order.
    let project = Project::open_on(parent.path().join("library"), DeviceChoice::Cpu).unwrap();
    let photos = project.root.join("photos");
    copy(&drawn, &photos, names(&drawn), false);
    let config_here = Config { source: Source::Folder(photos), ..config.clone() };
    let splits = Dataset::fetch(&project, &config_here).unwrap().split(&project, &config_here).unwrap();
    let learner = train(&project, &splits, &config_here, None);
    let expected = bytes_of(&learner);
    let history = fs::read_to_string(learner.run().folder.join("history.csv")).unwrap();
    let without_seconds =
        |text: &str| -> Vec<String> { text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect() };

    // By the command, from files that were made backwards, with one thread and with more than there are cores.
    let folder = parent.path().join("command");
    copy(&drawn, &folder.join("photos"), names(&drawn), true);
    fs::write(folder.join("petal.toml"), config.to_toml()).unwrap();
    assert!(petal(&folder, &["split-dataset", "--photos", "photos"]).output().unwrap().status.success());
    for threads in ["1", "5"] {
        let run = folder.join(threads).join("runs/run");
        let output = petal(&folder, &["train", "--config", "petal.toml", "--models", threads, "--run", "run"])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(files::read(&run.join("best.safetensors")).unwrap() == expected, "{threads} threads");
        let own = fs::read_to_string(run.join("history.csv")).unwrap();
        assert_eq!(without_seconds(&own), without_seconds(&history), "{threads} threads");
    }
    // Another seed is another training.
    let other = Config { seed: 43, ..config_here };
    assert!(bytes_of(&train(&project, &splits, &other, None)) != expected);
}

#[test]
fn f51_cells_run_again_change_nothing_and_reset_trains_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { fine_tune: PhaseConfig { epochs: 1, ..small().fine_tune }, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = train(&project, &splits, &config, None);
    let before = (bytes_of(&learner), numbers(&learner));
    for phase in [Phase::head(&config), Phase::upper(&config), Phase::head(&config)] {
        assert_eq!(learner.fit_with(&phase, &mut quiet).unwrap().ended, Ended::Before);
    }
    assert!((bytes_of(&learner), numbers(&learner)) == before);
    // Another learner of the same settings finds everything.
    let other = Learner::new(&project, &splits, &config).unwrap();
    assert_eq!(numbers(&other), before.1);
    let (a, b) = (learner.evaluate(Split::Test).unwrap(), other.evaluate(Split::Test).unwrap());
    assert_eq!(a.predictions, b.predictions);

    learner.reset().unwrap();
    assert!(learner.history().unwrap().epochs.is_empty());
    assert_eq!(learner.evaluate(Split::Test).unwrap_err().kind(), ErrorKind::Config);
    // The other one still holds the values of the training that is gone; it does not start from them.
    let mut other = other;
    assert_eq!(other.evaluate(Split::Test).unwrap_err().kind(), ErrorKind::Config);
    for phase in [Phase::head(&config), Phase::upper(&config)] {
        other.fit_with(&phase, &mut quiet).unwrap();
    }
    assert!((bytes_of(&other), numbers(&other)) == before);
    // And the first, which has not trained since, sees what the other did.
    assert_eq!(learner.evaluate(Split::Test).unwrap().predictions, b.predictions);
}

#[test]
fn f51_cells_out_of_order_are_clear_errors() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let error = learner.fit(&Phase::upper(&config)).unwrap_err();
    assert!(error.what().contains("head's phase is not finished"), "{error}");
    for error in [
        learner.evaluate(Split::Test).unwrap_err(),
        learner.predict(&splits.test.samples[0].path).unwrap_err(),
        learner.grad_cam(&[]).unwrap_err(),
        learner.save(folder.path().join("model.safetensors")).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.how_to_mend().unwrap().contains("run the fit cells first"), "{error}");
    }
    assert!(!folder.path().join("model.safetensors").exists());
}

#[test]
fn f51_a_cell_that_failed_half_way_goes_on_after_the_mend_and_overwrites_no_best() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { cache: false, fine_tune: PhaseConfig { epochs: 1, ..small().fine_tune }, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    learner.fit_with(&Phase::head(&config), &mut quiet).unwrap();
    let best = bytes_of(&learner);

    // A photo is gone in the middle of the next phase.
    let photo = &splits.train.samples[7].path;
    let aside = folder.path().join("aside");
    let mut lose = |event: &Event| {
        if matches!(event, Event::Begin { .. }) {
            fs::rename(photo, &aside).unwrap();
        }
        ControlFlow::Continue(())
    };
    let error = learner.fit_with(&Phase::upper(&config), &mut lose).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(photo.as_path())));
    assert!(bytes_of(&learner) == best);
    fs::rename(&aside, photo).unwrap();
    learner.fit_with(&Phase::upper(&config), &mut quiet).unwrap();

    let other = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(other.path(), &config);
    assert!(bytes_of(&learner) == bytes_of(&train(&project, &splits, &config, None)));
}

#[test]
fn f51_killed_before_the_model_file_was_written_the_phase_is_finished_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { image_size: 32, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let open = || Learner::in_run(&project, &splits, &config, Kind::Baseline, Some("run")).unwrap();
    let mut learner = open();
    // The state before the end of the phase, which is when the model file is written.
    let last = learner.run().last();
    let mut before_the_end = Vec::new();
    let mut keep = |event: &Event| {
        if matches!(event, Event::Epoch { .. }) {
            before_the_end = files::read(&last).unwrap();
        }
        ControlFlow::Continue(())
    };
    learner.fit_with(&Phase::baseline(&config), &mut keep).unwrap();
    let best = bytes_of(&learner);
    fs::write(&last, before_the_end).unwrap();
    fs::remove_file(learner.run().best()).unwrap();
    let mut learner = open();
    assert!(matches!(learner.fit_with(&Phase::baseline(&config), &mut quiet).unwrap().ended, Ended::Finished(_)));
    assert!(bytes_of(&learner) == best);
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
