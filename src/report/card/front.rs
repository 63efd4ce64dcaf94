//! The card's head: YAML that the hub reads.

use super::made_from::{Card, measured_parts};
use super::markup::yaml;
use crate::base::config::Backbone;
use crate::eval::Evaluation;
use crate::models::registry;
use crate::train::run::{Origins, RunRecord};

/// Licences of pretrained weights as the hub names them (its docs, "Licenses"), by their SPDX identifiers.
const LICENCES: [&str; 4] = ["Apache-2.0", "BSD-3-Clause", "MIT", "ISC"];

/// The head, without the dashes before it, with those behind it.
///
/// Its keys are those of the hub's "Model Cards" and of the `model-index` of Papers with Code, which the hub's tables are made from.
pub(super) fn front(card: &Card) -> String {
    let record = card.record;
    let weights = record.made_by.weights.as_ref();
    let licence = weights.and_then(|weights| weights.licence.as_deref()).filter(|licence| LICENCES.contains(licence));
    let mut head = format!("license: {}\n", licence.map_or("other".into(), str::to_lowercase));
    if licence.is_none() {
        head += "license_name: not-chosen-yet\n";
    }
    head += "library_name: petal\npipeline_tag: image-classification\n";
    head += &format!("tags:\n- petal\n- image-classification\n- candle\n- {}\n", yaml(&record.made_by.model));
    if let Some(set) = data_set(record).filter(|set| set.is_known) {
        head += &format!("datasets:\n- {}\n", yaml(&set.name));
    }
    if let Some(base) = base_model(record) {
        head += &format!("base_model: {}\n", yaml(base));
    }
    let measured: Vec<_> = measured_parts(record, &["test", "val"]).collect();
    if !measured.is_empty() {
        head += "metrics:\n- accuracy\n- f1\n";
        head += &format!("model-index:\n- name: {}\n  results:\n", yaml(&record.name));
        measured.iter().for_each(|(part, evaluation)| head += &result(record, part, evaluation));
    }
    head + "---\n"
}

/// What was measured on one part, as an entry of the model's index.
fn result(record: &RunRecord, part: &str, evaluation: &Evaluation) -> String {
    let accuracy = evaluation.accuracy();
    let data =
        data_set(record).unwrap_or_else(|| DataSet { name: "photos".into(), kind: "imagefolder", is_known: false });
    let metric = |kind: &str, name: &str, value: f64| {
        format!("    - type: {kind}\n      name: {}\n      value: {value:.4}\n", yaml(name))
    };
    // One accuracy alone has this type: whoever reads the index takes any number of it for one.
    let named = format!("Accuracy (95 % interval {:.1} to {:.1} %)", 100.0 * accuracy.low, 100.0 * accuracy.high);
    let metrics = [
        metric("accuracy", &named, accuracy.value),
        metric("f1", "Macro F1", evaluation.macro_average().f1),
        metric("loss", "Cross-entropy in nats", evaluation.loss()),
    ];
    format!(
        "  - task:\n      type: image-classification\n      name: Image Classification\n    dataset:\n      name: {}\n      type: {}\n      split: {part}\n    metrics:\n{}",
        yaml(&data.name),
        data.kind,
        metrics.concat()
    )
}

/// The data set as the hub may know it.
struct DataSet {
    name: String,
    kind: &'static str,
    is_known: bool,
}

fn data_set(record: &RunRecord) -> Option<DataSet> {
    let photos = record.made_by.photos.as_ref()?;
    let (name, kind, is_known) = match &photos.source {
        Origins::TfFlowers => ("tf_flowers".into(), "tf_flowers", true),
        Origins::Synthetic => ("flowers drawn by petal".into(), "imagefolder", false),
        Origins::Own(name) if name.is_empty() => ("photos".into(), "imagefolder", false),
        Origins::Own(name) => (name.clone(), "imagefolder", false),
    };
    Some(DataSet { name, kind, is_known })
}

/// The repository that the backbone's weights are from, where it is one that petal knows.
fn base_model(record: &RunRecord) -> Option<&'static str> {
    let weights = record.made_by.weights.as_ref()?;
    let names = Backbone::ALL.iter().map(|&backbone| registry::weights(backbone).name);
    // Those in petal's repository are the same in fewer digits, and say so behind their name.
    names.into_iter().find(|name| weights.name.split(',').next() == Some(*name))
}
