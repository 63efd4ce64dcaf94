//! ONNX files: a trained network that other programs run (docs/ONNX.md).

mod calibrate;
mod metadata;
mod options;
mod reference;

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use prost::Message;

use super::ModelInfo;
use crate::base::config::TestViews;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, output};
use crate::models::{Model, Trust};
use crate::nn::onnx::{Attribute, Graph, IR_VERSION, OPSET, Value, schema};
use crate::pixels::Preprocess;

pub use crate::nn::onnx::{Pixels, Ranges};
pub use calibrate::{PHOTOS, ranges};
pub use options::{Options, Weights};
pub use reference::{REFERENCE_FILE, Reference, picture};

/// The most bytes of an ONNX file that is one file: protobuf counts them in 31 bits.
const LIMIT: usize = (1 << 31) - 1;

/// An ONNX file of petal's, so that an earlier one is told from other files: the format's version, then who wrote it.
pub const ONNX_FILE: output::Kind = output::Kind {
    name: "an ONNX file",
    is: |bytes| bytes.get(2..).is_some_and(|rest| rest.starts_with(b"\x12\x05petal")),
};

/// An ONNX file that was written.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: String,
    /// The reference beside it ([`Reference`]); none where the file itself went to a pipe or a device.
    pub reference: Option<PathBuf>,
    /// In what its weights are stored, and what it takes: `f16 weights, u8 pictures [N, 3, 224, 224]`.
    pub words: String,
}

/// Writes an ONNX file, and beside it, with `.json` behind its name, what petal's own network says of a picture that anyone can make: [`Reference`]. Earlier
/// files of this kind are replaced, others are not.
///
/// `sha256`: of the model file, which the ONNX file names as its origin.
///
/// # Errors
/// Those of [`to_bytes`] and [`output::write`].
pub fn write(model: &Model, info: &ModelInfo, sha256: &str, options: &Options, path: &Path) -> Result<Exported> {
    let beside = beside(path);
    output::check_free(path, ONNX_FILE)?;
    if let Some(beside) = &beside {
        output::check_free(beside, REFERENCE_FILE)?;
    }
    let bytes = to_bytes(model, info, sha256, options)?;
    let reference = Reference::new(model, info, files::sha256(&bytes), options)?;
    let json = reference.to_json()?;
    output::write(path, ONNX_FILE, &bytes)?;
    if let Some(beside) = &beside {
        output::write(beside, REFERENCE_FILE, json.as_bytes())?;
    }
    let side = asked(model, info)?.size;
    let words = format!("{} weights, {} pictures [N, 3, {side}, {side}]", options.weights.name(), options.input.name());
    let (length, sha256) = (bytes.len() as u64, reference.sha256);
    Ok(Exported { path: path.to_path_buf(), bytes: length, sha256, reference: beside, words })
}

/// The bytes of an ONNX file: pictures in RGB from 0 to 255, `images [N, 3, H, W]`, in; `logits` and `probabilities`, `[N, K]`, out. Normalisation and softmax are
/// inside; what comes before, the file's metadata say. Equal models give equal bytes.
///
/// ```
/// use petal::candle::Device;
/// use petal::config::{Fit, TestConfig};
/// use petal::export::{ModelInfo, onnx};
/// use petal::models::{Architecture, Model};
/// use petal::pixels::{Filter, Preprocess};
/// use petal::prelude::*;
///
/// let architecture = Architecture::Baseline { classes: 2, image_size: 32 };
/// let model = Model::new(&architecture, Seed(1), &Device::Cpu)?;
/// let preprocess =
///     Preprocess { size: 32, crop: 0.875, fit: Fit::Crop, filter: Filter::Bilinear, mean: [0.0; 3], std: [1.0; 3] };
/// let info = ModelInfo {
///     architecture,
///     classes: vec!["rose".into(), "tulip".into()],
///     preprocess,
///     test: TestConfig::default(),
///     precision: Default::default(),
///     backbone_weights: None,
///     metrics: Default::default(),
///     run: None,
///     trust: None,
/// };
/// let bytes = onnx::to_bytes(&model, &info, "", &onnx::Options::default())?;
/// // Numbers of 32 bits, and little besides.
/// let weights: usize = model.params().iter().map(|(_, param)| 4 * param.var.elem_count()).sum();
/// assert!((weights..weights + 5_000).contains(&bytes.len()));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] for one that is asked about several views of each photo; [`ErrorKind::Weights`] for numbers
/// that cannot be stored so, and for a file of more than 2 GiB.
pub fn to_bytes(model: &Model, info: &ModelInfo, sha256: &str, options: &Options) -> Result<Vec<u8>> {
    let preprocess = asked(model, info)?;
    let mut graph = Graph::new(options.weights.stored());
    let images = graph.input("images", vec![3, preprocess.size, preprocess.size], options.input);
    let images = normalised(&mut graph, images, &preprocess, options.input, None)?;
    let logits = model.onnx(&mut graph, images)?;
    let logits = graph.output(logits, "logits", "what the network says of each class, before softmax")?;
    probabilities(&mut graph, &logits, temperature(info))?;
    let file = schema::Model {
        ir_version: IR_VERSION,
        producer_name: "petal".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: metadata::words(info, &preprocess, options),
        graph: Some(graph.finish()),
        opset_import: vec![schema::Opset { domain: String::new(), version: OPSET }],
        metadata_props: metadata::entries(info, &preprocess, sha256, options)?,
    };
    let length = file.encoded_len();
    if length > LIMIT {
        let what =
            format!("the ONNX file would have {length} bytes; expected at most {LIMIT}, all that its format can count");
        return Err(Error::new(ErrorKind::Weights, what).mend("store the weights as f16"));
    }
    Ok(file.encode_to_vec())
}

/// What photos become before the network: as it was trained, or at the size that it is asked at.
fn asked(model: &Model, info: &ModelInfo) -> Result<Preprocess> {
    if info.test.views != TestViews::One {
        let what = format!(
            "this model is asked about several views of each photo (test.views is {}); an ONNX file asks about one",
            info.test.views.name()
        );
        return Err(Error::new(ErrorKind::Config, what)
            .mend("export it with test.views = one (--test-views one), and take the mean of several answers in the other program"));
    }
    let trained = info.preprocess;
    let size = if info.test.size == 0 { trained.size } else { info.test.size };
    if size != trained.size && !model.takes_any_size() {
        let expected = format!("0, or {} as it was trained", trained.size);
        return Err(Error::config("test.size", size, &expected).mend("this network has parts that fit one size only"));
    }
    Ok(Preprocess { size, ..trained })
}

/// `(value / 255 − mean) / std`, in the order in which petal computes it, so that the numbers are the same; what changes nothing is left out.
fn normalised(
    graph: &mut Graph,
    images: Value,
    preprocess: &Preprocess,
    pixels: Pixels,
    sample: Option<Tensor>,
) -> Result<Value> {
    let Preprocess { mean, std, .. } = preprocess;
    let shape = images.shape.clone();
    let mut name = images.name.clone();
    if pixels == Pixels::U8 {
        name = graph.cast("images.f32", &name, &shape);
    }
    let level = graph.number(255.0);
    let mut parts = vec![("Div", "images.unit", level)];
    if *mean != [0.0; 3] {
        parts.push(("Sub", "images.centred", graph.tensor("mean", &[1, 3, 1, 1], mean)));
    }
    if *std != [1.0; 3] {
        parts.push(("Div", "images.normalised", graph.tensor("std", &[1, 3, 1, 1], std)));
    }
    for (op, part, number) in parts {
        name = graph.node(op, part, &[&name, &number], &[], (shape.clone(), None)).name;
    }
    let mut images = images;
    (images.name, images.sample) = (name, sample);
    graph.settle(images)
}

/// What was measured of the model where that was done as the file asks.
fn measured(info: &ModelInfo) -> Option<&Trust> {
    info.trust.as_ref().filter(|trust| trust.test == info.test && super::trust::fits(trust, info))
}

/// What the logits are divided by before softmax: the temperature that the model carries; else 1.
fn temperature(info: &ModelInfo) -> f64 {
    measured(info).map_or(1.0, |trust| trust.temperature.value)
}

/// Softmax of the logits over the temperature.
fn probabilities(graph: &mut Graph, logits: &Value, temperature: f64) -> Result<()> {
    let made = || (logits.shape.clone(), None);
    let mut name = logits.name.clone();
    if temperature.to_bits() != 1f64.to_bits() {
        let temperature = graph.tensor("temperature", &[], &[temperature as f32]);
        name = graph.node("Div", "calibrated", &[&name, &temperature], &[], made()).name;
    }
    let softmax = graph.node("Softmax", "softmax", &[&name], &[("axis", Attribute::Int(1))], made());
    graph.output(softmax, "probabilities", "the probability of each class; they sum up to 1")?;
    Ok(())
}

/// The file beside an ONNX file; none where that goes to something that is no file.
fn beside(path: &Path) -> Option<PathBuf> {
    let is_open_file = ["/dev", "/proc"].iter().any(|start| path.starts_with(start));
    let is_none = path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    if output::is_standard(path) || is_open_file || is_none {
        return None;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    Some(name.into())
}

/// The ranges that a graph's values have, merged.
fn merged(mut all: Ranges, more: Ranges) -> Ranges {
    for (name, (low, high)) in more {
        let range = all.entry(name).or_insert((low, high));
        *range = (range.0.min(low), range.1.max(high));
    }
    all
}
