//! ONNX files: read and run by rten, which decodes them by code of its own, they say what petal's own networks say.

use std::fs;
use std::io::Write;
use std::path::Path;

use candle_core::{Device, Tensor};
use petal::config::{Backbone, Fit, Limits, Precision, TestConfig, TestViews, WeightsFrom};
use petal::export::onnx::{self, Options, Pixels, Weights};
use petal::export::{self, ModelInfo};
use petal::models::{Architecture, Model, registry, weights};
use petal::pixels::{Filter, Preprocess, Rgb, encode_png};
use petal::{ErrorKind, Seed, Unheard};
use rten::{Value, ValueOrView};

use crate::faults::petal;
use crate::formulas::{lively, numbers};
use crate::support::photos;

/// Both sum up some thousand f32 numbers in another order, through some fifty layers. Measured is 1e-7 to 1e-6.
pub(crate) const TOLERANCE: f64 = 1e-4;

/// A test for each network: `onnx::resnet50`, say.
macro_rules! networks {
    ($($name:ident: $architecture:expr, $side:expr;)*) => {$(
        #[test]
        fn $name() {
            says_the_same(stringify!($name), &$architecture, $side);
        }
    )*};
}

// Sizes are odd, so that padding is, too.
networks! {
    baseline: Architecture::Baseline { classes: 5, image_size: 45 }, 45;
    resnet18: transfer(Backbone::Resnet18), 65;
    resnet50: transfer(Backbone::Resnet50), 65;
    lite0: transfer(Backbone::EfficientnetLite0), 97;
    lite1: transfer(Backbone::EfficientnetLite1), 65;
    lite2: transfer(Backbone::EfficientnetLite2), 75;
    lite3: transfer(Backbone::EfficientnetLite3), 65;
    lite4: transfer(Backbone::EfficientnetLite4), 65;
    mobilenetv4: transfer(Backbone::Mobilenetv4ConvMedium), 65;
    b0: transfer(Backbone::EfficientnetB0), 65;
    mobilenetv3: transfer(Backbone::Mobilenetv3Large), 65;
    convnext_atto: transfer(Backbone::ConvnextAtto), 65;
    convnext_tiny: transfer(Backbone::ConvnextTiny), 65;
    vits16: transfer(Backbone::VitSmall16), 65;
    dinov2s14reg4: transfer(Backbone::Dinov2Small14Reg4), 56;
}

/// One picture and three at once, as bytes and as floats.
fn says_the_same(name: &str, architecture: &Architecture, side: usize) {
    let (model, info) = by_formula(architecture, side);
    let mut worst = 0.0f64;
    for input in [Pixels::U8, Pixels::F32] {
        let read = read(&model, &info, &Options { input, ..Options::default() });
        for count in [1, 3] {
            let pictures: Vec<Rgb> = (0..count).map(|number| picture(number, side)).collect();
            let (logits, probabilities) = run(&read, &pictures, input);
            let expected = model.logits(&seen(&info, &pictures)).unwrap();
            worst = worst.max(distance(&logits, &expected));
            let softmax = candle_nn::ops::softmax(&expected, 1).unwrap();
            assert!(distance(&probabilities, &softmax) < TOLERANCE, "{name}: {probabilities:?}");
        }
    }
    println!("onnx {name} {side} px, rten: {worst:.1e}");
    assert!(worst < TOLERANCE, "{name}: {worst:e}");
}

#[test]
fn every_network_is_written() {
    for backbone in Backbone::ALL {
        let (model, info) = by_formula(&transfer(backbone), registry::weights(backbone).preprocess.size);
        let bytes = onnx::to_bytes(&model, &info, "", &Options::default()).unwrap();
        assert!((onnx::ONNX_FILE.is)(&bytes), "{backbone}");
    }
}

#[test]
fn it_is_asked_as_the_model_is() {
    let (model, mut info) = by_formula(&transfer(Backbone::EfficientnetLite0), 64);
    // At another size, which its pictures have then.
    info.test = TestConfig { size: 96, ..TestConfig::default() };
    let logits = run(&read(&model, &info, &Options::default()), &[picture(0, 96)], Pixels::U8).0;
    assert!(distance(&logits, &model.logits(&seen(&info, &[picture(0, 96)])).unwrap()) < TOLERANCE);
    // About one view alone.
    info.test = TestConfig { size: 0, views: TestViews::Flip };
    let error = onnx::to_bytes(&model, &info, "", &Options::default()).unwrap_err();
    assert!(error.what().contains("several views") && error.how_to_mend().unwrap().contains("--test-views one"));
    // And where the network has one size only, at that.
    let (model, mut info) = by_formula(&Architecture::Baseline { classes: 2, image_size: 45 }, 45);
    info.test.size = 96;
    assert_eq!(onnx::to_bytes(&model, &info, "", &Options::default()).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn a_model_that_multiplies_in_bf16_is_written_as_f32() {
    let (wide, info) = by_formula(&transfer(Backbone::EfficientnetLite0), 64);
    let narrow = ModelInfo { precision: Precision::Bf16, ..info.clone() };
    let model = by_formula(&info.architecture, 64).0.in_precision(Precision::Bf16).unwrap();
    let logits = run(&read(&model, &narrow, &Options::default()), &[picture(0, 64)], Pixels::U8).0;
    assert!(distance(&logits, &wide.logits(&seen(&info, &[picture(0, 64)])).unwrap()) < TOLERANCE);
    let of = |model: &Model, info| onnx::Reference::new(model, info, String::new(), &Options::default()).unwrap();
    assert_eq!(of(&model, &narrow).logits, of(&wide, &info).logits);
}

/// Measured: 1e-4 and 3e-3 of the largest logit.
#[test]
fn fewer_bits_are_smaller_files_with_nearly_the_same_answers() {
    fewer_bits(Backbone::EfficientnetLite0, 64, [1e-3, 2e-2]);
}

/// Measured: 1e-4 and 1e-2 of the largest logit.
#[test]
fn a_vision_transformer_of_fewer_bits_says_nearly_the_same() {
    fewer_bits(Backbone::VitSmall16, 64, [1e-3, 5e-2]);
}

fn fewer_bits(backbone: Backbone, side: usize, [f16, int8]: [f64; 2]) {
    let (model, info) = by_formula(&transfer(backbone), side);
    let pictures: Vec<Rgb> = (0..4).map(|number| picture(number, side)).collect();
    let expected = model.logits(&seen(&info, &pictures)).unwrap();
    // Files whose middle the network sees as it is, or nearly: of 73 pixels, 64.
    let folder = tempfile::tempdir().unwrap();
    let file = |number: usize| {
        let path = folder.path().join(format!("{number}.png"));
        fs::write(&path, encode_png(&picture(number, 73)).unwrap()).unwrap();
        path
    };
    let files: Vec<_> = (10..26).map(file).collect();
    let ranges = onnx::ranges(&model, &info, &files, &Limits::default(), &mut Unheard).unwrap();
    let whole = onnx::to_bytes(&model, &info, "", &Options::default()).unwrap().len() as f64;
    for (weights, part, tolerance) in [(Weights::F16, 0.51, f16), (Weights::Int8(ranges), 0.30, int8)] {
        let options = Options { weights, ..Options::default() };
        let bytes = onnx::to_bytes(&model, &info, "", &options).unwrap();
        assert_eq!(bytes, onnx::to_bytes(&model, &info, "", &options).unwrap());
        let name = options.weights.name();
        assert!((bytes.len() as f64) < part * whole, "{name}: {} of {whole} bytes", bytes.len());
        let off = distance(&run(&read(&model, &info, &options), &pictures, Pixels::U8).0, &expected);
        println!("onnx {backbone} {side} px, {name}: {off:.1e}");
        assert!(off < tolerance && off > 1e-6, "{name}: {off:e}");
    }
}

#[test]
fn nothing_but_an_earlier_export_is_overwritten_and_predict_says_what_an_onnx_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (model, mut info) = by_formula(&Architecture::Baseline { classes: 3, image_size: 32 }, 32);
    let hostile = ["\"}]{\u{0}\n\u{1b}[31m", "<script>alert(1)</script>", "Ñandú 🌷\u{202e}"];
    info.classes = hostile.map(String::from).to_vec();
    export::save(&model, &info, &at("m.safetensors")).unwrap();
    let export = |arguments: &[&str]| {
        let output =
            petal(folder.path(), &[&["export", "--model", "m.safetensors"], arguments].concat()).output().unwrap();
        (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // Twice: an earlier export goes.
    for _ in 0..2 {
        assert_eq!(export(&["--onnx", "m.onnx"]).0, Some(0));
    }
    let written = fs::read(at("m.onnx")).unwrap();
    let beside: serde_json::Value = serde_json::from_slice(&fs::read(at("m.onnx.json")).unwrap()).unwrap();
    assert_eq!(beside["classes"], serde_json::json!(hostile));
    assert_eq!(beside["reference_of_onnx"], petal::files::sha256(&written));
    let logits = run(&rten::Model::load(written.clone()).unwrap(), &[onnx::picture(32)], Pixels::U8).0;
    let expected: Vec<f32> = serde_json::from_value(beside["logits"].clone()).unwrap();
    assert!(distance(&logits, &Tensor::new(&expected[..], &Device::Cpu).unwrap()) < TOLERANCE);
    // To the standard output it is the same, with nothing around it.
    assert_eq!(export(&["--onnx", "-"]).1, written);

    fs::write(at("photo.jpg"), [0xff, 0xd8, 0xff]).unwrap();
    fs::write(at("new.onnx.json"), "{}").unwrap();
    for taken in ["m.safetensors", "photo.jpg", "new.onnx"] {
        let (status, _, said) = export(&["--onnx", taken]);
        assert!(status == Some(1) && said.contains("it is not overwritten"), "{taken}: {said}");
    }
    assert!(!at("new.onnx").exists() && export::load(&at("m.safetensors"), &Device::Cpu).is_ok());

    let photo = photos().join("rgb.jpg");
    for wrong in [
        &["predict", "--model", "m.onnx", photo.to_str().unwrap()][..],
        &["export", "--model", "m.onnx", "--onnx", "n.onnx"],
    ] {
        let output = petal(folder.path(), wrong).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("this is an ONNX file") && said.contains("give petal's own model file"), "{said}");
    }
}

/// Pixel by pixel the same squares, and the weights that are in the repository.
#[test]
fn real_photos_get_the_same_answers() {
    let Some(archive) = std::env::var_os("PETAL_PHOTOS_ARCHIVE") else {
        writeln!(std::io::stderr(), "skipped: ONNX on real photos (PETAL_PHOTOS_ARCHIVE does not name their archive)")
            .unwrap();
        return;
    };
    let (model, info) = by_formula(&transfer(Backbone::EfficientnetLite0), 224);
    let loaded = weights::load(
        Backbone::EfficientnetLite0,
        &WeightsFrom::Embedded,
        &Device::Cpu,
        Path::new("unused"),
        &mut Unheard,
    );
    weights::apply(&model, &loaded.unwrap().unwrap()).unwrap();
    let read = read(&model, &info, &Options::default());
    let mut entries = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(archive).unwrap()));
    let (mut worst, mut count) = (0.0f64, 0);
    for entry in entries.entries().unwrap().step_by(40) {
        let mut bytes = Vec::new();
        std::io::copy(&mut entry.unwrap(), &mut bytes).unwrap();
        let Ok(photo) = petal::pixels::decode(&bytes, &Limits::default()) else { continue };
        let square = [info.preprocess.square(&photo).unwrap()];
        let expected = model.logits(&seen(&info, &square)).unwrap();
        worst = worst.max(distance(&run(&read, &square, Pixels::U8).0, &expected));
        count += 1;
    }
    println!("onnx lite0 224 px, {count} real photos, rten: {worst:.1e}");
    assert!(count > 50 && worst < TOLERANCE, "{count} photos: {worst:e}");
}

pub(crate) fn transfer(backbone: Backbone) -> Architecture {
    Architecture::Transfer { backbone, hidden: 16, dropout: 0.3, classes: 5 }
}

/// A network with weights by formula, and what its model file says.
pub(crate) fn by_formula(architecture: &Architecture, size: usize) -> (Model, ModelInfo) {
    let model = Model::new(architecture, Seed(0), &Device::Cpu).unwrap();
    let shapes = model.params().shapes("").into_iter();
    let values = shapes.map(|(name, shape)| {
        let tensor = lively(name.strip_prefix("backbone.").unwrap_or(&name), &shape);
        (name, tensor)
    });
    model.params().set_all(&values.collect()).unwrap();
    let (preprocess, classes) = match *architecture {
        Architecture::Baseline { classes, .. } => {
            let (fit, filter, mean, std) = (Fit::Crop, Filter::Bilinear, [0.0; 3], [1.0; 3]);
            (Preprocess { size, crop: 0.875, fit, filter, mean, std }, classes)
        }
        Architecture::Transfer { backbone, classes, .. } => {
            (Preprocess { size, ..registry::weights(backbone).preprocess }, classes)
        }
    };
    let info = ModelInfo {
        architecture: architecture.clone(),
        classes: (0..classes).map(|class| format!("class {class}")).collect(),
        preprocess,
        test: TestConfig::default(),
        precision: Precision::F32,
        backbone_weights: None,
        metrics: [("test_accuracy".to_string(), 0.5)].into(),
        run: None,
        trust: None,
    };
    (model, info)
}

pub(crate) fn picture(number: usize, side: usize) -> Rgb {
    let data = numbers(&format!("picture.{number}"), side * side * 3);
    Rgb { width: side, height: side, data: data.into_iter().map(|value| ((value + 0.5) * 255.0) as u8).collect() }
}

pub(crate) fn seen(info: &ModelInfo, pictures: &[Rgb]) -> Tensor {
    let side = pictures[0].width;
    let values: Vec<f32> = pictures.iter().flat_map(|picture| info.preprocess.normalize(picture)).collect();
    Tensor::from_vec(values, (pictures.len(), side, side, 3), &Device::Cpu).unwrap().permute((0, 3, 1, 2)).unwrap()
}

pub(crate) fn read(model: &Model, info: &ModelInfo, options: &Options) -> rten::Model {
    rten::Model::load(onnx::to_bytes(model, info, "", options).unwrap()).unwrap()
}

/// Logits and probabilities, row by row.
pub(crate) fn run(model: &rten::Model, pictures: &[Rgb], input: Pixels) -> (Vec<f32>, Vec<f32>) {
    let side = pictures[0].width;
    let channel = |picture: &Rgb, c| picture.data.iter().skip(c).step_by(3).copied().collect::<Vec<u8>>();
    let data: Vec<u8> = pictures.iter().flat_map(|picture| (0..3).flat_map(|c| channel(picture, c))).collect();
    let shape = [pictures.len(), 3, side, side];
    let images = match input {
        Pixels::U8 => Value::from_shape(shape, data).unwrap(),
        Pixels::F32 => Value::from_shape(shape, data.into_iter().map(f32::from).collect::<Vec<_>>()).unwrap(),
    };
    let node = |name| model.node_id(name).unwrap();
    let inputs = vec![(node("images"), ValueOrView::from(images))];
    let outputs = model.run_n(inputs, [node("logits"), node("probabilities")], None).unwrap();
    outputs.map(|output| output.into_shape_vec::<f32, 2>().unwrap().1).into()
}

/// The largest difference, as a part of the largest expected number.
pub(crate) fn distance(got: &[f32], expected: &Tensor) -> f64 {
    let expected: Vec<f32> = expected.flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(0.0, |most: f64, value| most.max(f64::from(value.abs())));
    let off = got.iter().zip(&expected).map(|(a, b)| f64::from((a - b).abs()));
    off.fold(0.0, |most: f64, off| if off.is_nan() { f64::INFINITY } else { most.max(off) }) / largest
}
