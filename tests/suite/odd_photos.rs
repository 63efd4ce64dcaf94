//! `petal embed` and `petal predict` on a folder of odd photos: right answers for what can be read, one line for what cannot.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use candle_core::Device;
use petal::config::{Backbone, WeightsFrom};
use petal::export::{ModelInfo, save};
use petal::models::{Architecture, Model, registry, weights};
use petal::pixels::{Limits, Rgb, decode, encode_png};
use petal::{Seed, Unheard, files};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::support::photos;

const LITE0: [&str; 4] = ["--backbone", "efficientnet-lite0", "--weights", "embedded"];

/// A folder with photos that can be read, each beside its plain twin, and two files that cannot.
fn odd_folder(root: &Path) {
    let copy = |from: &str, to: &str| fs::write(root.join(to), fs::read(photos().join(from)).unwrap()).unwrap();
    let write = |name: &str, picture: &Rgb| fs::write(root.join(name), encode_png(picture).unwrap()).unwrap();
    let decoded = |name: &str| decode(&fs::read(photos().join(name)).unwrap(), &Limits::default()).unwrap();
    fs::create_dir_all(root.join("more")).unwrap();
    copy("turned_6.jpg", "turned.jpg");
    write("turned twin.png", &quarter_turn(&decoded("turned_1.jpg")));
    copy("grey.png", "more/grey.png");
    copy("grey_as_rgb.png", "more/grey twin.png");
    copy("cmyk.jpg", "cmyk.JPG");
    let bytes = fs::read(photos().join("expected.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let cmyk = tensors.tensor("cmyk.jpg").unwrap();
    write("cmyk twin.png", &Rgb { width: 25, height: 19, data: cmyk.data().to_vec() });
    copy("progressive.jpg", "progressive.jpg");
    copy("rgba.png", "Ümlaut und Leerzeichen.png");

    let whole = fs::read(photos().join("rgb.jpg")).unwrap();
    fs::write(root.join("corrupt.jpg"), &whole[..whole.len() * 2 / 3]).unwrap();
    fs::write(root.join("more/notes.jpg"), "these are my notes\n").unwrap();
}

/// What orientation 6 asks for: turned clockwise.
fn quarter_turn(photo: &Rgb) -> Rgb {
    let (width, height) = (photo.height, photo.width);
    let pixel = |i: usize| {
        let (x, y) = (i % width, i / width);
        let from = ((photo.height - 1 - x) * photo.width + y) * 3;
        [photo.data[from], photo.data[from + 1], photo.data[from + 2]]
    };
    Rgb { width, height, data: (0..width * height).flat_map(pixel).collect() }
}

/// In the order of the answers.
const READABLE: [&str; 8] = [
    "cmyk twin.png",
    "cmyk.JPG",
    "more/grey twin.png",
    "more/grey.png",
    "progressive.jpg",
    "turned twin.png",
    "turned.jpg",
    "Ümlaut und Leerzeichen.png",
];

/// Runs on the folder `odd`, expects exit status 1 with a line for each of the two bad files, and gives the JSON object.
fn petal(folder: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_petal")).current_dir(folder).args(arguments).output().unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaints}");
    let lines: Vec<&str> = complaints.lines().collect();
    assert_eq!(lines.len(), 2, "{complaints}");
    assert!(lines[0].contains("odd/corrupt.jpg: the JPEG is cut short"), "{complaints}");
    assert!(lines[1].contains("odd/more/notes.jpg: this is text"), "{complaints}");
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// ‖a − b‖ / ‖b‖
fn relative(a: &[f32], b: &[f32]) -> f32 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

/// The same pixels give the same numbers, to the byte. CMYK: Pillow's decoder rounds differently by a level or two.
fn check_twins(answers: &BTreeMap<String, Vec<f32>>) {
    assert_eq!(answers["turned.jpg"], answers["turned twin.png"]);
    assert_eq!(answers["more/grey.png"], answers["more/grey twin.png"]);
    let off = relative(&answers["cmyk.JPG"], &answers["cmyk twin.png"]);
    assert!(off < 0.05, "CMYK is off by {off}");
    // And what differs gives other numbers.
    let off = relative(&answers["cmyk.JPG"], &answers["more/grey.png"]);
    assert!(off > 0.05, "unlike photos differ by {off} only");
}

#[test]
fn embed_answers_for_what_it_can_read() {
    let folder = tempfile::tempdir().unwrap();
    odd_folder(&folder.path().join("odd"));
    let object = petal(folder.path(), &[&["embed", "odd", "--out", "f.safetensors", "--json"], &LITE0[..]].concat());
    assert_eq!(object["shape"], serde_json::json!([8, 1280]));
    assert_eq!(object["files"], serde_json::json!(READABLE));
    let bad = object["unreadable"].as_array().unwrap();
    assert_eq!(
        bad.iter().map(|b| b["path"].as_str().unwrap()).collect::<Vec<_>>(),
        ["odd/corrupt.jpg", "odd/more/notes.jpg"]
    );

    let bytes = fs::read(folder.path().join("f.safetensors")).unwrap();
    assert_eq!(object["sha256"], files::sha256(&bytes));
    let features = SafeTensors::deserialize(&bytes).unwrap();
    let values: Vec<f32> = features
        .tensor("features")
        .unwrap()
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    assert!(values.iter().all(|value| value.is_finite()));
    check_twins(&READABLE.map(String::from).into_iter().zip(values.chunks_exact(1280).map(<[f32]>::to_vec)).collect());
}

#[test]
fn predict_answers_for_what_it_can_read() {
    let folder = tempfile::tempdir().unwrap();
    odd_folder(&folder.path().join("odd"));
    let architecture =
        Architecture::Transfer { backbone: Backbone::EfficientnetLite0, hidden: 16, dropout: 0.3, classes: 3 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let backbone =
        weights::load(Backbone::EfficientnetLite0, &WeightsFrom::Embedded, &Device::Cpu, folder.path(), &mut Unheard);
    let backbone = backbone.unwrap().unwrap();
    weights::apply(&model, &backbone).unwrap();
    let info = ModelInfo {
        architecture,
        classes: ["daisy", "roses", "Tülpen"].map(String::from).into(),
        preprocess: registry::weights(Backbone::EfficientnetLite0).preprocess,
        test: Default::default(),
        precision: Default::default(),
        backbone_weights: None,
        metrics: BTreeMap::new(),
        run: None,
        trust: None,
    };
    save(&model, &info, &folder.path().join("m.safetensors")).unwrap();

    let command = ["predict", "--model", "m.safetensors", "odd", "--csv", "p.csv"];
    let object = petal(folder.path(), &[&command[..], &["--json"]].concat());
    assert_eq!(object["classes"], serde_json::json!(["daisy", "roses", "Tülpen"]));
    let mut answers = BTreeMap::new();
    for prediction in object["predictions"].as_array().unwrap() {
        let name = prediction["path"].as_str().unwrap().strip_prefix("odd/").unwrap().to_string();
        let probabilities: Vec<f32> =
            prediction["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap() as f32).collect();
        let best = (0..3).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap();
        assert_eq!(prediction["class"], info.classes[best]);
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        answers.insert(name, probabilities);
    }
    assert_eq!(answers.keys().collect::<Vec<_>>(), READABLE.iter().collect::<Vec<_>>());
    assert_eq!(answers["turned.jpg"], answers["turned twin.png"]);
    assert_eq!(answers["more/grey.png"], answers["more/grey twin.png"]);
    assert!(relative(&answers["cmyk.JPG"], &answers["cmyk twin.png"]) < 0.05);
    assert_eq!(fs::read_to_string(folder.path().join("p.csv")).unwrap().lines().count(), 9);
    // Without --json: a line each on stdout, the same complaints.
    assert_eq!(petal(folder.path(), &command), Value::Null);
}
