//! Runs compared on the same photos, and a head that is cross-validated.

use std::fs;
use std::ops::ControlFlow;

use petal::ErrorKind;
use petal::config::{Config, PhaseConfig, Source};
use petal::data::Split;
use petal::data::manifest::Twins;
use petal::learner::{Learner, compare_over_seeds, compare_runs};
use petal::train::Phase;
use serde_json::Value;

use crate::faults::petal;
use crate::support::{flowers, small};

#[test]
fn runs_are_compared_by_name_on_the_same_photos_with_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { image_size: 40, source: Source::Synthetic { per_class: 20 }, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut names = Vec::new();
    for learning_rate in [1e-6, 5e-3] {
        let config = Config { head: PhaseConfig { learning_rate, ..config.head }, ..config.clone() };
        let mut learner = Learner::new(&project, &splits, &config).unwrap();
        learner.fit_with(&Phase::head(&config), &mut |_| ControlFlow::Continue(())).unwrap();
        learner.evaluate(Split::Val).unwrap();
        names.push(learner.run().folder.file_name().unwrap().to_string_lossy().into_owned());
    }
    let comparison = compare_runs(&project, &names, Split::Val).unwrap();
    let told: Vec<&str> = comparison.evaluations.iter().map(|evaluation| evaluation.model.as_str()).collect();
    assert_eq!(told, names);
    assert!(comparison.seconds.iter().all(|seconds| seconds.is_some_and(|seconds| seconds > 0.0)));
    let difference = comparison.against_first[0];
    let accuracies: Vec<f64> = comparison.evaluations.iter().map(|e| e.accuracy().value).collect();
    assert!((difference.gain.value - (accuracies[1] - accuracies[0])).abs() < 1e-12);
    assert!(difference.gain.low <= difference.gain.value && difference.gain.value <= difference.gain.high);
    let text = comparison.text();
    let found = if difference.is_shown() { "a difference is shown" } else { "no difference shown" };
    assert!(text.contains(found) && text.contains("paired by photo") && text.contains("trained in"), "{text}");
    // A run with itself.
    let same = compare_runs(&project, &[&names[0], &names[0]], Split::Val).unwrap();
    assert!(!same.against_first[0].is_shown() && same.text().contains("no difference shown"));

    // By the command, and on a part that no run was measured on.
    for split in ["val", "test"] {
        let arguments = ["compare", &names[0], &names[1], "--split", split, "--json"];
        let output = petal(folder.path(), &arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["models"][1]["model"], names[1].as_str());
        assert!(told["against_first"][0]["mcnemar_p"].is_number() && told["models"][0]["seconds"].is_number());
    }
    // Two ways with two seeds each: here the same run twice, so that all pairs are alike.
    let pairs = names.iter().map(|name| format!("{name}+{name}")).collect::<Vec<_>>();
    let output = petal(folder.path(), &["compare", &pairs[0], &pairs[1], "--split", "val", "--json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((told["gain"].as_f64().unwrap(), told["photos"].as_u64().unwrap()), (difference.gain.value, 2 * 10));
    let ends = [0, 1].map(|end| told["gain_interval_95"][end].as_f64().unwrap());
    assert!(ends[0] <= difference.gain.value && difference.gain.value <= ends[1], "{told}");
    let two = [names[0].as_str(), names[1].as_str()];
    let refused = compare_over_seeds(&project, &two[..1], &two[1..], Split::Val).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config, "{refused}");
    let error = compare_runs(&project, &["no such run", &names[0]], Split::Val).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.what().contains("there is no run"), "{error}");
    assert_eq!(compare_runs(&project, &names[..1], Split::Val).unwrap_err().kind(), ErrorKind::Config);
    let model = project.models.join("runs").join(&names[0]).join("best.safetensors");
    fs::remove_file(model).unwrap();
    fs::remove_file(project.models.join("runs").join(&names[0]).join("predictions_val.csv")).unwrap();
    let error = compare_runs(&project, &names, Split::Val).unwrap_err();
    assert!(error.what().contains("has not finished a phase"), "{error}");
}

#[test]
fn a_head_is_cross_validated_with_copies_in_one_fold_and_the_test_photos_unread() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { image_size: 64, source: Source::Synthetic { per_class: 20 }, ..small() };
    let (project, mut splits) = flowers(folder.path(), &config);
    // Photos that are taken for copies of each other, as the split would say.
    let name = |index: usize| splits.train.samples[index].name.clone();
    let pairs = [(0, 1), (1, 2), (30, 31)];
    splits.made_with.pairs = pairs.map(|(a, b)| Twins { one: name(a), other: name(b), likeness: 0.9 }).to_vec();
    for sample in splits.test.samples.iter() {
        fs::remove_file(&sample.path).unwrap();
    }
    let learner = Learner::new(&project, &splits, &config).unwrap();
    let found = learner.cross_validate(5).unwrap();
    assert_eq!(found.evaluation.predictions.len(), splits.train.samples.len() + splits.val.samples.len());
    assert!(pairs.iter().all(|(a, b)| found.folds[*a] == found.folds[*b]));
    assert_eq!((found.accuracies.len(), found.folds.iter().max()), (5, Some(&4)));
    assert!(found.mean() > 0.5, "drawn flowers are told apart: {:?}", found.accuracies);
    assert!(found.text().contains("mean and standard deviation"), "{}", found.text());
    // The same again with one thread and without the cache.
    let uncached = Config { cache: false, ..config.clone() };
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let again = one.install(|| Learner::new(&project, &splits, &uncached).unwrap().cross_validate(5).unwrap());
    assert_eq!((again.folds, again.evaluation.predictions), (found.folds, found.evaluation.predictions));

    for folds in [0, 1, 10_000] {
        let error = learner.cross_validate(folds).unwrap_err();
        assert!(error.what().contains("the number of folds"), "{error}");
    }
    let baseline = Learner::baseline(&project, &splits, &config).unwrap();
    assert_eq!(baseline.cross_validate(5).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn the_command_takes_any_setting_and_says_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { source: Source::Synthetic { per_class: 12 }, ..small() };
    flowers(folder.path(), &config);
    let train = |settings: &[&str]| {
        let always =
            ["train", "--recipe", "demo", "--set", "image_size=32", "--set", "head.epochs=1", "--epochs-tune", "0"];
        petal(folder.path(), &[&always, settings].concat()).output().unwrap()
    };
    let output = train(&["--set", "head.label_smoothing=0.1", "--set", "balance=weights", "--run", "mine"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let kept = fs::read_to_string(folder.path().join("models/runs/mine/config.toml")).unwrap();
    assert!(kept.contains("label_smoothing = 0.1") && kept.contains("balance = \"weights\""), "{kept}");
    for (setting, expected) in [("head.smoothing=1", "unknown field `smoothing`"), ("head.ema=2", "head.ema is 2")] {
        let output = train(&["--set", setting]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(expected), "{said}");
    }
}
