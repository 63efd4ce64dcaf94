//! A trained model as a folder that the Hugging Face hub takes for a repository.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ModelInfo;
use super::onnx::{self, ONNX_FILE, Options};
use super::safetensors::{MODEL_FILE, to_bytes};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, output};
use crate::models::hub::push::Upload;
use crate::models::{Architecture, Model, registry};
use crate::pixels::{Filter, Preprocess};

/// petal's description of a repository, so that an earlier one is told from other files.
const CONFIG: output::Kind = output::Kind {
    name: "a config.json of petal's",
    is: |bytes| bytes.starts_with(b"{\n  \"library_name\": \"petal\""),
};

/// A model card.
const CARD: output::Kind = output::Kind { name: "a model card", is: |bytes| bytes.starts_with(b"---") };

/// A folder that was written for the hub.
#[derive(Clone, Debug)]
pub struct HubFolder {
    /// The folder.
    pub folder: PathBuf,
    /// Its files, in the order of their names there: `README.md` (the card), `config.json`, `model.onnx`, `model.safetensors`.
    pub files: Vec<Upload>,
    /// Why there is no ONNX file, where there is none.
    pub without_onnx: Option<String>,
    /// SHA-256 of the model file.
    pub sha256: String,
}

/// Writes a model into a folder as a repository of the hub: the model file, the same as ONNX, `config.json` as timm lays it out, and its card as `README.md`, where there
/// is one. `card` makes it for the model file's name and SHA-256. Earlier files of these kinds are replaced, others are not.
///
/// # Errors
/// Those of [`to_bytes`] and [`output::write`]. A model that ONNX cannot hold has no such file, and the folder says why.
pub fn write_folder(
    model: &Model,
    info: &ModelInfo,
    folder: &Path,
    card: impl FnOnce(&str, &str) -> Option<String>,
) -> Result<HubFolder> {
    const FILE: &str = "model.safetensors";
    let to = |name: &str| folder.join(name);
    for (name, kind) in [("README.md", CARD), ("config.json", CONFIG), ("model.onnx", ONNX_FILE), (FILE, MODEL_FILE)] {
        output::check_free(&to(name), kind)?;
    }
    let bytes = to_bytes(model, info)?;
    let sha256 = files::sha256(&bytes);
    let onnx = match onnx::to_bytes(model, info, &sha256, &Options::default()) {
        Ok(onnx) => Ok(onnx),
        Err(error) if error.kind() == ErrorKind::Bug => return Err(error),
        Err(error) => Err(error.in_a_line()),
    };
    std::fs::create_dir_all(folder).map_err(|cause| Error::io("create", folder, &cause))?;
    let mut names = Vec::new();
    let mut put = |name: &str, kind, bytes: &[u8]| -> Result<()> {
        output::write(&to(name), kind, bytes)?;
        names.push(name.to_owned());
        Ok(())
    };
    if let Some(card) = card(FILE, &sha256) {
        put("README.md", CARD, card.as_bytes())?;
    }
    put("config.json", CONFIG, config(info).as_bytes())?;
    let without_onnx = match onnx {
        Ok(onnx) => put("model.onnx", ONNX_FILE, &onnx).map(|()| None)?,
        Err(why) => Some(why),
    };
    put(FILE, MODEL_FILE, &bytes)?;
    let files = names.into_iter().map(|name| Upload { path: to(&name), name }).collect();
    Ok(HubFolder { folder: folder.to_path_buf(), files, without_onnx, sha256 })
}

/// What `config.json` says: enough to train on from these weights by `--weights hf:owner/name`, in the words of timm.
fn config(info: &ModelInfo) -> String {
    let Preprocess { size, crop, filter, mean, std, .. } = &info.preprocess;
    let (architecture, features) = match &info.architecture {
        Architecture::Baseline { .. } => ("baseline", None),
        Architecture::Transfer { backbone, .. } => {
            let weights = registry::weights(*backbone);
            let repository = weights.name.rsplit('/').next().unwrap_or_default();
            (repository.split('.').next().unwrap_or_default(), Some(weights.features))
        }
    };
    let interpolation = match filter {
        Filter::Bilinear => "bilinear",
        Filter::Bicubic => "bicubic",
    };
    // As text first, so that an f32 stays as short as it is.
    let [mean, std] = [mean, std].map(|numbers| numbers.map(|number| number.to_string().parse::<f64>().unwrap_or(0.0)));
    let mut config = json!({
        "architecture": architecture,
        "num_classes": info.classes.len(),
        "label_names": info.classes,
        "pretrained_cfg": {
            "input_size": [3, size, size],
            "interpolation": interpolation,
            "crop_pct": crop,
            "crop_mode": "center",
            "mean": mean,
            "std": std,
            "num_classes": info.classes.len(),
        },
    });
    if let Some(features) = features {
        config["num_features"] = features.into();
    }
    config.sort_all_objects();
    let rest = serde_json::to_string_pretty(&config).unwrap_or_default();
    format!("{{\n  \"library_name\": {},\n{}\n", Value::from("petal"), rest.trim_start_matches("{\n"))
}
