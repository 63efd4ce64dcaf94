//! What petal's own network says of one picture, so that anyone can check an exported file.

use candle_core::{Device, Tensor};
use serde::Serialize;

use super::{Options, Weights, asked, temperature};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::output;
use crate::base::seed::Seed;
use crate::export::ModelInfo;
use crate::models::Model;
use crate::pixels::Rgb;

/// The picture, as its readers are told.
const FORMULA: &str = "images[0][c][y][x] = (7 x + 5 y + 31 c + x y) mod 256";

/// A reference of petal's, so that an earlier one is told from other files.
pub const REFERENCE_FILE: output::Kind =
    output::Kind { name: "a reference of an ONNX file", is: |bytes| bytes.starts_with(b"{\n  \"reference_of_onnx\":") };

/// What petal's own network, in f32, says of one picture that a formula makes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reference {
    /// SHA-256 of the ONNX file.
    #[serde(rename = "reference_of_onnx")]
    pub sha256: String,
    /// How the picture is made.
    pub picture: &'static str,
    /// Its shape: `[1, 3, H, W]`.
    pub shape: [usize; 4],
    /// Class names.
    pub classes: Vec<String>,
    /// Logits of the classes.
    pub logits: Vec<f32>,
    /// Probabilities of the classes.
    pub probabilities: Vec<f32>,
    /// How far the file's logits may be from these, as a part of the largest of them; for weights of 8 bits there is no such limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
}

impl Reference {
    /// Asks the network.
    ///
    /// # Errors
    /// What the network gives; those of [`to_bytes`](super::to_bytes).
    pub fn new(model: &Model, info: &ModelInfo, sha256: String, options: &Options) -> Result<Self> {
        let preprocess = asked(model, info)?;
        let side = preprocess.size;
        let values = preprocess.normalize(&picture(side));
        let images = Tensor::from_vec(values, (1, side, side, 3), &Device::Cpu)?.permute((0, 3, 1, 2))?;
        let is_plain = model.device().is_cpu() && model.precision().is_f32();
        let logits = if is_plain { model.logits(&images)? } else { plain(model)?.logits(&images)? };
        let calibrated = (&logits / temperature(info))?;
        let probabilities = candle_nn::ops::softmax(&calibrated, 1)?.squeeze(0)?.to_vec1()?;
        let logits = logits.squeeze(0)?.to_vec1()?;
        let tolerance = match options.weights {
            Weights::F32 => Some(1e-4),
            Weights::F16 => Some(1e-2),
            Weights::Int8(_) => None,
        };
        let (classes, shape) = (info.classes.clone(), [1, 3, side, side]);
        Ok(Self { sha256, picture: FORMULA, shape, classes, logits, probabilities, tolerance })
    }

    /// As JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] for logits that are not finite.
    pub fn to_json(&self) -> Result<String> {
        if let Some(wrong) = self.logits.iter().find(|logit| !logit.is_finite()) {
            let what = format!("the network says {wrong} of the reference picture; expected a finite number");
            return Err(Error::new(ErrorKind::Weights, what).mend("use weights from before the training went wrong"));
        }
        let failed =
            |cause: serde_json::Error| Error::new(ErrorKind::Bug, format!("this cannot be written as JSON: {cause}"));
        Ok(serde_json::to_string_pretty(self).map_err(failed)? + "\n")
    }
}

/// The picture that references are of: `(7 x + 5 y + 31 c + x y) mod 256`, of all three channels.
///
/// ```
/// use petal::export::onnx;
///
/// assert_eq!(onnx::picture(2).data, [0, 31, 62, 7, 38, 69, 5, 36, 67, 13, 44, 75]);
/// ```
pub fn picture(side: usize) -> Rgb {
    let places = (0..side).flat_map(|y| (0..side).map(move |x| 7 * x + 5 * y + x * y));
    let data = places.flat_map(|place| [0, 31, 62].map(|c| ((place + c) % 256) as u8)).collect();
    Rgb { width: side, height: side, data }
}

/// The same network on the CPU, in f32.
fn plain(model: &Model) -> Result<Model> {
    let plain = Model::new(model.architecture(), Seed(0), &Device::Cpu)?;
    let values = model.params().iter().map(|(name, param)| (name.to_owned(), param.var.as_tensor().clone()));
    plain.params().set_all(&values.collect())?;
    Ok(plain)
}
