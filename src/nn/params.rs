//! A network's tensors by name, in a fixed order.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use crate::error::Result;

/// One tensor of a network.
#[derive(Clone, Debug)]
pub struct Param {
    /// The value.
    pub var: Var,
    /// True for what no optimizer changes: batch norm's running mean and variance.
    pub buffer: bool,
}

/// A network's tensors by name, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct Params {
    entries: BTreeMap<String, Param>,
}

impl Params {
    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Param)> {
        self.entries.iter().map(|(name, param)| (name.as_str(), param))
    }

    /// The tensor of this name.
    pub fn get(&self, _name: &str) -> Result<&Param> {
        todo!()
    }

    /// Sets values. Everything is checked (names, shapes, finite) before anything is set.
    pub fn set_all(&self, _values: &BTreeMap<String, Tensor>) -> Result<()> {
        todo!()
    }
}
