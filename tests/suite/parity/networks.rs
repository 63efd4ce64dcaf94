//! Outputs, gradients, Adam's steps and Grad-CAM against torchvision, timm and PyTorch (tests/fixtures/networks.py), on the same
//! weights and images.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::resnet;
use petal::Seed;
use petal::config::{Backbone, WeightsFrom};
use petal::explain::grad_cam;
use petal::models::{Architecture, Cut, Model, Ops, weights};
use petal::nn::Gradients;
use petal::nn::loss::cross_entropy;
use petal::nn::optim::Adam;

use crate::formulas::{Sketch, distance, fixture, images, lively, values};

/// For outputs, heat maps and every tensor's gradient. Both sides sum up to some thousand f32 numbers, in another order, through
/// some fifty layers. Measured is 1e-7 to 1e-5.
const TOLERANCE: f64 = 1e-4;

/// For what Adam adds to the weights, which is a ten-thousandth of them. It divides each gradient by its own size, so where a
/// gradient is near 0 its rounding errors count fully; and the sum with the weight is rounded to f32. Measured is 1e-6 to 1e-3.
const UPDATE_TOLERANCE: f64 = 3e-3;

const CLASSES: usize = 5;

/// One network of the fixtures.
struct Case {
    name: &'static str,
    architecture: Architecture,
    /// Side of the images that gradients are taken on.
    side: usize,
    /// What Adam trains in the fixture, how fast and how often.
    trained: Cut,
    learning_rate: f64,
    steps: usize,
}

fn transfer(name: &'static str, backbone: Backbone) -> Case {
    let architecture = Architecture::Transfer { backbone, hidden: 256, dropout: 0.3, classes: CLASSES };
    Case { name, architecture, side: 33, trained: Cut::Upper, learning_rate: 1e-5, steps: 1 }
}

fn baseline() -> Case {
    let architecture = Architecture::Baseline { classes: CLASSES, image_size: 45 };
    Case { name: "baseline", architecture, side: 45, trained: Cut::Images, learning_rate: 1e-3, steps: 5 }
}

/// A model with the weights of the fixtures: Lite0's own, else by formula.
pub(super) fn model(architecture: &Architecture, ops: Ops) -> Model {
    let model = Model::with_ops(architecture, Seed(0), &Device::Cpu, ops).unwrap();
    let mut by_formula: Vec<_> = model.params().shapes("").into_iter().collect();
    if let Architecture::Transfer { backbone: backbone @ Backbone::EfficientnetLite0, .. } = architecture {
        let loaded = weights::load(*backbone, &WeightsFrom::Embedded, &Device::Cpu, "unused".as_ref()).unwrap();
        weights::apply(&model, &loaded.unwrap()).unwrap();
        by_formula.retain(|(name, _)| name.starts_with("head."));
    }
    let values = by_formula.into_iter().map(|(name, shape)| {
        let tensor = lively(name.strip_prefix("backbone.").unwrap_or(&name), &shape);
        (name, tensor)
    });
    model.params().set_all(&values.collect()).unwrap();
    model
}

/// Everything that the fixture holds for a network.
fn check(case: &Case, ops: Ops) {
    let expected = fixture(&format!("networks_{}", case.name));
    let model = model(&case.architecture, ops);
    check_outputs(case, &model, &expected);

    let picks: Vec<usize> = values(&expected["picks"]).iter().map(|&pick| pick as usize).collect();
    let images = images(&picks, case.side, case.side);
    let targets: Vec<u32> = picks.iter().map(|pick| (pick % CLASSES) as u32).collect();
    let targets = Tensor::new(targets, &Device::Cpu).unwrap();
    let cuts: &[Cut] = if case.name == "baseline" { &[Cut::Images] } else { &[Cut::Images, Cut::Upper, Cut::Features] };
    for &cut in cuts {
        check_gradients(case, &model, cut, &images, &targets, &expected);
    }
    // Last: it changes the weights.
    check_adam(case, &model, &images, &targets, &expected);
}

fn check_outputs(case: &Case, model: &Model, expected: &BTreeMap<String, Tensor>) {
    let is_baseline = case.name == "baseline";
    let (height, width) = if is_baseline { (case.side, case.side) } else { (97, 81) };
    let images = images(&[0, 1], height, width);
    let off = distance(&model.logits(&images).unwrap(), &expected["logits"]);
    assert!(off < TOLERANCE, "{} logits: {off:e}", case.name);
    let mut report = format!("{}: logits {off:.1e}", case.name);
    // The baseline's features are its last maps, which Grad-CAM tells apart well enough.
    if !is_baseline {
        let features = model.before(&images, Cut::Features).unwrap();
        let off = distance(&features, &expected["features"]);
        assert!(off < TOLERANCE, "{} features: {off:e}", case.name);
        report += &format!(", features {off:.1e}");
        for cut in [Cut::Upper, Cut::Features] {
            let at_cut = model.before(&images, cut).unwrap();
            let off = distance(&model.infer(&at_cut, cut).unwrap(), &expected["logits"]);
            assert!(off < TOLERANCE, "{} logits over {cut:?}: {off:e}", case.name);
        }
    }
    let explained: Vec<usize> = values(&expected["explained"]).iter().map(|&class| class as usize).collect();
    let second = if is_baseline { Some(explained[1]) } else { None };
    for (i, heat) in grad_cam(model, &images, &[Some(explained[0]), second]).unwrap().iter().enumerate() {
        assert_eq!(heat.class, explained[i]);
        let got = Tensor::new(heat.values.clone(), &Device::Cpu).unwrap().reshape((heat.height, heat.width)).unwrap();
        let off = distance(&got, &expected["cam"].get(i).unwrap());
        assert!(off < TOLERANCE, "{} Grad-CAM of image {i}: {off:e}", case.name);
        report += &format!(", Grad-CAM {off:.1e}");
    }
    println!("{report}");
}

fn check_gradients(
    case: &Case,
    model: &Model,
    cut: Cut,
    images: &Tensor,
    targets: &Tensor,
    expected: &BTreeMap<String, Tensor>,
) {
    let (loss, gradients) = gradients(model, cut, images, targets);
    let off = f64::from((loss / values(&expected["loss"])[0] - 1.0).abs());
    assert!(off < TOLERANCE, "{} loss: {off:e}", case.name);
    let trainable = model.trainable(cut);
    if cut == Cut::Images {
        let all = expected.keys().filter_map(|name| name.strip_prefix("gradient."));
        assert_eq!(trainable, all.collect::<Vec<_>>(), "{}", case.name);
    }
    let mut got = Vec::new();
    for (name, param) in model.params().iter() {
        let gradient = gradients.get(&param.var).unwrap();
        // What is frozen gets none.
        assert_eq!(gradient.is_some(), trainable.binary_search(&name.to_string()).is_ok(), "{name}");
        got.extend(gradient.map(|gradient| (name.to_string(), gradient)));
    }
    compare(&format!("{}, gradients over {cut:?}", case.name), "gradient", &got, expected, TOLERANCE);
}

/// The mean loss and its gradients, of what comes after the cut.
pub(super) fn gradients(model: &Model, cut: Cut, images: &Tensor, targets: &Tensor) -> (f32, Gradients) {
    let at_cut = model.before(images, cut).unwrap();
    let loss = cross_entropy(&model.after(&at_cut, cut, None).unwrap(), targets).unwrap();
    (loss.to_scalar().unwrap(), model.backward(&loss).unwrap())
}

fn check_adam(case: &Case, model: &Model, images: &Tensor, targets: &Tensor, expected: &BTreeMap<String, Tensor>) {
    let names = model.trainable(case.trained);
    let all = expected.keys().filter_map(|name| name.strip_prefix("update."));
    assert_eq!(names, all.collect::<Vec<_>>(), "{}", case.name);
    let var = |name: &String| model.params().get(name).unwrap().var.clone();
    let before: Vec<_> = names.iter().map(|name| var(name).as_tensor().copy().unwrap()).collect();
    let mut adam = Adam::new(names.iter().map(|name| (name.clone(), var(name))).collect(), case.learning_rate).unwrap();
    for _ in 0..case.steps {
        let (_, gradients) = gradients(model, case.trained, images, targets);
        adam.step(&gradients).unwrap();
    }
    let updates = names.into_iter().zip(before).map(|(name, before)| {
        let update = (var(&name).as_tensor() - before).unwrap();
        (name, update)
    });
    compare(&format!("{}, Adam", case.name), "update", &updates.collect::<Vec<_>>(), expected, UPDATE_TOLERANCE);
}

/// Compares tensors with their sketches, and names all that are too far off.
fn compare(what: &str, prefix: &str, got: &[(String, Tensor)], expected: &BTreeMap<String, Tensor>, tolerance: f64) {
    assert!(!got.is_empty(), "{what}: nothing to compare");
    let mut off = Vec::new();
    for (name, tensor) in got {
        let expected = Sketch::read(&expected[&format!("{prefix}.{name}")]);
        off.push((Sketch::new(name, &values(tensor)).distance(&expected), name));
    }
    off.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    println!(
        "{what}: {} tensors, worst {:.1e} ({}), median {:.1e}",
        off.len(),
        off[0].0,
        off[0].1,
        off[off.len() / 2].0
    );
    off.retain(|(off, _)| off.is_nan() || *off >= tolerance);
    assert!(off.is_empty(), "{what}: {} of {} tensors are not within {tolerance:e}: {off:?}", off.len(), got.len());
}

#[test]
fn resnet50_is_torchvisions_by_kernels() {
    check(&transfer("resnet50", Backbone::Resnet50), Ops::Kernels);
}

#[test]
fn resnet50_is_torchvisions_by_candles_operations() {
    check(&transfer("resnet50", Backbone::Resnet50), Ops::Candle);
}

#[test]
fn resnet18_is_torchvisions_by_kernels() {
    check(&transfer("resnet18", Backbone::Resnet18), Ops::Kernels);
}

#[test]
fn resnet18_is_torchvisions_by_candles_operations() {
    check(&transfer("resnet18", Backbone::Resnet18), Ops::Candle);
}

#[test]
fn lite0_is_timms_by_kernels() {
    check(&transfer("lite0", Backbone::EfficientnetLite0), Ops::Kernels);
}

#[test]
fn lite0_is_timms_by_candles_operations() {
    check(&transfer("lite0", Backbone::EfficientnetLite0), Ops::Candle);
}

#[test]
fn the_baseline_is_pytorchs_by_kernels() {
    check(&baseline(), Ops::Kernels);
}

#[test]
fn the_baseline_is_pytorchs_by_candles_operations() {
    check(&baseline(), Ops::Candle);
}

/// Features and logits against candle-transformers, at the size that networks were made for.
#[test]
fn resnet50_is_candle_transformers() {
    let case = transfer("resnet50", Backbone::Resnet50);
    let images = images(&[0], 224, 224);
    let kernels = model(&case.architecture, Ops::Kernels);
    let tensors: HashMap<_, _> =
        kernels.params().iter().map(|(name, param)| (name.to_string(), param.var.as_tensor().detach())).collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let theirs = resnet::resnet50_no_final_layer(vb.pp("backbone")).unwrap();
    let features = theirs.forward(&images.contiguous().unwrap()).unwrap();
    let linear = |name, from, to| candle_nn::linear(from, to, vb.pp("head").pp(name)).unwrap();
    let hidden = linear("linear1", 2048, 256).forward(&features).unwrap().relu().unwrap();
    let logits = linear("linear2", 256, CLASSES).forward(&hidden).unwrap();
    for model in [kernels, model(&case.architecture, Ops::Candle)] {
        let off = distance(&model.before(&images, Cut::Features).unwrap(), &features);
        assert!(off < TOLERANCE, "features: {off:e}");
        let off = distance(&model.logits(&images).unwrap(), &logits);
        assert!(off < TOLERANCE, "logits: {off:e}");
    }
}
