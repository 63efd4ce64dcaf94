//! A tensor that an optimizer changes.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use crate::base::error::{Error, ErrorKind, Result};

/// A tensor that an optimizer changes.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Its name: what it is called in the optimizer's state.
    pub name: String,
    /// The tensor.
    pub var: Var,
    /// Its learning rate over the optimizer's.
    pub scale: f64,
    /// Whether weight decay pulls it to 0.
    pub decays: bool,
}

impl Trained {
    /// With the optimizer's rate, and without decay.
    pub fn plain(name: String, var: Var) -> Self {
        Self { name, var, scale: 1.0, decays: false }
    }

    /// With the optimizer's rate, and with decay where it is multiplied with what it meets: norms and biases have one dimension, tokens and embeddings of
    /// places three (timm's `no_weight_decay`).
    pub fn by_shape(name: String, var: Var) -> Self {
        let decays = matches!(var.dims().len(), 2 | 4);
        Self { decays, ..Self::plain(name, var) }
    }

    /// The error where it got no gradient: it would silently not train.
    pub(super) fn missing(&self) -> Error {
        Error::new(ErrorKind::Tensor, format!("{} got no gradient, though it is to be trained", self.name))
    }

    /// What a saved state holds of it.
    pub(super) fn find<'a>(&self, state: &'a BTreeMap<String, Tensor>, what: &str) -> Result<&'a Tensor> {
        let name = format!("{what}.{}", self.name);
        let found = state
            .get(&name)
            .ok_or_else(|| Error::new(ErrorKind::Checkpoint, format!("the optimizer's {name} is missing")))?;
        if found.dims() != self.var.dims() {
            let what = format!("the optimizer's {name} is {:?}; expected {:?}", found.dims(), self.var.dims());
            return Err(Error::new(ErrorKind::Checkpoint, what));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn weights_decay_and_what_is_added_does_not() {
        for (shape, decays) in [(&[4][..], false), (&[4, 2], true), (&[1, 5, 4], false), (&[4, 2, 3, 3], true)] {
            let var = Var::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            assert_eq!(Trained::by_shape("tensor".into(), var).decays, decays, "{shape:?}");
        }
    }
}
