//! Run folders: what stands in them, their pages, and all of them side by side.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use petal::config::{Config, PhaseConfig, Source};
use petal::data::Split;
use petal::eval::{Evaluation, read_predictions};
use petal::learner::Learner;
use petal::project::{DeviceChoice, Project};
use petal::report::Figure;
use petal::train::{Measured, Phase, RunRecord, Runs};
use petal::{ErrorKind, files};

use crate::support::{flowers, small_for};

const NASTY: &str = "<img src=x onerror=alert(1)>";

fn small(photos: &Path) -> Config {
    Config { source: Source::Folder(photos.into()), ..small_for(2, 1, 1) }
}

/// A folder of drawn flowers, one class with a name that means something in HTML.
fn photos(folder: &Path) -> std::path::PathBuf {
    let photos = folder.join("photos");
    petal::data::synthetic::draw(&photos, 10, petal::Seed(3)).unwrap();
    std::fs::rename(photos.join("roses"), photos.join(NASTY)).unwrap();
    photos
}

fn fit(learner: &mut Learner, phase: &Phase) {
    learner.fit_with(phase, &mut |_| ControlFlow::Continue(())).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let files = files::sorted_dir(folder).unwrap();
    files.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_run_folder_tells_all_of_it_and_its_page_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = small(&photos(folder.path()));
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    assert!(learner.run().text().contains("nothing to show yet"), "{}", learner.run().text());
    fit(&mut learner, &Phase::head(&config));
    let run = learner.run().folder.clone();
    for name in ["best.safetensors", "config.toml", "history.csv", "curves.png", "report.html", "run.json"] {
        assert!(run.join(name).exists(), "{name}: {:?}", names(&run));
    }
    assert!(!run.join("metrics.json").exists(), "nothing was measured yet");

    let test = learner.evaluate(Split::Test).unwrap();
    learner.evaluate(Split::Val).unwrap();
    for name in ["metrics.json", "predictions_test.csv", "confusion_matrix_test.png", "top_losses_test.png"] {
        assert!(run.join(name).exists(), "{name}: {:?}", names(&run));
    }
    let metrics: BTreeMap<String, Measured> =
        serde_json::from_slice(&files::read(&run.join("metrics.json")).unwrap()).unwrap();
    assert_eq!(metrics.keys().collect::<Vec<_>>(), ["test", "val"]);
    let interval = test.accuracy();
    let measured = &metrics["test"];
    assert_eq!(
        (measured.accuracy, measured.accuracy_low, measured.accuracy_high, measured.loss, measured.photos),
        (interval.value, interval.low, interval.high, test.loss(), test.predictions.len())
    );
    let read = read_predictions(&run.join("predictions_test.csv"), "efficientnet-lite0").unwrap();
    let told = |of: &Evaluation| {
        of.predictions.iter().map(|p| (p.path.clone(), p.target, p.probabilities.clone())).collect::<Vec<_>>()
    };
    assert_eq!(told(&read), told(&test));

    let record = RunRecord::read(&run).unwrap();
    assert_eq!((&record.config, record.is_finished()), (&config, true));
    let epochs = |history: &petal::train::History| {
        history.epochs.iter().map(|e| (e.epoch, e.train_loss, e.val_loss)).collect::<Vec<_>>()
    };
    assert_eq!(epochs(&record.history), epochs(&learner.history().unwrap()));
    assert_eq!(record.history.ended, learner.history().unwrap().ended);
    assert_eq!(record.made_by.made_with, learner.run().made_with);
    assert_eq!(record.made_by.best_sha256, files::sha256_file(&run.join("best.safetensors")).unwrap());

    let page = String::from_utf8(files::read(&run.join("report.html")).unwrap()).unwrap();
    for words in [
        "<!doctype html>",
        "default-src 'none'",
        "color-scheme",
        "data:image/png",
        "data:image/jpeg",
        "On the test photos",
    ] {
        assert!(page.contains(words), "{words}");
    }
    // The hashes and versions that it was made with.
    for words in [&splits.train.sha256, &record.made_by.best_sha256, &record.made_by.versions["candle-core"]] {
        assert!(page.contains(words.as_str()), "{words}");
    }
    // One file, no script, nothing from elsewhere, every name escaped.
    assert!(page.contains("&lt;img src=x onerror"), "the class's name is on the page");
    for foreign in ["<script", "src=\"http", "href=", NASTY, "<link", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }

    // More training: what was measured before is not shown as if it were of the new weights.
    fit(&mut learner, &Phase::upper(&config));
    let record = RunRecord::read(&run).unwrap();
    if record.history.best().unwrap().phase == "fine-tune" {
        assert!(record.measured("test").is_none());
        let page = String::from_utf8(files::read(&run.join("report.html")).unwrap()).unwrap();
        assert!(page.contains("evaluated before the last training") && !page.contains("mean cross-entropy"), "{page}");
    } else {
        assert!(record.measured("test").is_some());
    }

    learner.reset().unwrap();
    let told =
        |name: &String| ["run.json", "metrics.json", "report.html"].contains(&name.as_str()) || name.contains("_test.");
    assert_eq!(names(&run).into_iter().filter(told).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn runs_are_sorted_compared_and_none_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let config = small(&photos(folder.path()));
    let (project, splits) = flowers(folder.path(), &config);
    assert!(Runs::open(&project).unwrap().text().contains("no run yet"));
    let train = |config: &Config| {
        let mut learner = Learner::new(&project, &splits, config).unwrap();
        fit(&mut learner, &Phase::head(config));
        learner
    };
    let slow = Config { head: PhaseConfig { epochs: 1, learning_rate: 1e-6, ..config.head }, ..config.clone() };
    let (slow, good) = (train(&slow), train(&config));
    good.evaluate(Split::Test).unwrap();
    let runs = project.models.join("runs");
    let name = |learner: &Learner| learner.run().folder.file_name().unwrap().to_string_lossy().into_owned();

    // What else may lie there: a folder without anything, one with a broken file, a hidden one, a file.
    std::fs::create_dir_all(runs.join("empty")).unwrap();
    std::fs::create_dir_all(runs.join(".hidden")).unwrap();
    std::fs::write(runs.join("notes.txt"), "notes").unwrap();
    let broken = runs.join("broken");
    std::fs::create_dir_all(&broken).unwrap();
    for file in ["config.toml", "history.csv", "run.json"] {
        std::fs::copy(slow.run().folder.join(file), broken.join(file)).unwrap();
    }
    std::fs::write(broken.join("run.json"), "{\"model\": ").unwrap();

    let all = Runs::open(&project).unwrap();
    assert_eq!(all.runs.iter().map(|run| run.name.clone()).collect::<Vec<_>>(), [name(&good), name(&slow)]);
    assert_eq!(all.best().unwrap().name, name(&good));
    let differences = all.differences();
    assert_eq!(differences.keys().collect::<Vec<_>>(), ["head.epochs", "head.learning_rate"]);
    assert_eq!(differences["head.epochs"], ["2", "1"]);
    let why: Vec<_> = all
        .unreadable
        .iter()
        .map(|(path, error)| (path.file_name().unwrap().to_str().unwrap(), error.what()))
        .collect();
    assert_eq!((why.len(), why[0].0, why[1].0), (2, "broken", "empty"), "{why:?}");
    assert!(why[0].1.contains("cannot be understood") && why[1].1.contains("no config.toml"), "{why:?}");

    let text = all.text();
    let accuracy = 100.0 * all.runs[0].metrics["test"].accuracy;
    let starred = text.lines().find(|line| line.contains('★')).unwrap();
    assert!(starred.contains(&name(&good)) && starred.contains(&format!("{accuracy:.1} % (")), "{starred}");
    for words in
        ["2 runs", "settings that differ", "head.learning_rate", "broken", "empty", "[picture: validation loss"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(all.get("broken").unwrap_err().what().contains("cannot be understood"));
    assert_eq!(all.get("none").unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(all.get(&name(&slow)).unwrap().name, name(&slow));

    // A run on other photos: no run is called the best.
    std::fs::rename(runs.join("broken"), runs.join("other photos")).unwrap();
    let mut made_by = slow.run().record().unwrap().made_by;
    made_by.made_with.insert("photos.val".into(), "0123456789abcdef".into());
    std::fs::write(runs.join("other photos/run.json"), serde_json::to_string(&made_by).unwrap()).unwrap();
    let all = Runs::open(&project).unwrap();
    assert_eq!((all.runs.len(), all.best().is_none(), all.is_comparable()), (3, true, false));
    let text = all.text();
    assert!(text.contains("different validation photos") && text.contains("012345") && !text.contains('★'), "{text}");
}

#[test]
fn a_run_in_the_middle_says_so_and_old_folders_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let config = small(&photos(folder.path()));
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    // Stopped after the first epoch.
    let mut observe = |event: &petal::train::Event| match event {
        petal::train::Event::Epoch { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    learner.fit_with(&Phase::head(&config), &mut observe).unwrap();
    let record = learner.run().record().unwrap();
    assert_eq!(
        (record.history.epochs.len(), record.is_finished(), record.made_by.best_sha256.as_str()),
        (1, false, "")
    );
    assert!(record.text().contains("head under way or stopped"), "{}", record.text());
    assert!(Runs::open(&project).unwrap().text().contains("unfinished"));
    fit(&mut learner, &Phase::head(&config));
    assert!(learner.run().record().unwrap().is_finished());

    // A folder of a petal that wrote no run.json: told why, and mended by the cells that made it.
    std::fs::remove_file(learner.run().folder.join("run.json")).unwrap();
    let runs = Runs::open(&project).unwrap();
    assert!(runs.runs.is_empty() && runs.unreadable[0].1.what().contains("run.json"), "{runs:?}");
    learner.evaluate(Split::Test).unwrap();
    let runs = Runs::open(&project).unwrap();
    assert!(runs.unreadable.is_empty() && runs.runs[0].measured("test").is_some());
}

#[test]
fn curves_of_many_runs_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let project = Project::open_on(folder.path(), DeviceChoice::Cpu).unwrap();
    let runs = project.models.join("runs");
    for index in 0..9 {
        let run = runs.join(format!("run {index}"));
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("config.toml"), Config { seed: index, ..Config::seed() }.to_toml()).unwrap();
        std::fs::write(run.join("run.json"), serde_json::to_string(&petal::train::MadeBy::default()).unwrap()).unwrap();
        let mut history =
            "phase,epoch,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,best,seconds\n".to_string();
        for epoch in 1..=5 {
            let loss = 0.2 + index as f64 * 0.05 + 1.0 / epoch as f64;
            history += &format!("head,{epoch},0.001,{loss},0.5,{loss},0.5,true,1.000\n");
        }
        std::fs::write(run.join("history.csv"), history).unwrap();
    }
    let all = Runs::open(&project).unwrap();
    assert_eq!((all.runs.len(), all.best().unwrap().name.as_str()), (9, "run 0"));
    assert_eq!(all.differences().keys().collect::<Vec<_>>(), ["seed"]);
    let figure: Figure = all.curves().unwrap();
    assert!(figure.text().contains("run 6") && !figure.text().contains("run 7"), "seven colours: {}", figure.text());
    let picture = petal::pixels::decode(figure.png(), &Default::default()).unwrap();
    for [r, g, b] in [[0u8, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233]] {
        let near = |p: &&[u8]| p[0].abs_diff(r) < 8 && p[1].abs_diff(g) < 8 && p[2].abs_diff(b) < 8;
        assert!(picture.data.chunks_exact(3).filter(near).count() > 300, "{r} {g} {b}");
    }
}
