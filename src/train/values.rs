//! A model's values, taken and put back.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use crate::base::error::{Error, ErrorKind, Result};
use crate::models::Model;

/// Tensors by the parameters' names.
pub(super) type Values = BTreeMap<String, Tensor>;

/// Copies of these values, which later steps do not change.
pub(super) fn snapshot(vars: &[(String, Var)]) -> Result<Values> {
    vars.iter().map(|(name, var)| Ok((name.clone(), var.as_tensor().copy()?))).collect()
}

/// Sets what a checkpoint holds. All of it is checked first.
pub(super) fn set(model: &Model, values: &Values) -> Result<()> {
    model.params().set_all(values).map_err(|error| misfit(&error))
}

/// The error of a checkpoint whose values are not the network's.
pub(super) fn misfit(error: &Error) -> Error {
    Error::new(ErrorKind::Checkpoint, format!("this checkpoint does not fit the network: {}", error.what()))
        .mend("delete the run's folder to train anew, or give the run another name (--run)")
}

/// The best epoch's values. They go into the model when the phase ends, however it ends: stopped, failed, or in a panic of the
/// observer. What is measured or saved afterwards is the best, and never what the last step left.
pub(super) struct Best<'a> {
    pub(super) model: &'a Model,
    pub(super) values: Values,
}

impl Drop for Best<'_> {
    fn drop(&mut self) {
        // They came from this very model, so they fit.
        let _ = set(self.model, &self.values);
    }
}
