//! What a model file carries of how far the model can be trusted, and that it is this model's.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use serde_json::json;

use super::ModelInfo;
use super::refused::refused;
use crate::base::error::Result;
use crate::base::files;
use crate::models::{Bank, Model, Trust};
use crate::nn::codec;

/// The tensor of the training photos' features: f16, `[N, D]`.
pub(super) const BANK: &str = "trust.bank";

/// The same, as what was measured of this model with this description.
///
/// # Errors
/// What reading the weights can give.
pub fn belonging(trust: Trust, model: &Model, info: &ModelInfo) -> Result<Trust> {
    Ok(Trust { weights: weights(model)?, described: described(info), test: info.test, ..trust })
}

/// Whether it was measured with these weights.
///
/// # Errors
/// What reading the weights can give.
pub fn belongs(trust: &Trust, model: &Model) -> Result<bool> {
    Ok(trust.weights == weights(model)?)
}

/// Whether it was measured with these classes and this preprocessing.
pub fn fits(trust: &Trust, info: &ModelInfo) -> bool {
    trust.described == described(info)
}

fn weights(model: &Model) -> Result<String> {
    let values = model.params().iter().map(|(name, param)| (name.to_owned(), param.var.as_tensor().clone()));
    codec::digest(&values.collect())
}

/// SHA-256 of what photos are told as, and how they are seen: as the file says it.
fn described(info: &ModelInfo) -> String {
    let said = json!({ "classes": info.classes, "preprocess": info.preprocess, "precision": info.precision });
    files::sha256(said.to_string().as_bytes())
}

/// Refuses what was measured with other weights, classes or preprocessing.
pub(super) fn check(trust: &Trust, info: &ModelInfo, weights: &BTreeMap<String, Tensor>) -> Result<()> {
    trust.check(info.classes.len())?;
    let what = match (trust.weights == codec::digest(weights)?, trust.described == described(info)) {
        (true, true) => return Ok(()),
        (false, _) => "other weights",
        (true, false) => "other class names or another preprocessing",
    };
    Err(refused(format!("its calibration was measured with {what} than these"))
        .mend("measure it anew (petal calibrate, learner.calibrate()), or leave it out (info.trust = None)"))
}

/// The features, as the file's tensor.
pub(super) fn tensor(trust: &Trust) -> Result<Option<(String, Tensor)>> {
    let Some(bank) = &trust.bank else { return Ok(None) };
    let rows = Tensor::from_slice(&bank.values, (bank.len(), bank.width), &Device::Cpu)?;
    Ok(Some((BANK.to_owned(), rows.to_dtype(DType::F16)?)))
}

/// The features in the bytes of a file; none where it has none.
pub(super) fn bank(bytes: &[u8]) -> Result<Option<Bank>> {
    let Some(rows) = codec::tensors(bytes, &Device::Cpu, |name| name == BANK)?.remove(BANK) else { return Ok(None) };
    let width = match *rows.dims() {
        [_, width] => width,
        ref dims => return Err(refused(format!("{BANK} has the shape {dims:?}; expected [photos, features]"))),
    };
    Ok(Some(Bank { width, values: rows.flatten_all()?.to_vec1()?.into() }))
}
