//! Vision transformers: in training they learn photos by heart, and repeat themselves to the byte; files that name their tensors otherwise are read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};

use candle_core::{D, Device, Tensor};
use petal::config::{Backbone, Config, PhaseConfig, Precision, WeightsFrom};
use petal::export::{self, ModelInfo};
use petal::models::{Architecture, Cut, Model, registry, weights};
use petal::nn::codec;
use petal::nn::loss::cross_entropy;
use petal::nn::optim::Adam;
use petal::pixels::{Limits, Preprocess};
use petal::{Seed, Unheard};

use crate::formulas::{calm, values};
use crate::support::small;
use crate::training::repeats_itself;
use crate::weights::{from_timms_features, small_model};

const SIDE: usize = 48;

const CLASSES: [&str; 5] = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];

/// Pictures `[32, 3, SIDE, SIDE]` of all classes, as a network sees them, and their classes.
fn photos(archive: &std::ffi::OsStr, preprocess: &Preprocess) -> (Tensor, Tensor) {
    let mut entries = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(archive).unwrap()));
    let (mut pixels, mut targets) = (Vec::new(), Vec::new());
    for entry in entries.entries().unwrap().step_by(61) {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let class = CLASSES.iter().position(|class| path.contains(&format!("{class}/")));
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let (Some(class), Ok(photo)) = (class, petal::pixels::decode(&bytes, &Limits::default())) else { continue };
        pixels.extend(preprocess.normalize(&preprocess.square(&photo).unwrap()));
        targets.push(class as u32);
        if targets.len() == 32 {
            break;
        }
    }
    assert_eq!(targets.len(), 32);
    let pixels = Tensor::from_vec(pixels, (32, SIDE, SIDE, 3), &Device::Cpu).unwrap();
    (pixels.permute((0, 3, 1, 2)).unwrap(), Tensor::new(targets, &Device::Cpu).unwrap())
}

#[test]
fn thirty_two_real_photos_are_learned_by_heart_from_random_weights() {
    let Some(archive) = std::env::var_os("PETAL_PHOTOS_ARCHIVE") else {
        let line = "skipped: learning real photos by heart (PETAL_PHOTOS_ARCHIVE does not name their archive)";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    };
    let backbone = Backbone::VitSmall16;
    let preprocess = Preprocess { size: SIDE, ..registry::weights(backbone).preprocess };
    let (images, targets) = photos(&archive, &preprocess);
    let architecture = Architecture::Transfer { backbone, hidden: 64, dropout: 0.0, classes: 5 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let mut adam = Adam::new(model.trainable_vars(Cut::Images).unwrap(), 1e-4).unwrap();
    let right = |logits: &Tensor| {
        let found = logits.argmax(D::Minus1).unwrap().eq(&targets).unwrap().to_vec1::<u8>().unwrap();
        found.into_iter().map(u32::from).sum::<u32>()
    };
    let first = right(&model.logits(&images).unwrap());
    for step in 1..=80 {
        let logits = model.after(&images, Cut::Images, None).unwrap();
        if right(&logits) == 32 {
            println!("{first} of 32 photos at first, all after {} steps", step - 1);
            return;
        }
        adam.step(&model.backward(&cross_entropy(&logits, &targets).unwrap()).unwrap()).unwrap();
    }
    panic!("{} of 32 photos after 80 steps, {first} at first", right(&model.logits(&images).unwrap()));
}

/// The last three blocks, over tokens in the cache, in bf16.
#[test]
fn a_training_is_stopped_cached_and_threaded_to_the_same_bytes() {
    let all = tempfile::tempdir().unwrap();
    let config = Config {
        backbone: Backbone::VitSmall16,
        weights: WeightsFrom::Random,
        precision: Precision::Bf16,
        image_size: 40,
        head: PhaseConfig { epochs: 1, ..small().head },
        fine_tune: PhaseConfig { epochs: 1, ..small().fine_tune },
        ..small()
    };
    let whole = repeats_itself(all.path(), &config, &[9], 3);
    let trained = whole.run().load(&Device::Cpu).unwrap().model;
    let blocks = trained.keys().filter_map(|name| name.strip_prefix("backbone.blocks.")?.split('.').next());
    assert_eq!(blocks.collect::<BTreeSet<_>>(), BTreeSet::from(["9", "10", "11"]));
}

/// A tensor of `vit-base16` under the name that it has in the hub's file of `transformers`, which petal read before, by formula.
fn of_transformers(name: &str, shape: &[usize]) -> Vec<(String, Tensor)> {
    let layer = |rest: &str| {
        let (block, part) = rest.split_once('.').unwrap();
        (format!("vit.encoder.layer.{block}."), part.to_string())
    };
    let (prefix, part) = name.strip_prefix("blocks.").map_or(("vit.".into(), name.to_string()), layer);
    let part = part.strip_prefix("attn.qkv.").map_or_else(
        || vec![renamed(&part)],
        |last| ["query", "key", "value"].map(|which| format!("attention.attention.{which}.{last}")).to_vec(),
    );
    let shape = [&[shape[0] / part.len()], &shape[1..]].concat();
    part.into_iter()
        .map(|part| {
            let name = format!("{prefix}{part}");
            (name.clone(), calm(&name, &shape))
        })
        .collect()
}

fn renamed(part: &str) -> String {
    let names = [
        ("cls_token", "embeddings.cls_token"),
        ("pos_embed", "embeddings.position_embeddings"),
        ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
        ("attn.proj", "attention.output.dense"),
        ("mlp.fc1", "intermediate.dense"),
        ("mlp.fc2", "output.dense"),
        ("norm1", "layernorm_before"),
        ("norm2", "layernorm_after"),
        ("norm", "layernorm"),
    ];
    let found = names.iter().find_map(|(new, old)| Some(format!("{old}{}", part.strip_prefix(new)?)));
    found.unwrap_or_else(|| panic!("{part}"))
}

/// Features near 1 in size, within 1e-3: layer norms add 1e-6 to the variance where these weights' own add 1e-12, which makes 3e-4 with timm, too (in f64).
#[test]
fn weights_and_model_files_with_the_names_of_transformers_give_the_features_that_they_gave() {
    let architecture = Architecture::Transfer { backbone: Backbone::VitBase16, hidden: 8, dropout: 0.0, classes: 3 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let own = model.params().shapes("backbone.");
    let old: BTreeMap<_, _> = own.iter().flat_map(|(name, shape)| of_transformers(name, shape)).collect();
    let classifier = ("classifier.weight".to_owned(), calm("classifier", &[2, 2]));
    let folder = tempfile::tempdir().unwrap();
    let published = folder.path().join("model.safetensors");
    let all: BTreeMap<_, _> = old.clone().into_iter().chain([classifier]).collect();
    fs::write(&published, codec::to_bytes(&all, "").unwrap()).unwrap();
    let from = WeightsFrom::File(published);
    let loaded = weights::load(Backbone::VitBase16, &from, &Device::Cpu, folder.path(), &mut Unheard).unwrap().unwrap();
    weights::apply(&model, &loaded).unwrap();

    let off = from_timms_features(Backbone::VitBase16, &model);
    assert!(off < 1e-3, "{off}");

    // A model file of that time: the same tensors below `backbone.`, and its head.
    let info = ModelInfo { architecture, ..small_model().1 };
    let path = folder.path().join("model");
    export::save(&model, &info, &path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let description = codec::metadata(&bytes).unwrap().unwrap();
    let mut tensors = weights::parse(&bytes, &Device::Cpu).unwrap();
    tensors.retain(|name, _| name.starts_with("head."));
    tensors.extend(old.into_iter().map(|(name, tensor)| (format!("backbone.{name}"), tensor)));
    fs::write(&path, codec::to_bytes(&tensors, &description).unwrap()).unwrap();
    let (again, _) = export::load(&path, &Device::Cpu).unwrap();
    for (name, param) in model.params().iter() {
        let other = &again.params().get(name).unwrap().var;
        assert!(values(&param.var) == values(other), "{name}");
    }
    // One that is missing is named, and so is one that has no place.
    let query = tensors.remove("backbone.vit.encoder.layer.3.attention.attention.query.bias").unwrap();
    tensors.insert("backbone.vit.encoder.layer.3.attention.attention.query.shift".into(), query);
    fs::write(&path, codec::to_bytes(&tensors, &description).unwrap()).unwrap();
    let error = export::load(&path, &Device::Cpu).unwrap_err();
    assert!(error.what().contains("blocks.3.attn.qkv.bias: expected [2304], got [1536]"), "{error}");
    assert!(error.what().contains("1 not wanted (backbone.vit.encoder.layer.3"), "{error}");
}
