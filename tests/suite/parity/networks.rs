//! How a network is compared with its fixture: outputs, gradients, Adam's steps and Grad-CAM, on the same weights and images.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use petal::config::WeightsFrom;
use petal::explain::{AttentionRelevance, cam, grad_cam};
use petal::models::{Architecture, Cut, Model, Ops, weights};
use petal::nn::Gradients;
use petal::nn::loss::cross_entropy;
use petal::nn::optim::Adam;
use petal::{Seed, Unheard};

use super::cases::{CLASSES, Case};
use crate::formulas::{Sketch, distance, fixture, images, values};

/// For outputs, heat maps and every tensor's gradient. Both sides sum up to some thousand f32 numbers, in another order, through
/// some fifty layers. Measured is 1e-7 to 1e-5.
pub(super) const TOLERANCE: f64 = 1e-4;

/// For what Adam adds to the weights, which is a ten-thousandth of them. It divides each gradient by its own size, so where a
/// gradient is near 0 its rounding errors count fully; and the sum with the weight is rounded to f32. Measured is 1e-6 to 1e-3, but for one bias of
/// ConvNeXt-Tiny, where both ways to compute have 3e-3 to 5e-3: one of its 768 gradients is 2e-7, about Adam's ε.
const UPDATE_TOLERANCE: f64 = 1e-2;

/// A model with the weights of the fixtures: its own where the case says so, else by formula.
pub(super) fn model(case: &Case, ops: Ops) -> Model {
    let model = Model::with_ops(&case.architecture, Seed(0), &Device::Cpu, ops).unwrap();
    let mut by_formula: Vec<_> = model.params().shapes("").into_iter().collect();
    if let (Architecture::Transfer { backbone, .. }, true) = (&case.architecture, case.embedded) {
        let loaded =
            weights::load(*backbone, &WeightsFrom::Embedded, &Device::Cpu, "unused".as_ref(), &mut Unheard).unwrap();
        weights::apply(&model, &loaded.unwrap()).unwrap();
        by_formula.retain(|(name, _)| name.starts_with("head."));
    }
    let values = by_formula.into_iter().map(|(name, shape)| {
        let tensor = (case.formula)(name.strip_prefix("backbone.").unwrap_or(&name), &shape);
        (name, tensor)
    });
    model.params().set_all(&values.collect()).unwrap();
    model
}

/// Everything that the fixture holds for a network.
pub(super) fn check(case: &Case, ops: Ops) {
    let expected = fixture(&format!("networks_{}", case.fixture));
    let model = model(case, ops);
    check_outputs(case, &model, &expected);

    let picks: Vec<usize> = values(&expected["picks"]).iter().map(|&pick| pick as usize).collect();
    let images = images(&picks, case.side, case.side);
    let targets: Vec<u32> = picks.iter().map(|pick| (pick % CLASSES) as u32).collect();
    let targets = Tensor::new(targets, &Device::Cpu).unwrap();
    for &cut in case.cuts() {
        check_gradients(case, &model, cut, &images, &targets, &expected);
    }
    // Last: it changes the weights.
    check_adam(case, &model, &images, &targets, &expected);
}

fn check_outputs(case: &Case, model: &Model, expected: &BTreeMap<String, Tensor>) {
    let (height, width) = if case.is_transfer() { (97, 81) } else { (case.side, case.side) };
    let images = images(&[0, 1], height, width);
    let off = distance(&model.logits(&images).unwrap(), &expected["logits"]);
    assert!(off < TOLERANCE, "{} logits: {off:e}", case.fixture);
    let mut report = format!("{}: logits {off:.1e}", case.fixture);
    // The baseline's features are its last maps, which Grad-CAM tells apart well enough.
    if case.is_transfer() {
        let features = model.before(&images, Cut::Features).unwrap();
        let off = distance(&features, &expected["features"]);
        assert!(off < TOLERANCE, "{} features: {off:e}", case.fixture);
        report += &format!(", features {off:.1e}");
        for cut in [Cut::Upper, Cut::Features] {
            let at_cut = model.before(&images, cut).unwrap();
            let off = distance(&model.infer(&at_cut, cut).unwrap(), &expected["logits"]);
            assert!(off < TOLERANCE, "{} logits over {cut:?}: {off:e}", case.fixture);
        }
    }
    let explained: Vec<usize> = values(&expected["explained"]).iter().map(|&class| class as usize).collect();
    // Where it is what the network says, petal is to find it so.
    let said = expected["logits"].get(1).unwrap().argmax(0).unwrap().to_scalar::<u32>().unwrap() as usize;
    let second = Some(explained[1]).filter(|&class| class != said);
    for (i, heat) in grad_cam(model, &images, &[Some(explained[0]), second]).unwrap().iter().enumerate() {
        assert_eq!(heat.class, explained[i]);
        let got = Tensor::new(heat.values.clone(), &Device::Cpu).unwrap().reshape((heat.height, heat.width)).unwrap();
        let off = distance(&got, &expected["cam"].get(i).unwrap());
        assert!(off < TOLERANCE, "{} Grad-CAM of image {i}: {off:e}", case.fixture);
        report += &format!(", Grad-CAM {off:.1e}");
    }
    if let Some(expected) = expected.get("attention") {
        let classes: Vec<_> = explained.iter().copied().map(Some).collect();
        for (i, heat) in cam(&AttentionRelevance, model, &images, &classes).unwrap().iter().enumerate() {
            let shape = (heat.height, heat.width);
            let got = Tensor::new(heat.values.clone(), &Device::Cpu).unwrap().reshape(shape).unwrap();
            let off = distance(&got, &expected.get(i).unwrap());
            assert!(off < TOLERANCE, "{} attention of image {i}: {off:e}", case.fixture);
            report += &format!(", attention {off:.1e}");
        }
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
    assert!(off < TOLERANCE, "{} loss: {off:e}", case.fixture);
    let trainable = model.trainable(cut);
    if cut == Cut::Images {
        let all = expected.keys().filter_map(|name| name.strip_prefix("gradient."));
        assert_eq!(trainable, all.collect::<Vec<_>>(), "{}", case.fixture);
    }
    let mut got = Vec::new();
    for (name, param) in model.params().iter() {
        let gradient = gradients.get(&param.var).unwrap();
        // What is frozen gets none.
        assert_eq!(gradient.is_some(), trainable.binary_search(&name.to_string()).is_ok(), "{name}");
        got.extend(gradient.map(|gradient| (name.to_string(), gradient)));
    }
    compare(&format!("{}, gradients over {cut:?}", case.fixture), "gradient", &got, expected, TOLERANCE);
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
    assert_eq!(names, all.collect::<Vec<_>>(), "{}", case.fixture);
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
    compare(&format!("{}, Adam", case.fixture), "update", &updates.collect::<Vec<_>>(), expected, UPDATE_TOLERANCE);
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
