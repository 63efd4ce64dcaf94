//! The name of a cached file: each thing that decides its content is in it, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use petal::config::{AugmentConfig, Backbone, Config, PhaseConfig, WeightsFrom};
use petal::data::{Loader, Splits};
use petal::models::{Architecture, Cut, Model, Ops, registry};
use petal::pixels::{Filter, Preprocess};
use petal::train::cache::FrozenPart;
use petal::train::{Cache, Phase};
use petal::{ErrorKind, Seed, files};

use super::missing;
use crate::support::{flowers, small};

#[test]
fn each_setting_that_decides_what_is_kept_is_a_miss_and_no_other_is() {
    let folder = tempfile::tempdir().unwrap();
    let base = small();
    let (project, splits) = flowers(folder.path(), &base);
    let head = |config: &Config| missing(&project, &splits, config, &Phase::head(config));
    // Two views of the photos to learn from, and the validation photos.
    assert_eq!((head(&base), head(&base)), (3, 0));

    let augmented = |augment: AugmentConfig| Config { augment, ..base.clone() };
    let augment = base.augment;
    for (what, config, expected) in [
        ("seed", Config { seed: 43, ..base.clone() }, 2),
        ("flip", augmented(AugmentConfig { flip: false, ..augment }), 2),
        ("rotate", augmented(AugmentConfig { rotate: 10.1, ..augment }), 2),
        ("zoom", augmented(AugmentConfig { zoom: 1.2, ..augment }), 2),
        ("brightness", augmented(AugmentConfig { brightness: 0.21, ..augment }), 2),
        ("contrast", augmented(AugmentConfig { contrast: 0.21, ..augment }), 2),
        ("crop", augmented(AugmentConfig { crop: 0.3, ..augment }), 2),
        ("trivial", augmented(AugmentConfig { trivial: true, ..augment }), 2),
        ("erase", augmented(AugmentConfig { erase: 0.25, ..augment }), 2),
        ("a third view", Config { views: 3, ..base.clone() }, 1),
        ("image size", Config { image_size: 65, ..base.clone() }, 3),
        ("weights", Config { weights: WeightsFrom::Random, ..base.clone() }, 3),
        ("backbone", Config { backbone: Backbone::Resnet18, weights: WeightsFrom::Random, ..base.clone() }, 3),
    ] {
        assert_eq!((head(&config), head(&config)), (expected, 0), "{what}");
    }
    let upper = Phase::upper(&base);
    let tune = || missing(&project, &splits, &base, &upper);
    assert_eq!((tune(), tune()), (3, 0), "another cut");

    let same =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/pretrained/tf_efficientnet_lite0.in1k.f16.safetensors");
    let phase = PhaseConfig::new(7, 2, 0.03);
    for (what, config) in [
        ("head", Config { head: phase, ..base.clone() }),
        ("fine-tune", Config { fine_tune: phase, ..base.clone() }),
        ("baseline", Config { baseline: phase, ..base.clone() }),
        ("batch size", Config { batch_size: 5, ..base.clone() }),
        ("hidden", {
            let mut config = base.clone();
            config.classifier.hidden = 31;
            config
        }),
        ("dropout", {
            let mut config = base.clone();
            config.classifier.dropout = 0.1;
            config
        }),
        ("limit", Config { cache_limit: 1.0, ..base.clone() }),
        ("the same weights from elsewhere", Config { weights: WeightsFrom::File(same), ..base.clone() }),
    ] {
        assert_eq!(head(&config), 0, "{what}");
    }

    // Nor do they change what is kept: in another place, with all of them changed, and one thread, the same bytes are made.
    let elsewhere = tempfile::tempdir().unwrap();
    let changed = Config { head: phase, batch_size: 5, ..base.clone() };
    let (other, splits) = flowers(elsewhere.path(), &changed);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for phase in [Phase::head(&changed), Phase::upper(&changed)] {
        assert_eq!(one.install(|| missing(&other, &splits, &changed, &phase)), 3);
    }
    for file in Cache::open(&other).unwrap().files {
        let here = Cache::folder(&project).join(file.path.file_name().unwrap());
        assert!(files::read(&here).unwrap() == files::read(&file.path).unwrap(), "{}", here.display());
    }
}

#[test]
fn each_photo_tensor_and_way_to_compute_is_in_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(folder.path(), &small());
    let model = |backbone, ops| {
        let architecture = Architecture::Transfer { backbone, hidden: 8, dropout: 0.3, classes: 5 };
        Model::with_ops(&architecture, Seed(1), &Device::Cpu, ops).unwrap()
    };
    let preprocess = lite_preprocess();
    let loader = |change: &dyn Fn(&mut Vec<String>)| {
        let mut subset = splits.train.clone();
        let mut hashes = subset.hashes.to_vec();
        change(&mut hashes);
        subset.hashes = hashes.into();
        Loader::new(&subset, preprocess, 8, &project.device)
    };
    let lite = model(Backbone::EfficientnetLite0, Ops::Kernels);
    let part = |model: &Model, cut| FrozenPart::of(model, cut).unwrap();
    let features = part(&lite, Cut::Features);
    let name = |loader: &Loader, view| features.key(loader, view).file_name();
    let plain = loader(&|_| ());

    // Each is another name than all others.
    let mut names = BTreeSet::from([name(&plain, 0)]);
    let mut is_new = |what: &str, name: String| assert!(names.insert(name), "{what} is not in the key");
    let photos = splits.train.hashes.len();
    assert_eq!(photos, 50);
    for photo in 0..photos {
        is_new("a photo's bytes", name(&loader(&|hashes| hashes[photo] = files::sha256(b"other")), 0));
        is_new("which photos there are", name(&loader(&|hashes| drop(hashes.remove(photo))), 0));
        is_new("a photo more", name(&loader(&|hashes| hashes.insert(photo, files::sha256(b"new"))), 0));
        if photo > 0 {
            is_new("the order of photos", name(&loader(&|hashes| hashes.swap(photo - 1, photo)), 0));
        }
    }
    let augmented = |seed, view| name(&plain.clone().augmented(AugmentConfig::default(), Seed(seed)), view);
    for (seed, view) in [(1, 0), (1, 1), (2, 0)] {
        is_new("seed or view", augmented(seed, view));
    }
    for other in [
        Preprocess { size: 65, ..preprocess },
        Preprocess { crop: 0.9, ..preprocess },
        Preprocess { filter: Filter::Bilinear, ..preprocess },
        Preprocess { mean: [0.5, 0.5, 0.501], ..preprocess },
        Preprocess { std: [0.5, 0.501, 0.5], ..preprocess },
    ] {
        is_new("preprocessing", name(&Loader::new(&splits.train, other, 8, &project.device), 0));
    }
    is_new("cut", part(&lite, Cut::Upper).key(&plain, 0).file_name());
    is_new(
        "operations",
        part(&model(Backbone::EfficientnetLite0, Ops::Candle), Cut::Features).key(&plain, 0).file_name(),
    );
    is_new("network", part(&model(Backbone::Resnet18, Ops::Kernels), Cut::Features).key(&plain, 0).file_name());
    let key = features.key(&plain, 0);
    let mut newer = key.clone();
    newer.format += 1;
    is_new("format", newer.file_name());
    assert!(
        ["petal", "machine", "gemm", "device", "operations"].iter().all(|by| key.part.computed_by.contains_key(*by))
    );
    for by in key.part.computed_by.keys() {
        let mut newer = key.clone();
        newer.part.computed_by.insert(by.clone(), "another".into());
        is_new(by, newer.file_name());
    }

    // One number of a tensor: of one that is read before the cut, and of any other.
    for (cut, expected) in [(Cut::Features, [4, 245]), (Cut::Upper, [84, 165])] {
        let before = part(&lite, cut);
        let mut counts = [0, 0];
        for (tensor, param) in lite.params().iter() {
            let values = param.var.as_tensor().copy().unwrap();
            let shape = values.dims().to_vec();
            let mut changed = values.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            *changed.last_mut().unwrap() += 0.5;
            param.var.set(&Tensor::from_vec(changed, shape, &Device::Cpu).unwrap()).unwrap();
            let is_read = lite.read_before(cut).iter().any(|name| name == tensor);
            assert_eq!(part(&lite, cut) != before, is_read, "{tensor} at {cut:?}");
            counts[usize::from(is_read)] += 1;
            param.var.set(&values).unwrap();
        }
        assert_eq!(counts, expected, "{cut:?}: the others, and those that are read");
        assert_eq!(part(&lite, cut), before);
    }

    // Labels and names are not what the frozen layers see.
    let mut renamed = splits.train.clone();
    renamed.classes = renamed.classes.iter().map(|class| format!("{class}s")).collect();
    renamed.samples =
        renamed.samples.iter().map(|sample| petal::data::Sample { target: 0, ..sample.clone() }).collect();
    assert_eq!(name(&Loader::new(&renamed, preprocess, 3, &project.device), 0), name(&plain, 0));
}

fn lite_preprocess() -> Preprocess {
    Preprocess { size: 64, ..registry::weights(Backbone::EfficientnetLite0).preprocess }
}

#[test]
fn what_is_read_before_a_cut_is_what_decides_what_comes_out() {
    // Not a ResNet: the branches of a random one are multiplied by zero.
    let backbone = Backbone::EfficientnetLite0;
    let architecture = Architecture::Transfer { backbone, hidden: 8, dropout: 0.3, classes: 5 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let images = Tensor::full(0.5f32, (1, 3, 32, 32), &Device::Cpu).unwrap();
    for cut in [Cut::Upper, Cut::Features] {
        let run = || model.before(&images, cut).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (before, names) = (run(), model.read_before(cut));
        let others: Vec<_> = model.params().iter().filter(|(name, _)| !names.iter().any(|n| n == name)).collect();
        assert!(!others.is_empty());
        let kept: Vec<Tensor> = others.iter().map(|(_, param)| param.var.as_tensor().copy().unwrap()).collect();
        for (_, param) in &others {
            param.var.set(&(param.var.as_tensor() + 1.0).unwrap()).unwrap();
        }
        assert_eq!(run(), before, "{cut:?}");
        for ((_, param), kept) in others.iter().zip(&kept) {
            param.var.set(kept).unwrap();
        }
        for (name, param) in model.params().iter().filter(|(name, _)| name.ends_with("running_mean")) {
            param.var.set(&(param.var.as_tensor() - 0.5).unwrap()).unwrap();
            assert_eq!(run() != before, names.iter().any(|n| n == name), "{cut:?} {name}");
            param.var.set(&(param.var.as_tensor() + 0.5).unwrap()).unwrap();
        }
    }
}

#[test]
fn a_photo_that_changed_on_the_disk_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let head = Phase::head(&config);
    assert_eq!(missing(&project, &splits, &config, &head), 3);
    // What follows a JPEG's end changes no pixel, but it is another file.
    let changed = &splits.train.samples[7].path;
    let bytes = files::read(changed).unwrap();
    fs::write(changed, [&bytes[..], b"!"].concat()).unwrap();
    let error = Splits::open(&project.data).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dataset, "{error}");
    // Whoever splits anew.
    let raw = petal::data::Dataset::fetch(&project, &config).unwrap();
    let name = changed.file_name().unwrap();
    let original = raw.samples.iter().find(|sample| sample.path.file_name() == Some(name)).unwrap();
    fs::write(&original.path, [&bytes[..], b"!"].concat()).unwrap();
    let splits = petal::data::Dataset::folder(&raw.root).unwrap().resplit(&project, &config).unwrap();
    assert!(missing(&project, &splits, &config, &head) >= 2, "both views of the part that it is in");
    assert_eq!(missing(&project, &splits, &config, &head), 0);
}
