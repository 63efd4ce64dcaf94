//! Model files: one safetensors file that needs nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model_info::ModelInfo;
use super::refused::refused;
use super::trust;
use crate::base::error::Result;
use crate::base::files::{self, output};
use crate::base::seed::Seed;
use crate::models::{Architecture, Model, registry, weights};
use crate::nn::codec;
use crate::nn::params::is_finite;
use crate::pixels::Preprocess;

/// The newest layout of model files that this version of petal writes and reads.
const FORMAT: u64 = 1;

/// What is stored as the file's metadata.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u64,
    /// The version of petal that wrote it.
    petal: String,
    #[serde(flatten)]
    info: ModelInfo,
}

/// Writes a model file. Equal models give equal bytes: nothing in it speaks of time or place.
///
/// # Errors
/// [`ErrorKind::Weights`](crate::ErrorKind::Weights) if the description does not fit the model, or a number is not finite; what
/// [`files::write_atomic`] says.
pub fn save(model: &Model, info: &ModelInfo, path: &Path) -> Result<()> {
    let bytes = to_bytes(model, info).map_err(|error| error.at(path))?;
    files::write_bytes(path, &bytes)
}

/// Reads a model file, and checks all of it before anything is built.
///
/// # Errors
/// [`ErrorKind::Weights`](crate::ErrorKind::Weights) for what is not a model file, was written by a newer petal, or holds other tensors than its
/// network has.
pub fn load(path: &Path, device: &Device) -> Result<(Model, ModelInfo)> {
    let bytes = codec::read_bytes(path)?;
    from_bytes(&bytes, device, true).map_err(|error| error.at(path))
}

/// The same without what was measured of it ([`ModelInfo::trust`]), whatever that belongs to: to measure it anew.
pub fn load_untrusted(path: &Path, device: &Device) -> Result<(Model, ModelInfo)> {
    let bytes = codec::read_bytes(path)?;
    from_bytes(&bytes, device, false).map_err(|error| error.at(path))
}

/// A model file, so that an earlier one is told from other files: petal's own description comes first, and says of which network.
pub const MODEL_FILE: output::Kind = output::Kind {
    name: "a model file",
    is: |bytes| {
        bytes.get(8..).is_some_and(|header| header.starts_with(br#"{"__metadata__":{"petal":"{\"architecture\""#))
    },
};

/// The bytes of a model file. Equal models give equal bytes: nothing in it speaks of time or place.
///
/// # Errors
/// [`ErrorKind::Weights`](crate::ErrorKind::Weights) if the description does not fit the model, or a number is not finite.
pub fn to_bytes(model: &Model, info: &ModelInfo) -> Result<Vec<u8>> {
    if &info.architecture != model.architecture() {
        return Err(refused(format!(
            "the model is {:?}; its description says {:?}",
            model.architecture(),
            info.architecture
        )));
    }
    check_info(info)?;
    let mut tensors = BTreeMap::new();
    for (name, param) in model.params().iter() {
        if !is_finite(&param.var)? {
            return Err(refused(format!("{name} holds a number that is not finite")));
        }
        tensors.insert(name.to_owned(), param.var.as_tensor().clone());
    }
    if let Some(own) = &info.trust {
        trust::check(own, info, &tensors)?;
        tensors.extend(trust::tensor(own)?);
    }
    let stored = Stored { format: FORMAT, petal: env!("CARGO_PKG_VERSION").into(), info: info.clone() };
    codec::to_bytes(&tensors, &sorted_json(&stored)?)
}

/// What a model file says beside its weights, which are not built.
///
/// # Errors
/// [`ErrorKind::Weights`](crate::ErrorKind::Weights) for what is not a model file, or was written by a newer petal.
pub fn info(path: &Path) -> Result<ModelInfo> {
    read_info(&codec::read_bytes(path)?).map_err(|error| error.at(path))
}

fn from_bytes(bytes: &[u8], device: &Device, is_trusted: bool) -> Result<(Model, ModelInfo)> {
    let mut info = read_info(bytes)?;
    let mut tensors = weights::parse(bytes, device)?;
    info.trust = info.trust.filter(|_| is_trusted);
    tensors.remove(trust::BANK);
    check_size(&info.architecture, &tensors)?;
    let model = Model::new(&info.architecture, Seed(0), device)?.in_precision(info.precision)?;
    let wanted = model.params().iter().map(|(name, param)| (name.to_owned(), param.var.dims().to_vec())).collect();
    let named = weights::renamed("backbone.", &tensors)?;
    weights::check(&named, &wanted)?;
    if let Some(own) = &info.trust {
        trust::check(own, &info, &tensors)?;
    }
    model.params().set_all(&named)?;
    if named.len() != tensors.len() {
        // The same numbers, under other names than those that it was measured with.
        info.trust = info.trust.take().map(|own| trust::belonging(own, &model, &info)).transpose()?;
    }
    Ok((model, info))
}

fn read_info(bytes: &[u8]) -> Result<ModelInfo> {
    let text = codec::metadata(bytes)?.ok_or_else(|| {
        refused("safetensors, but not a model file of petal's".into())
            .mend("give a file that petal saved; a backbone's weights go to `petal train --weights`")
    })?;
    let damaged = |cause: serde_json::Error| refused(format!("its description is damaged: {cause}"));
    let stored: Value = serde_json::from_str(&text).map_err(damaged)?;
    let format = stored.get("format").and_then(Value::as_u64).unwrap_or_default();
    if format != FORMAT {
        let writer = stored.get("petal").and_then(Value::as_str).unwrap_or("of an unknown version");
        let what = format!(
            "written by petal {writer} in format {format}; this is petal {}, which reads format {FORMAT}",
            env!("CARGO_PKG_VERSION")
        );
        return Err(refused(what).mend("update petal, or save the model again with this version"));
    }
    let Stored { mut info, .. } = serde_json::from_value(stored).map_err(damaged)?;
    if let Some(own) = &mut info.trust {
        own.bank = trust::bank(bytes)?;
    }
    check_info(&info)?;
    Ok(info)
}

fn check_info(info: &ModelInfo) -> Result<()> {
    let (Architecture::Baseline { classes, .. } | Architecture::Transfer { classes, .. }) = &info.architecture;
    if info.classes.is_empty() || info.classes.len() != *classes {
        return Err(refused(format!("{} class names for a network with {classes} classes", info.classes.len())));
    }
    if let Some((name, value)) = info.metrics.iter().find(|(_, value)| !value.is_finite()) {
        return Err(refused(format!("the metric {name} is {value}; expected a finite number")));
    }
    let Preprocess { size, crop, mean, std, .. } = &info.preprocess;
    let sound = (1..=4096).contains(size)
        && *crop > 0.0
        && *crop <= 1.0
        && mean.iter().all(|value| value.is_finite())
        && std.iter().all(|&value| value.is_finite() && value > 0.0);
    if !sound {
        return Err(refused(format!("its preprocessing makes no sense: {:?}", info.preprocess)));
    }
    if info.test.size > 4096 {
        return Err(refused(format!("it is to be asked at {0} × {0} pixels; expected at most 4096", info.test.size)));
    }
    Ok(())
}

/// Building a network reserves its memory, so a description must not ask for more than its file holds.
fn check_size(architecture: &Architecture, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    let there: usize = tensors.values().map(Tensor::elem_count).sum();
    let asked = match *architecture {
        // Its first dense layer sees 128 maps of this side at least, and has 128 outputs.
        Architecture::Baseline { classes, image_size } => {
            let side = (image_size / 8).saturating_sub(2);
            side.saturating_mul(side).saturating_mul(128 * 128).saturating_add(classes.saturating_mul(128))
        }
        Architecture::Transfer { backbone, hidden, classes, .. } => {
            let registry::Weights { features, parameters, .. } = registry::weights(backbone);
            hidden.saturating_mul(features.saturating_add(classes)).saturating_add(parameters)
        }
    };
    if asked > there {
        return Err(refused(format!("{architecture:?} needs at least {asked} numbers; the file holds {there}")));
    }
    Ok(())
}

/// JSON whose keys are sorted at every depth, whichever map serde_json was built with. By way of text, so that an `f32`
/// stays as short as it is.
fn sorted_json(stored: &Stored) -> Result<String> {
    let failed = |cause: serde_json::Error| refused(format!("its description cannot be written: {cause}"));
    let mut value: Value = serde_json::from_str(&serde_json::to_string(stored).map_err(failed)?).map_err(failed)?;
    value.sort_all_objects();
    serde_json::to_string(&value).map_err(failed)
}
