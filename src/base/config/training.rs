//! The head that is trained, and how long and how fast.

use serde::{Deserialize, Serialize};

/// The new head: global average pooling, Linear(D, hidden), ReLU, Dropout, Linear(hidden, classes).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifierConfig {
    /// Width of the hidden layer. Default 256.
    pub hidden: usize,
    /// Probability with which dropout zeroes an activation, 0 to 1 (exclusive). Default 0.3.
    pub dropout: f64,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { hidden: 256, dropout: 0.3 }
    }
}

/// How long and how fast one phase trains. Adam, β 0.9 and 0.999, ε 1e-7, no weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseConfig {
    /// Most epochs. 0 leaves the phase out.
    pub epochs: usize,
    /// Stop after this many epochs in a row without a better validation loss; at least 1.
    pub patience: usize,
    /// Adam's learning rate, above 0.
    pub learning_rate: f64,
}
