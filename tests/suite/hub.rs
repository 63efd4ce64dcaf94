//! A model goes to a hub and comes back from it.

use std::fs;
use std::path::Path;

use petal::export::{self, hub::write_folder};
use petal::models::hub::push::{Pushed, push};
use petal::models::{Hub, weights};
use petal::prelude::*;
use petal::{ErrorKind, Unheard, files};
use serde_json::Value;

use crate::support::loopback_hub::LoopbackHub;
use crate::support::server::hub;
use crate::support::{flowers, small_for};

/// A trained model in a folder for the hub, and the hub, reached with a token.
fn ready(root: &Path, loopback: &LoopbackHub) -> (export::hub::HubFolder, Hub) {
    let config = small_for(1, 0, 1);
    let (project, splits) = flowers(root, &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    learner.fit_head().unwrap();
    let (model, info) = export::load(&learner.run().best(), &project.device).unwrap();
    let record = learner.run().record().unwrap();
    let card = |name: &str, sha256: &str| Some(record.card_of(name, sha256));
    let folder = write_folder(&model, &info, &root.join("for the hub"), card).unwrap();
    (folder, Hub { token: Some("secret".into()), ..hub(loopback.endpoint(), root) })
}

fn sent(folder: &export::hub::HubFolder, hub: &Hub) -> Result<Pushed> {
    push(hub, "me/flowers", &folder.files, "a model", true, &mut Unheard)
}

#[test]
fn a_model_goes_to_the_hub_whole_and_is_trained_on_from_there() {
    let root = tempfile::tempdir().unwrap();
    let loopback = LoopbackHub::new();
    let (folder, hub) = ready(root.path(), &loopback);
    let names: Vec<&str> = folder.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["README.md", "config.json", "model.onnx", "model.safetensors"]);
    let card = fs::read_to_string(folder.folder.join("README.md")).unwrap();
    assert!(card.starts_with("---\n") && card.contains("\nlicense: ") && card.contains(&folder.sha256), "{card}");
    let pushed = sent(&folder, &hub).unwrap();
    assert_eq!(pushed.url, "me/flowers/commit/1");
    {
        let state = loopback.state.lock().unwrap();
        for file in &folder.files {
            assert_eq!(state.repositories["me/flowers"][&file.name], files::read(&file.path).unwrap(), "{}", file.name);
        }
        assert_eq!(state.private, ["me/flowers"]);
        // The token is for the hub alone, not for its storage.
        let (storage, hub): (Vec<_>, Vec<_>) = state.log.iter().partition(|line| line.contains("/storage/"));
        assert!(storage.len() == 2 && storage.iter().all(|line| !line.contains("secret")), "{storage:?}");
        assert!(hub.iter().all(|line| line.contains("bearer secret")), "{hub:?}");
    }
    // A second time nothing large is sent, and the folder is written anew.
    assert!(sent(&folder, &hub).unwrap().sent < 100_000 && loopback.asked("PUT /storage") == 2);

    // Trained on from there: the backbone's weights, and what photos are to be.
    let info = export::info(&folder.folder.join("model.safetensors")).unwrap();
    let records = root.path().join("models");
    let device = candle_core::Device::Cpu;
    let own = Backbone::EfficientnetLite0;
    let loaded = weights::load_from_repository(&hub, own, "me/flowers", &device, &records, &mut Unheard).unwrap();
    assert_eq!(loaded.preprocess, info.preprocess);
    let file = weights::load(own, &WeightsFrom::File(folder.files[3].path.clone()), &device, &records, &mut Unheard);
    let (file, embedded) =
        (file.unwrap().unwrap(), weights::load(own, &WeightsFrom::Embedded, &device, &records, &mut Unheard));
    for (name, tensor) in embedded.unwrap().unwrap().tensors {
        let numbers = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // The head alone was trained.
        assert_eq!(numbers(&loaded.tensors[&name]), numbers(&tensor), "{name}");
        assert_eq!(numbers(&file.tensors[&name]), numbers(&tensor), "{name}");
    }
}

#[test]
fn a_hub_that_refuses_has_nothing_of_it_and_says_why() {
    let root = tempfile::tempdir().unwrap();
    let loopback = LoopbackHub::new();
    let (folder, hub) = ready(root.path(), &loopback);
    let error = sent(&folder, &Hub { token: None, ..hub.clone() }).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.how_to_mend().unwrap().contains("HF_TOKEN"), "{error}");
    assert_eq!(sent(&folder, &Hub { offline: true, ..hub.clone() }).unwrap_err().kind(), ErrorKind::Offline);
    assert_eq!(loopback.asked(""), 0);
    for (part, status, content, says) in [
        (
            "repos/create",
            "403 Forbidden",
            r#"{"error":"you may not"}"#,
            "would not make the repository: 403 Forbidden: you may not",
        ),
        ("preupload", "200 OK", "<html>", "did not answer in JSON"),
        ("preupload", "200 OK", r#"{"files":[]}"#, "did not say which files are large"),
        ("objects/batch", "200 OK", r#"{"objects":[]}"#, "did not say where model"),
        ("/storage/", "500 Oops", "", "would not store model"),
        ("/verify", "422 Unprocessable", "", "would not find model"),
        ("/commit/", "412 Precondition Failed", r#"{"error":"somebody else was here"}"#, "somebody else was here"),
    ] {
        loopback.state.lock().unwrap().instead = Some((part, status, content));
        let error = sent(&folder, &hub).unwrap_err();
        assert!(error.kind() == ErrorKind::Network && error.what().contains(says), "{says}: {error}");
        assert!(loopback.state.lock().unwrap().repositories.values().all(|files| files.is_empty()), "{part}");
    }
    // What a person has put into the folder stays.
    fs::write(folder.folder.join("config.json"), "{\"mine\": 1}").unwrap();
    let (model, info) = export::load(&folder.files[3].path, &candle_core::Device::Cpu).unwrap();
    let error = write_folder(&model, &info, &folder.folder, |_, _| None).unwrap_err();
    assert!(error.path().unwrap().ends_with("config.json"), "{error}");
    let kept: Value = serde_json::from_slice(&fs::read(folder.folder.join("config.json")).unwrap()).unwrap();
    assert_eq!(kept["mine"], 1);
}
