//! What an ONNX file says of itself beside its graph: enough to bring photos to it, and to know what it is.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Options, measured, temperature};
use crate::base::config::{Fit, TrustConfig};
use crate::base::error::{Error, ErrorKind, Result};
use crate::export::ModelInfo;
use crate::models::{Kept, Trust};
use crate::nn::onnx::schema::Entry;
use crate::pixels::Preprocess;

/// The file's description, for those who open it in a viewer.
pub(super) fn words(info: &ModelInfo, preprocess: &Preprocess, options: &Options) -> String {
    let Preprocess { size, .. } = preprocess;
    format!(
        "An image classifier of {} classes ({}), trained with petal. `images`: RGB from 0 to 255, {} [N, 3, {size}, {size}], resized as \
         `preprocess` in the metadata says; normalisation is inside. `probabilities`: of the classes that `classes` names, in its order.",
        info.classes.len(),
        info.name(),
        options.input.name(),
    )
}

/// Keys and values in a fixed order. What is no plain text is JSON.
pub(super) fn entries(
    info: &ModelInfo,
    preprocess: &Preprocess,
    sha256: &str,
    options: &Options,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut add = |key: &str, value: String| entries.push(Entry { key: key.into(), value });
    add("network", info.name());
    add("classes", text(&info.classes)?);
    add("preprocess", text(&rule(preprocess))?);
    add("weights", options.weights.name().into());
    add("petal", env!("CARGO_PKG_VERSION").into());
    add("model_sha256", sha256.into());
    if !info.precision.is_f32() {
        add("trained_in", info.precision.name().into());
    }
    if let Some(origin) = &info.backbone_weights {
        add("backbone_weights", text(origin)?);
    }
    if let Some(run) = &info.run {
        add("run", run.clone());
    }
    add("temperature", text(&temperature(info))?);
    if let Some(trust) = measured(info) {
        add("thresholds", text(&thresholds(trust))?);
    }
    if !info.metrics.is_empty() {
        add("metrics", text(&info.metrics)?);
    }
    Ok(entries)
}

/// When one class alone isn't sure enough, and when a photo is of none of them, as settings have it by default; `null` where too few photos were there to tell.
/// A file that is not petal's carries no features: so a photo is unknown by its energy, minus the logarithm of the sum of the exponentials of the logits.
fn thresholds(trust: &Trust) -> Value {
    let TrustConfig { coverage, false_alarms, .. } = TrustConfig::default();
    let score = Kept::threshold(&trust.lac.iter().collect::<Vec<_>>(), coverage);
    let energy = Kept::threshold(&[&trust.energies], 1.0 - false_alarms);
    json!({
        "coverage": coverage,
        "least_probability": score.map(|score| 1.0 - score),
        "false_alarms": false_alarms,
        "most_energy": energy,
    })
}

/// How a photo, turned upright and laid on white, becomes the square that goes in.
fn rule(preprocess: &Preprocess) -> Value {
    let Preprocess { size, crop, fit, filter, mean, std } = preprocess;
    let mut rule = json!({ "fit": fit, "size": size, "filter": filter, "antialias": true });
    match fit {
        // The shorter side; the longer one is rounded down, and the middle is cut out.
        Fit::Crop => rule["resize"] = json!(((*size as f64 / crop).floor() as usize).max(*size)),
        Fit::Squash => {}
        Fit::Pad => rule["colour"] = json!(preprocess.mean_colour()),
    }
    rule["normalised_inside"] = json!({ "mean": mean, "std": std });
    rule
}

fn text(value: &impl Serialize) -> Result<String> {
    let failed =
        |cause: serde_json::Error| Error::new(ErrorKind::Bug, format!("this cannot be written as JSON: {cause}"));
    // By way of text, so that an f32 stays as short as it is.
    let mut value: Value = serde_json::from_str(&serde_json::to_string(value).map_err(failed)?).map_err(failed)?;
    value.sort_all_objects();
    serde_json::to_string(&value).map_err(failed)
}
