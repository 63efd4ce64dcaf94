//! What goes wrong in a cell reads like advice: what happened, where, and what to do about it.

use petal::config::{Config, Source};
use petal::data::{Dataset, Split, Splits};
use petal::error::Error;
use petal::eval::compare;
use petal::learner::{Kind, Learner};
use petal::project::{DeviceChoice, Project};
use petal::train::{Phase, Runs};

/// A mistake that people make, and words that its error must hold.
fn advice(name: &str, error: &Error, words: &[&str]) {
    let text = error.to_string();
    assert!(text.lines().count() <= 3, "{name}: more than three lines:\n{text}");
    // Where no step mends it, what was expected is named.
    assert!(error.how_to_mend().is_some() || text.contains("expected"), "{name}: no advice:\n{text}");
    for word in words {
        assert!(text.contains(word), "{name}: {word:?} is not in:\n{text}");
    }
}

#[test]
fn the_usual_mistakes_are_answered_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let project = Project::open_on(folder.path(), DeviceChoice::Cpu).unwrap();
    let photos = folder.path().join("photos");
    let config = Config { source: Source::Synthetic { per_class: 10 }, image_size: 64, ..Config::demo() };

    advice("no folder", &Dataset::folder(&photos).unwrap_err(), &["no such folder", "one folder of photos per class"]);
    std::fs::create_dir_all(photos.join("roses")).unwrap();
    advice("an empty class", &Dataset::folder(&photos).unwrap_err(), &["roses", "has no photos", "add photos"]);
    advice("no split", &Splits::open(&project.data).unwrap_err(), &["no split yet", "split-dataset"]);
    advice("a setting", &Config::from_toml("batchsize = 3").unwrap_err(), &["batchsize", "expected"]);
    advice("a recipe", &Config::recipe("sed").unwrap_err(), &["sed", "seed", "demo"]);
    advice("a device", &"tpu".parse::<DeviceChoice>().unwrap_err(), &["tpu", "cpu"]);
    advice("a part", &"dev".parse::<Split>().unwrap_err(), &["dev", "one of train, val, test"]);

    let splits = Dataset::fetch(&project, &config).unwrap().split(&project, &config).unwrap();
    let other = Config { seed: 7, ..config.clone() };
    let dataset = Dataset::fetch(&project, &config).unwrap();
    advice("another seed", &dataset.split(&project, &other).unwrap_err(), &["seed 42", "7", "resplit"]);
    let in_run = |name: &str| Learner::in_run(&project, &splits, &config, Kind::Transfer, Some(name));
    advice("a run's name", &in_run("../elsewhere").unwrap_err(), &["../elsewhere", "letters, digits"]);

    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let untrained = "has not finished a training phase";
    advice("evaluate first", &learner.evaluate(Split::Test).unwrap_err(), &[untrained, "fit cells"]);
    advice("save first", &learner.save(folder.path().join("m")).unwrap_err(), &[untrained, "fit cells"]);
    advice("predict first", &learner.predict("photo.jpg").unwrap_err(), &[untrained]);
    advice("clean first", &learner.cleaner(&[Split::Val]).unwrap_err(), &[untrained]);
    advice("tune first", &learner.fit_upper().unwrap_err(), &["head", "learner.fit_head()"]);
    let phase = Phase { learning_rate: -1.0, ..Phase::head(&config) };
    advice("a learning rate", &learner.fit(&phase).unwrap_err(), &["-1", "above 0"]);
    advice("a class", &learner.info().class("rose").unwrap_err(), &["rose", "roses"]);
    advice("no history", &learner.history().unwrap().curves().unwrap_err(), &["no epoch", "fit cell"]);
    advice("a run", &Runs::open(&project).unwrap().get("best").unwrap_err(), &["best"]);
    advice("nothing to compare", &compare(&[]).unwrap_err(), &["nothing to compare", "evaluate"]);

    learner.fit_with(&Phase::head(&config), &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    advice("a file", &learner.predict("phto.jpg").unwrap_err(), &["phto.jpg", "no such file", "starts at"]);
    advice("a folder", &learner.predict_all(&["phtos"]).unwrap_err(), &["phtos", "no such file", "starts at"]);
    let (test, val) = (learner.evaluate(Split::Test).unwrap(), learner.evaluate(Split::Val).unwrap());
    advice("other photos", &compare(&[&test, &val]).unwrap_err(), &["not measured on the same photos", "one split"]);
    let cleaner = learner.cleaner(&[Split::Val]).unwrap();
    advice("a number", &cleaner.keep(&[99]).unwrap_err(), &["99", "from 1 to"]);
    advice("a new class", &cleaner.relabel(&[1], "lilies").unwrap_err(), &["lilies", "roses"]);
    advice("nothing marked", &cleaner.save().unwrap_err(), &["no photo is marked", "relabel"]);
    advice("no part", &learner.cleaner(&[]).unwrap_err(), &["at least one part", "Split::Train"]);
}
