//! Weights from a hub on this machine, networks of the zoo against timm, model files.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use candle_core::Device;
use petal::config::{Backbone, WeightsFrom};
use petal::models::{Architecture, Hub, Model, ModelInfo, Zoo, hub::Fetched, model_file, registry, weights};
use petal::{ErrorKind, Result, Seed, files};
use safetensors::SafeTensors;
use safetensors::tensor::serialize;

use crate::formulas::{calm, fixture};
use crate::support::{Answer, COMMIT, Server as FakeHub, some_bytes};

/// The server as a hub.
impl FakeHub {
    fn hub(&self) -> Hub {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        Hub { endpoint, cache: self.folder.path().join("hub"), token: None, offline: false }
    }

    fn fetch(&self) -> Result<Fetched> {
        self.fetch_with(&self.hub())
    }

    fn fetch_with(&self, hub: &Hub) -> Result<Fetched> {
        hub.fetch("owner/name", "main", "model.safetensors", &self.folder.path().join("records"))
    }

    fn blob(&self) -> PathBuf {
        let name = files::sha256(&self.state.lock().unwrap().content);
        self.folder.path().join("hub/models--owner--name/blobs").join(name)
    }
}

#[test]
fn a_download_is_made_once_and_then_needs_no_request() {
    let server = FakeHub::new(&some_bytes(), []);
    let fetched = server.fetch().unwrap();
    assert_eq!(fetched.bytes, some_bytes());
    assert_eq!(fetched.sha256, files::sha256(&some_bytes()));
    let asked = server.log().len();

    let offline = Hub { offline: true, ..server.hub() };
    for hub in [server.hub(), offline] {
        assert_eq!(server.fetch_with(&hub).unwrap().bytes, some_bytes());
    }
    assert_eq!(server.log().len(), asked);

    // Other clients of the hub find it, too.
    let repository = server.folder.path().join("hub/models--owner--name");
    assert_eq!(fs::read_to_string(repository.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(fs::read(repository.join("snapshots").join(COMMIT).join("model.safetensors")).unwrap(), some_bytes());
    assert_eq!(fetched.path, server.blob().canonicalize().unwrap());
}

#[test]
fn weights_changed_in_the_cache_are_not_used() {
    let server = FakeHub::new(&some_bytes(), []);
    server.fetch().unwrap();
    let mut bytes = some_bytes();
    bytes[70_000] ^= 1;
    fs::write(server.blob(), &bytes).unwrap();

    let error = server.fetch().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checksum);
    assert_eq!(error.path().unwrap(), server.blob().canonicalize().unwrap());
    // The mend works.
    fs::remove_file(error.path().unwrap()).unwrap();
    assert_eq!(server.fetch().unwrap().bytes, some_bytes());
}

#[test]
fn a_cache_filled_by_another_client_is_checked_by_the_name_of_its_content() {
    let server = FakeHub::new(&some_bytes(), []);
    server.fetch().unwrap();
    fs::remove_dir_all(server.folder.path().join("records")).unwrap();
    assert_eq!(server.fetch().unwrap().bytes, some_bytes());
    fs::remove_dir_all(server.folder.path().join("records")).unwrap();
    fs::write(server.blob(), b"other").unwrap();
    assert_eq!(server.fetch().unwrap_err().kind(), ErrorKind::Checksum);
}

#[test]
fn wrong_content_is_tried_once_more_and_never_kept() {
    let mut wrong = some_bytes();
    wrong[5] ^= 1;
    let server = FakeHub::new(&some_bytes(), [Answer::Bytes(wrong), Answer::Bytes(b"<!DOCTYPE html>".to_vec())]);
    let error = server.fetch().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checksum);
    assert!(error.what().contains("looks like HTML"), "{error}");
    assert_eq!(server.content_requests().len(), 2);
    assert!(!server.blob().exists() && !server.blob().with_extension("part").exists());
}

#[test]
fn a_cut_download_goes_on_where_it_ended() {
    let server = FakeHub::new(&some_bytes(), [Answer::Cut(240_000)]);
    assert_eq!(server.fetch().unwrap().bytes, some_bytes());
    let requests = server.content_requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].contains("range=bytes=240000-"), "{requests:?}");
}

#[test]
fn a_server_that_ignores_the_range_is_not_appended() {
    let server = FakeHub::new(&some_bytes(), [Answer::Cut(1000), Answer::Whole]);
    assert_eq!(server.fetch().unwrap().bytes, some_bytes());
    assert_eq!(server.content_requests().len(), 2);
}

#[test]
fn what_an_earlier_try_left_can_be_anything() {
    for left in [[some_bytes(), vec![0]].concat(), some_bytes(), b"something else".to_vec()] {
        let server = FakeHub::new(&some_bytes(), []);
        fs::create_dir_all(server.blob().parent().unwrap()).unwrap();
        fs::write(server.blob().with_extension("part"), left).unwrap();
        assert_eq!(server.fetch().unwrap().bytes, some_bytes());
    }
}

#[test]
fn a_busy_server_is_asked_again_but_not_for_ever() {
    let busy = || Answer::Status("503 Service Unavailable");
    let server = FakeHub::new(&some_bytes(), [busy(), Answer::Status("429 Too Many Requests")]);
    assert_eq!(server.fetch().unwrap().bytes, some_bytes());

    let server = FakeHub::new(&some_bytes(), (0..9).map(|_| busy()));
    let error = server.fetch().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.what().contains("503"), "{error}");
    assert_eq!(server.content_requests().len(), 5);
}

#[test]
fn missing_and_forbidden_files_are_told_apart_and_not_asked_for_again() {
    for (status, text) in [("404 Not Found", "404"), ("401 Unauthorized", "HF_TOKEN"), ("403 Forbidden", "HF_TOKEN")] {
        let server = FakeHub::new(b"", []);
        server.state.lock().unwrap().head = Some(format!("HTTP/1.1 {status}\r\ncontent-length: 0"));
        let error = server.fetch().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(server.log().len(), 1);
    }
}

#[test]
fn a_page_in_place_of_the_hub_is_recognised() {
    let server = FakeHub::new(b"", []);
    server.state.lock().unwrap().head = Some("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 20".into());
    let error = server.fetch().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.what().contains("proxy"), "{error}");
}

#[test]
fn offline_and_unreachable_say_how_to_do_without() {
    let server = FakeHub::new(&some_bytes(), []);
    let error = server.fetch_with(&Hub { offline: true, ..server.hub() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Offline);
    assert!(error.how_to_mend().unwrap().contains("--weights"), "{error}");
    assert!(server.log().is_empty());
    assert!(files::sorted_dir(server.folder.path()).unwrap().is_empty());

    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = server.fetch_with(&Hub { endpoint: format!("http://127.0.0.1:{port}"), ..server.hub() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.how_to_mend().unwrap().contains("--weights"), "{error}");
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let server = FakeHub::new(&some_bytes(), []);
    server.fetch_with(&Hub { token: Some("secret".into()), ..server.hub() }).unwrap();
    let (storage, hub): (Vec<_>, Vec<_>) = server.log().into_iter().partition(|line| line.contains("/storage"));
    assert!(!hub.is_empty() && hub.iter().all(|line| line.contains("authorization=bearer secret")), "{hub:?}");
    assert!(!storage.is_empty() && storage.iter().all(|line| !line.contains("secret")), "{storage:?}");
}

#[test]
fn two_downloads_at_once_keep_apart() {
    let server = FakeHub::new(&some_bytes(), []);
    let _other = files::Lock::take(&server.blob().with_extension("lock")).unwrap();
    assert_eq!(server.fetch().unwrap_err().kind(), ErrorKind::Locked);
    assert!(!server.blob().exists());
}

#[test]
fn a_backbone_is_loaded_from_the_hub() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let content = fs::read(root.join("models/pretrained/tf_efficientnet_lite0.in1k.f16.safetensors")).unwrap();
    let server = FakeHub::new(&content, []);
    let load = |server: &FakeHub| {
        weights::load_from_hub(&server.hub(), Backbone::EfficientnetLite0, &Device::Cpu, server.folder.path())
    };
    let loaded = load(&server).unwrap();
    assert_eq!(loaded.origin.name, "timm/tf_efficientnet_lite0.in1k");
    assert_eq!(loaded.origin.sha256, files::sha256(&content));
    assert_eq!(loaded.tensors["conv_stem.weight"].dims(), [32, 3, 3, 3]);
    assert!(!loaded.tensors.contains_key("classifier.weight"));
    assert!(server.log()[0].contains("/timm/tf_efficientnet_lite0.in1k/resolve/main/model.safetensors"));

    let error = load(&FakeHub::new(b"no weights", [])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Weights);
    assert!(error.path().is_some());
}

/// Features near 1 in size; 1e-4 covers f32 sums in another order through 12 and 18 blocks.
#[test]
fn the_zoo_gives_the_features_that_timm_gives() {
    let expected = fixture("zoo_features");
    let images = (calm("images", &[1, 3, 224, 224]) * 200.0).unwrap();
    // Channels-last in memory, as the loader gives them.
    let images = images.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().permute((0, 3, 1, 2)).unwrap();
    for backbone in [Backbone::VitBase16, Backbone::ConvnextTiny] {
        let tensors: BTreeMap<_, _> = Zoo::shapes(backbone)
            .unwrap()
            .into_iter()
            .map(|(name, shape)| {
                let tensor = calm(&name, &shape);
                (name, tensor)
            })
            .collect();
        let features = Zoo::new(backbone, &tensors, &Device::Cpu).unwrap().features(&images).unwrap();
        assert_eq!(features.dims(), [1, registry::weights(backbone).features]);
        let off = (features - &expected[backbone.name()]).unwrap().abs().unwrap().max_all().unwrap();
        let off: f32 = off.to_scalar().unwrap();
        assert!(off < 1e-4, "{backbone}: {off}");
    }
}

fn small_model() -> (Model, ModelInfo) {
    let architecture = Architecture::Baseline { classes: 3, image_size: 32 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let info = ModelInfo {
        architecture,
        classes: ["roses", "sun \"flowers\"", "Tülpen"].map(String::from).into(),
        preprocess: registry::weights(Backbone::Resnet50).preprocess,
        backbone_weights: None,
        metrics: [("test_loss".to_owned(), 0.1 + 0.2), ("accuracy".to_owned(), 0.9)].into(),
    };
    (model, info)
}

/// A small model's file, with this change to its description.
fn changed_file(path: &Path, change: impl Fn(&mut serde_json::Value)) {
    let (model, info) = small_model();
    model_file::save(&model, &info, path).unwrap();
    let bytes = fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut description = serde_json::from_str(&header.metadata().as_ref().unwrap()["petal"]).unwrap();
    change(&mut description);
    let metadata = HashMap::from([("petal".to_owned(), description.to_string())]);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    fs::write(path, serialize(tensors.iter(), Some(metadata)).unwrap()).unwrap();
}

#[test]
fn a_model_file_gives_the_same_model_and_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (model, info) = small_model();
    model_file::save(&model, &info, &path("a")).unwrap();
    model_file::save(&model, &info, &path("b")).unwrap();
    let (again, read) = model_file::load(&path("a"), &Device::Cpu).unwrap();
    assert_eq!(read, info);
    model_file::save(&again, &read, &path("c")).unwrap();

    let bytes = fs::read(path("a")).unwrap();
    assert!(bytes == fs::read(path("b")).unwrap() && bytes == fs::read(path("c")).unwrap());
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["petal"]);
    assert!(metadata["petal"].contains("0.485"), "{}", metadata["petal"]);
}

#[test]
fn a_description_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change); 6] = [
        ("format 99", |d| d["format"] = 99.into()),
        ("2 class names", |d| drop(d["classes"].as_array_mut().unwrap().pop())),
        ("needs at least", |d| d["architecture"]["image_size"] = (1u64 << 40).into()),
        ("these tensors are not the network's", |d| d["architecture"]["image_size"] = 24.into()),
        ("damaged", |d| d["preprocess"] = "none".into()),
        ("makes no sense", |d| d["preprocess"]["std"][1] = 0.0.into()),
    ];
    for (text, change) in cases {
        changed_file(&path, change);
        let error = model_file::load(&path, &Device::Cpu).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Weights);
        assert!(error.what().contains(text), "{text}: {error}");
        assert_eq!(error.path(), Some(path.as_path()));
    }
}

#[test]
fn what_is_not_a_model_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let (model, info) = small_model();
    model_file::save(&model, &info, &path).unwrap();
    let whole = fs::read(&path).unwrap();
    let plain = serialize(SafeTensors::deserialize(&whole).unwrap().iter(), None::<HashMap<String, String>>).unwrap();
    for bytes in [&whole[..whole.len() / 2], &plain, b"PK\x03\x04", b""] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(model_file::load(&path, &Device::Cpu).unwrap_err().kind(), ErrorKind::Weights);
    }

    let wrong = ModelInfo { metrics: [("loss".to_owned(), f64::NAN)].into(), ..info };
    assert_eq!(model_file::save(&model, &wrong, &path).unwrap_err().kind(), ErrorKind::Weights);
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn weights_are_set_whole_or_not_at_all() {
    let architecture =
        Architecture::Transfer { backbone: Backbone::EfficientnetLite0, hidden: 8, dropout: 0.3, classes: 3 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let values =
        |name: &str| -> Vec<f32> { model.params().get(name).unwrap().var.flatten_all().unwrap().to_vec1().unwrap() };
    let before = values("backbone.conv_stem.weight");
    let load = || weights::load(Backbone::EfficientnetLite0, &WeightsFrom::Embedded, &Device::Cpu, Path::new("unused"));
    let loaded = load().unwrap().unwrap();

    let mut wrong = loaded.clone();
    wrong.tensors.remove("blocks.6.0.bn3.bias").unwrap();
    let error = weights::apply(&model, &wrong).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Weights);
    assert!(error.what().contains("1 missing (blocks.6.0.bn3.bias)"), "{error}");
    assert_eq!(values("backbone.conv_stem.weight"), before);

    weights::apply(&model, &loaded).unwrap();
    let expected: Vec<f32> = loaded.tensors["conv_stem.weight"].flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(values("backbone.conv_stem.weight"), expected);
}
