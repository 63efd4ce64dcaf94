//! The command `petal`, as a person or a program calls it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn petal(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_petal")).current_dir(folder).args(arguments).output().unwrap()
}

/// Runs with `--json`, expects success, and gives the object.
fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = petal(folder, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else on stdout")
}

const SETTINGS: &str = r#"
backbone = "efficientnet-lite0"
weights = "embedded"
image_size = 64
batch_size = 8
head = { epochs = 3, patience = 3, learning_rate = 1e-3 }
fine_tune = { epochs = 1, patience = 3, learning_rate = 1e-4 }
baseline = { epochs = 1, patience = 3, learning_rate = 1e-3 }
"#;

#[test]
fn all_steps_from_drawn_flowers_to_features() {
    // A space and an umlaut in the path, as people have them.
    let parent = tempfile::tempdir().unwrap();
    let folder = &parent.path().join("meine Blüten");
    std::fs::create_dir(folder).unwrap();
    std::fs::write(folder.join("petal.toml"), SETTINGS).unwrap();

    let data = json(folder, &["download-dataset", "--source", "synthetic", "--per-class", "12"]);
    assert_eq!(data["photos"], 60);
    let split = json(folder, &["split-dataset"]);
    assert_eq!((split["train"].as_u64(), split["val"].as_u64(), split["test"].as_u64()), (Some(50), Some(5), Some(5)));
    let again = json(folder, &["split-dataset"]);
    assert_eq!(split, again);

    // A look at the photos: the same twice, with a table and a page that replace their own and nothing else.
    let look = ["audit", "--csv", "audit.csv", "--out", "audit.html"];
    let audited = json(folder, &look);
    assert_eq!((audited["photos"].as_u64(), json(folder, &look) == audited), (Some(60), true));
    assert_eq!(audited["findings"].as_object().unwrap().len(), 9);
    assert_eq!(std::fs::read_to_string(folder.join("audit.csv")).unwrap().lines().count(), 61);
    assert!(std::fs::read_to_string(folder.join("audit.html")).unwrap().contains("map of 60 photos"));
    let refused = petal(folder, &["audit", "--out", "petal.toml"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not a page of an audit"));

    let listed = json(folder, &["networks", "--only", "efficientnet-lite"]);
    assert_eq!(listed["networks"].as_array().unwrap().len(), 5);
    assert_eq!(listed["networks"][0]["imagenet_top1"].as_f64().map(|top1| (top1 * 1e3).round()), Some(74_846.0));
    assert!(!petal(folder, &["networks", "--only", "swin"]).status.success());

    let trained = json(folder, &["train", "--config", "petal.toml"]);
    assert_eq!(trained["epochs"].as_array().unwrap().len(), 4);
    let model = trained["model"].as_str().unwrap();
    let evaluated = json(folder, &["evaluate", "--model", model]);
    assert_eq!(evaluated["accuracy"], trained["test"]["accuracy"]);
    // Of five photos, nothing is shown.
    assert!(evaluated["slices"]["all"].as_array().unwrap().len() > 5 && evaluated["slices"]["weakest"].is_null());
    let baseline = json(folder, &["train", "--config", "petal.toml", "--model", "baseline"]);
    assert_eq!(baseline["epochs"].as_array().unwrap().len(), 1);
    // It has a file of its own: the transfer model is still what it was.
    assert_ne!(baseline["model"], trained["model"]);
    let again = json(folder, &["evaluate", "--model", model]);
    assert_eq!((&again["model"], &again["accuracy"]), (&evaluated["model"], &evaluated["accuracy"]));

    let predicted = json(folder, &["predict", "--model", model, "data/test", "--csv", "out.csv"]);
    assert_eq!(predicted["predictions"].as_array().unwrap().len(), 5);
    assert_eq!(std::fs::read_to_string(folder.join("out.csv")).unwrap().lines().count(), 6);
    let explained = json(folder, &["explain", "--model", model, "data/test/roses", "--out", "cams"]);
    let picture = folder.join(explained["explained"][0]["picture"].as_str().unwrap());
    assert_eq!(&std::fs::read(picture).unwrap()[..8], b"\x89PNG\r\n\x1a\n");
    // 8 bits are spread by data/train, where nothing else is said.
    let exported = json(folder, &["export", "--model", model, "--onnx", "m.onnx", "--precision", "int8"]);
    assert_eq!(
        (exported["network"].as_str(), exported["precision"].as_str()),
        (Some("efficientnet-lite0"), Some("int8"))
    );
    assert_eq!(exported["bytes"], std::fs::metadata(folder.join("m.onnx")).unwrap().len());
    assert_eq!(exported["reference"], "m.onnx.json");
    let embed =
        ["embed", "--backbone", "efficientnet-lite0", "--weights", "embedded", "data/test", "--out", "f.safetensors"];
    let embedded = json(folder, &embed);
    assert_eq!(embedded["shape"], serde_json::json!([5, 1280]));
    assert_eq!(embedded["sha256"], json(folder, &embed)["sha256"]);
}

#[test]
fn unreadable_photos_get_a_line_each_and_exit_status_1() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path();
    let data = json(folder, &["download-dataset", "--source", "synthetic", "--per-class", "10"]);
    let photos = folder.join("photos");
    std::fs::create_dir(&photos).unwrap();
    let drawn = Path::new(data["root"].as_str().unwrap()).join("roses");
    let good = std::fs::read_dir(drawn).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(good).unwrap();
    std::fs::write(photos.join("good.jpg"), &bytes).unwrap();
    std::fs::write(photos.join("cut.jpg"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(photos.join("text.jpg"), "not a picture").unwrap();
    let embed =
        ["embed", "--backbone", "efficientnet-lite0", "--weights", "embedded", "photos", "--out", "f.safetensors"];
    let output = petal(folder, &[&embed[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["files"], serde_json::json!(["good.jpg"]));
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaints.lines().count(), 2, "{complaints}");
    assert!(complaints.contains("cut.jpg") && complaints.contains("text.jpg"), "{complaints}");
}

#[test]
fn failures_name_the_file_and_the_mend_and_leave_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path();
    for (arguments, words) in [
        (vec!["split-dataset", "--photos", "nowhere"], vec!["nowhere"]),
        (vec!["split-dataset"], vec!["download-dataset"]),
        (vec!["train"], vec!["split-dataset"]),
        (vec!["evaluate", "--model", "no.safetensors"], vec!["no.safetensors"]),
        (vec!["train", "--config", "no.toml"], vec!["no.toml"]),
        (
            vec!["embed", "--backbone", "resnet18", "--weights", "w.pth", ".", "--out", "f"],
            vec!["w.pth", "safetensors"],
        ),
    ] {
        let output = petal(folder, &arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        for word in words {
            assert!(text.contains(word), "{arguments:?}: {text}");
        }
    }
    assert_eq!(petal(folder, &["train", "--backbone", "resnet51"]).status.code(), Some(2));
    assert_eq!(petal(folder, &["no-such-step"]).status.code(), Some(2));
}

/// What `--set` says holds for every recipe that is tried; the test photos are measured for `--test` alone (that nothing else looks at them, the library's
/// own test shows). A model is asked otherwise by two options.
#[test]
fn a_sweep_chooses_on_validation_photos_and_a_model_is_asked_in_several_views() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path();
    std::fs::write(folder.join("petal.toml"), SETTINGS).unwrap();
    json(folder, &["download-dataset", "--source", "synthetic", "--per-class", "12"]);
    json(folder, &["split-dataset"]);
    let over = ["--over", "recipe=seed,instant", "--set", "head.epochs=1", "--set", "fine_tune.epochs=0"];
    let sweep = [&["sweep", "--config", "petal.toml", "--picture", "rounds.png"][..], &over].concat();
    let told = json(folder, &sweep);
    let tried = told["rungs"][0]["tried"].as_array().unwrap();
    assert_eq!((told["rungs"].as_array().unwrap().len(), tried.len(), &told["test"]), (1, 2, &Value::Null));
    let best = tried.iter().map(|tried| tried["val_accuracy"].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!((tried[0]["val_accuracy"].as_f64(), &told["winner"]), (Some(best), &tried[0]["settings"]));
    for tried in tried {
        let run = folder.join("models/runs").join(tried["run"].as_str().unwrap());
        let config = petal::Config::load(run.join("config.toml")).unwrap();
        assert_eq!((config.head.epochs, config.fine_tune.epochs), (1, 0), "{tried}");
    }
    assert!(std::fs::read(folder.join("rounds.png")).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(json(folder, &[&sweep[..], &["--test"]].concat())["test"]["photos"], 5);

    let run = tried[0]["run"].as_str().unwrap();
    let asked = |more: &[&str]| json(folder, &[&["evaluate", "--model", run, "--split", "val"], more].concat());
    let plain = asked(&[]);
    assert_eq!(asked(&["--test-views", "one", "--test-size", "64"]), plain);
    for other in [["--test-views", "flip"], ["--test-views", "crops"], ["--test-size", "80"]] {
        assert_ne!(asked(&other)["loss"], plain["loss"], "{other:?}");
    }
    let output = petal(folder, &["evaluate", "--model", run, "--test-views", "flips"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("flip"), "{said}");
}
