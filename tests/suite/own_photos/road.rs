//! The whole road in one command, on folders as people have them.

use std::fs;

use petal::export;
use petal::train::Runs;
use serde_json::Value;

use super::{petal, photos, refused, well};
use crate::data::{picture, project, write_picture};

const LITE0: [&str; 8] =
    ["--backbone", "efficientnet_lite0", "--weights", "embedded", "--epochs-head", "1", "--epochs-tune", "0"];

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["train"], more, &LITE0].concat()
}

#[test]
fn one_command_goes_from_a_folder_to_a_model_and_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(&root.join("my photos"), 6, 0);
    let output = petal(root, &train(&["--photos", "my photos"]));
    let (said, progress) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{progress}");
    assert!(progress.contains("Split") && progress.contains("phase head"), "{progress}");
    let run = &Runs::open(&project(root)).unwrap().runs[0];
    for path in [
        run.folder.join("best.safetensors"),
        run.report(),
        root.canonicalize().unwrap().join("models/best_model.safetensors"),
    ] {
        assert!(path.is_file() && said.contains(&path.display().to_string()), "{}: {said}", path.display());
    }
    // What the page, the settings and the manifest say of the photos is what they are.
    let own = root.join("my photos").canonicalize().unwrap().display().to_string();
    for name in ["report.html", "config.toml"] {
        let text = fs::read_to_string(run.folder.join(name)).unwrap();
        assert!(text.contains(&own), "{name}: {text}");
        assert!(!text.contains("TF Flowers") && !text.contains("3,670") && !text.contains("tf-flowers"), "{name}");
    }
    let split: Value = serde_json::from_slice(&fs::read(root.join("data/split.json")).unwrap()).unwrap();
    assert_eq!(split["source"]["folder"], own.as_str());
    // Trained without --photos, on the same split, it is the same run.
    well(root, &train(&[]));
    assert_eq!(Runs::open(&project(root)).unwrap().runs.len(), 1);
    // Runs are found by name, by folder, and by the folder of models.
    for model in [run.name.as_str(), "models", run.folder.to_str().unwrap()] {
        well(root, &["evaluate", "--model", model]);
        well(root, &["predict", "--model", model, "my photos/cat/000.jpg"]);
    }
    let wrong = run.name.replacen("lite", "lte", 1);
    refused(root, &["evaluate", "--model", &wrong], &[&format!("did you mean the run {}?", run.name)]);
    let listed = well(root, &["runs"]);
    assert!(listed.contains(&run.name) && listed.contains("finished"), "{listed}");
    let shown = well(root, &["runs", &run.name]);
    assert!(shown.contains("best epoch") && shown.contains("train loss") && shown.contains("report.html"), "{shown}");
    refused(root, &["runs", &wrong], &["did you mean"]);
    let json: Value = serde_json::from_str(&well(root, &["runs", "--json"])).unwrap();
    assert_eq!((json["best"].as_str(), json["runs"][0]["finished"].as_bool()), (Some(run.name.as_str()), Some(true)));
    assert!(well(root, &["runs", "--models", "other"]).contains("no run yet"));
}

#[test]
fn f62_two_runs_keep_a_model_each_and_the_common_name_stays_with_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(&root.join("p"), 6, 0);
    well(root, &train(&["--photos", "p"]));
    let kept = root.join("models/best_model.safetensors");
    let first = fs::read(&kept).unwrap();
    let name = export::info(&kept).unwrap().run.unwrap();
    assert!(root.join("models/runs").join(&name).is_dir());
    let said = well(root, &train(&["--seed", "7"]));
    assert!(said.contains(&format!("stays that of run {name}; --replace-model")), "{said}");
    assert!(fs::read(&kept).unwrap() == first);
    let runs = Runs::open(&project(root)).unwrap();
    assert!(runs.runs.len() == 2 && runs.runs.iter().all(|run| run.folder.join("best.safetensors").is_file()));
    // The first one's own place is renewed by itself, and by the other where that is asked for.
    well(root, &train(&[]));
    assert!(fs::read(&kept).unwrap() == first);
    well(root, &train(&["--seed", "7", "--replace-model"]));
    assert_ne!(export::info(&kept).unwrap().run.unwrap(), name);
    // A file of another kind in its place is nobody's to overwrite.
    fs::write(&kept, "mine").unwrap();
    assert!(well(root, &train(&[])).contains("something else"));
    refused(root, &train(&["--replace-model"]), &["not a model file"]);
    assert_eq!(fs::read(&kept).unwrap(), b"mine");
}

#[test]
fn misspelt_words_are_guessed_and_unknown_ones_listed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (arguments, words) in [
        (&["train", "--weights", "embeded"][..], "did you mean embedded?"),
        (&["train", "--backbone", "efficientnet-lite"], "did you mean efficientnet-lite0?"),
        (&["train", "--fit", "squach"], "did you mean squash?"),
        (&["embed", "p", "--backbone", "resnet5", "--out", "f"], "did you mean resnet50?"),
        (&["evaluate", "--model", "m", "--split", "tset"], "did you mean test?"),
        (&["runs", "--device", "cup"], "did you mean cpu?"),
    ] {
        let output = petal(root, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{arguments:?}: {said}");
    }
    refused(root, &["train", "--recipe", "sed"], &["did you mean seed?"]);
    let bench = ["bench", "--backbone", "efficientnet-lite0", "--batch", "1", "--times", "1", "--only", "nothing"];
    let output = petal(root, &bench);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && said.contains("forward, phase-1 step") && said.contains("baseline step"),
        "{said}"
    );
}

#[test]
fn uneven_classes_are_said_where_they_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for number in 0..33 {
        let class = if number < 30 { "cat" } else { "dog" };
        write_picture(&root.join("p").join(class).join(format!("{number}.jpg")), &picture(number));
    }
    let said = well(root, &["split-dataset", "--photos", "p"]);
    let words = "cat has 30 photos, dog 3. A model that always says cat is right for 90.9 % of all photos";
    assert!(said.contains(words), "{said}");
    photos(&root.join("even"), 6, 100);
    assert!(!well(root, &["split-dataset", "--photos", "even", "--data", "d2"]).contains("uneven"));
}

#[test]
fn the_whole_picture_is_seen_where_that_is_set_and_by_predict_too() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(&root.join("p"), 6, 0);
    let mut seen = Vec::new();
    for fit in ["crop", "squash", "pad"] {
        well(root, &train(&["--photos", "p", "--fit", fit, "--run", fit]));
        let info = export::info(&root.join("models/runs").join(fit).join("best.safetensors")).unwrap();
        assert_eq!(format!("{:?}", info.preprocess.fit).to_lowercase(), fit);
        let out = format!("{fit}.safetensors");
        let embed =
            ["embed", "p", "--backbone", "efficientnet-lite0", "--weights", "embedded", "--fit", fit, "--out", &out];
        well(root, &embed);
        let predicted: Value =
            serde_json::from_str(&well(root, &["predict", "--model", fit, "p/cat", "--json"])).unwrap();
        seen.push((fs::read(root.join(&out)).unwrap(), predicted["predictions"].clone()));
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[0].0 != seen[2].0);
}
