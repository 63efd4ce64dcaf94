//! Weights from a hub on this machine, networks as they were before, model files.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::Device;
use petal::config::Backbone;
use petal::export::{self, ModelInfo};
use petal::models::{Architecture, Cut, Hub, Model, registry, weights};
use petal::{ErrorKind, Seed, Unheard, files};
use safetensors::SafeTensors;
use safetensors::tensor::serialize;

use crate::formulas::{calm, fixture, images, values};
use crate::support::server::{Server, fetch, hub};
use crate::support::{described_otherwise, some_bytes};

fn hub_of(server: &Server) -> Hub {
    hub(format!("http://127.0.0.1:{}", server.port), server.folder.path())
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let server = Server::new(&some_bytes(), []);
    fetch(&Hub { token: Some("secret".into()), ..hub_of(&server) }, server.folder.path()).unwrap();
    let (storage, hub): (Vec<_>, Vec<_>) = server.log().into_iter().partition(|line| line.contains("/storage"));
    assert!(!hub.is_empty() && hub.iter().all(|line| line.contains("authorization=bearer secret")), "{hub:?}");
    assert!(!storage.is_empty() && storage.iter().all(|line| !line.contains("secret")), "{storage:?}");
}

#[test]
fn a_backbone_is_loaded_from_the_hub() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let content = fs::read(root.join("models/pretrained/tf_efficientnet_lite0.in1k.f16.safetensors")).unwrap();
    let server = Server::new(&content, []);
    let load = |server: &Server| {
        weights::load_from_hub(
            &hub_of(server),
            Backbone::EfficientnetLite0,
            &Device::Cpu,
            server.folder.path(),
            &mut Unheard,
        )
    };
    let loaded = load(&server).unwrap();
    assert_eq!(loaded.origin.name, "timm/tf_efficientnet_lite0.in1k");
    assert_eq!(loaded.origin.sha256, files::sha256(&content));
    assert_eq!(loaded.tensors["conv_stem.weight"].dims(), [32, 3, 3, 3]);
    assert!(!loaded.tensors.contains_key("classifier.weight"));
    assert!(server.log()[0].contains("/timm/tf_efficientnet_lite0.in1k/resolve/main/model.safetensors"));

    let error = load(&Server::new(b"no weights", [])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Weights);
    assert!(error.path().is_some());
}

/// A repository as timm lays one out, of another training of a network that petal has.
#[test]
fn weights_of_another_repository_are_loaded_with_what_it_says_of_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let content = fs::read(root.join("models/pretrained/tf_efficientnet_lite0.in1k.f16.safetensors")).unwrap();
    let server = Server::new(&content, []);
    let config = r#"{"architecture": "tf_efficientnet_lite0", "num_classes": 1000, "pretrained_cfg": {"input_size": [3, 192, 192],
        "interpolation": "bilinear", "crop_pct": 0.9, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "license": "mit"}}"#;
    server.state.lock().unwrap().small = config.into();
    let records = server.folder.path();
    let hub = Hub { token: Some("secret".into()), ..hub_of(&server) };
    let load = |hub: &Hub, backbone| {
        weights::load_from_repository(hub, backbone, "owner/mine", &Device::Cpu, records, &mut Unheard)
    };
    let own = hub.describe("owner/mine", &records.join("cache/weights"), &mut Unheard).unwrap();
    assert_eq!(own.backbone, Backbone::EfficientnetLite0);
    let loaded = load(&hub, Backbone::EfficientnetLite0).unwrap();
    assert_eq!((loaded.origin.name.as_str(), loaded.origin.licence.as_deref()), ("owner/mine", Some("mit")));
    assert_eq!(loaded.origin.sha256, files::sha256(&content));
    assert_eq!((loaded.preprocess.size, loaded.preprocess.crop, loaded.preprocess.mean), (192, 0.9, [0.4, 0.5, 0.6]));
    assert!(!loaded.tensors.contains_key("classifier.weight"));
    assert!(server.log().iter().any(|line| line.starts_with("GET /owner/mine/resolve/main/config.json")));
    assert!(server.log().iter().filter(|line| line.contains("config.json")).all(|line| line.contains("bearer secret")));

    // Another network's are refused before they are downloaded; what is there is not asked for again, nor is the hub needed.
    let asked = server.log().len();
    let error = load(&hub, Backbone::Resnet18).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Weights);
    assert!(error.what().contains("has weights of efficientnet-lite0: expected those of resnet18"), "{error}");
    let again = load(&Hub { offline: true, ..hub }, Backbone::EfficientnetLite0).unwrap();
    assert_eq!((again.preprocess, server.log().len()), (loaded.preprocess, asked));

    // A page in the place of the description, and one without end.
    for (small, says) in [(b"<html>".to_vec(), "no config.json of timm's"), (vec![b' '; 5 << 20], "more than")] {
        let server = Server::new(&content, []);
        server.state.lock().unwrap().small = small;
        let error = hub_of(&server).describe("owner/mine", server.folder.path(), &mut Unheard).unwrap_err();
        assert!(error.what().contains(says), "{error}");
    }
}

/// Features near 1 in size; 1e-4 covers f32 sums in another order through 12 and 18 blocks.
/// All of the network, as timm's files hold it: the classifier, too, which is not the backbone's.
#[test]
fn timms_file_of_a_convnext_loads_as_it_is() {
    let backbone = Backbone::ConvnextAtto;
    let architecture = Architecture::Transfer { backbone, hidden: 1, dropout: 0.0, classes: 2 };
    let [theirs, model] = [1, 2].map(|seed| Model::new(&architecture, Seed(seed), &Device::Cpu).unwrap());
    let tensors = theirs.params().shapes("backbone.").into_keys().map(|name| {
        let tensor = theirs.params().get(&format!("backbone.{name}")).unwrap().var.as_tensor().clone();
        (name, tensor)
    });
    let classifier = [("head.fc.weight", vec![1000, 320]), ("head.fc.bias", vec![1000])];
    let classifier = classifier.map(|(name, shape)| (name.to_owned(), calm(name, &shape)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    candle_core::safetensors::save(&tensors.chain(classifier).collect::<HashMap<_, _>>(), &path).unwrap();
    let server = Server::new(&fs::read(&path).unwrap(), []);
    let models = server.folder.path();
    let loaded = weights::load_from_hub(&hub_of(&server), backbone, &Device::Cpu, models, &mut Unheard).unwrap();
    assert!(server.log()[0].contains("/timm/convnext_atto.d2_in1k/resolve/main/model.safetensors"));
    weights::apply(&model, &loaded).unwrap();
    let images = images(&[0], 64, 64);
    let [expected, got] = [&theirs, &model].map(|model| values(&model.before(&images, Cut::Features).unwrap()));
    assert_eq!(got, expected);
}

/// At the size that it was made for. The numbers are older than its steps: candle-transformers gave the same, and the models with it.
#[test]
fn convnext_tiny_gives_the_features_that_it_gave_when_it_was_frozen() {
    let backbone = Backbone::ConvnextTiny;
    let architecture = Architecture::Transfer { backbone, hidden: 1, dropout: 0.0, classes: 2 };
    let model = Model::new(&architecture, Seed(0), &Device::Cpu).unwrap();
    let values = model.params().shapes("backbone.").into_iter().map(|(name, shape)| {
        let tensor = calm(&name, &shape);
        (format!("backbone.{name}"), tensor)
    });
    model.params().set_all(&values.collect()).unwrap();
    let off = from_timms_features(backbone, &model);
    // f32 sums in another order through 18 blocks.
    assert!(off < 1e-4, "{off}");
}

/// How far features are from timm's, which are near 1 in size: the largest difference.
pub(crate) fn from_timms_features(backbone: Backbone, model: &Model) -> f32 {
    let images = (calm("images", &[1, 3, 224, 224]) * 200.0).unwrap();
    // Channels-last in memory, as the loader gives them.
    let images = images.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().permute((0, 3, 1, 2)).unwrap();
    let features = model.before(&images, Cut::Features).unwrap();
    assert_eq!(features.dims(), [1, registry::weights(backbone).features]);
    let off = (features - &fixture("zoo_features")[backbone.name()]).unwrap();
    off.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

pub(crate) fn small_model() -> (Model, ModelInfo) {
    let architecture = Architecture::Baseline { classes: 3, image_size: 32 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let info = ModelInfo {
        architecture,
        classes: ["roses", "sun \"flowers\"", "Tülpen"].map(String::from).into(),
        preprocess: registry::weights(Backbone::Resnet50).preprocess,
        test: Default::default(),
        precision: Default::default(),
        backbone_weights: None,
        metrics: [("test_loss".to_owned(), 0.1 + 0.2), ("accuracy".to_owned(), 0.9)].into(),
        run: None,
        trust: None,
    };
    (model, info)
}

/// A small model's file, with this change to its description.
fn changed_file(path: &Path, change: impl Fn(&mut serde_json::Value)) {
    let (model, info) = small_model();
    export::save(&model, &info, path).unwrap();
    described_otherwise(path, change);
}

#[test]
fn a_model_file_gives_the_same_model_and_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (model, info) = small_model();
    export::save(&model, &info, &path("a")).unwrap();
    export::save(&model, &info, &path("b")).unwrap();
    let (again, read) = export::load(&path("a"), &Device::Cpu).unwrap();
    assert_eq!(read, info);
    export::save(&again, &read, &path("c")).unwrap();

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
        let error = export::load(&path, &Device::Cpu).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Weights);
        assert!(error.what().contains(text), "{text}: {error}");
        assert_eq!(error.path(), Some(path.as_path()));
    }
}

/// Its size is checked against the file before its memory is taken: see F35.
#[test]
fn a_small_file_never_makes_a_large_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for backbone in Backbone::ALL {
        changed_file(&path, |d| {
            let architecture = Architecture::Transfer { backbone, hidden: 1, dropout: 0.0, classes: 3 };
            d["architecture"] = serde_json::to_value(architecture).unwrap();
        });
        let error = export::load(&path, &Device::Cpu).unwrap_err();
        assert!(error.what().contains("needs at least"), "{backbone}: {error}");
    }
}

#[test]
fn the_registry_knows_how_large_backbones_are() {
    for backbone in [Backbone::Resnet18, Backbone::Resnet50, Backbone::EfficientnetLite0] {
        let architecture = Architecture::Transfer { backbone, hidden: 1, dropout: 0.0, classes: 2 };
        let model = Model::new(&architecture, Seed(0), &Device::Cpu).unwrap();
        let own = |name: &str| name.starts_with("backbone.") && !name.contains("running_");
        let sizes = model.params().iter().filter(|(name, _)| own(name)).map(|(_, param)| param.var.elem_count());
        assert_eq!(sizes.sum::<usize>(), registry::weights(backbone).parameters, "{backbone}");
    }
}

#[test]
fn what_is_not_a_model_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let (model, info) = small_model();
    export::save(&model, &info, &path).unwrap();
    let whole = fs::read(&path).unwrap();
    let plain = serialize(SafeTensors::deserialize(&whole).unwrap().iter(), None::<HashMap<String, String>>).unwrap();
    for bytes in [&whole[..whole.len() / 2], &plain, b"PK\x03\x04", b""] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(export::load(&path, &Device::Cpu).unwrap_err().kind(), ErrorKind::Weights);
    }

    let wrong = ModelInfo { metrics: [("loss".to_owned(), f64::NAN)].into(), ..info };
    assert_eq!(export::save(&model, &wrong, &path).unwrap_err().kind(), ErrorKind::Weights);
    assert_eq!(fs::read(&path).unwrap(), b"");
}
