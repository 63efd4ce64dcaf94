//! Predictions over a split, and the numbers drawn from them.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a model says of one photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The file.
    pub path: PathBuf,
    /// The true class's index, where it is known.
    pub target: Option<usize>,
    /// Probability of each class, in class order.
    pub probabilities: Vec<f32>,
}

/// Predictions over a split, and the numbers drawn from them.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Name of the model, for tables: `baseline`, `resnet50`.
    pub model: String,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// One a photo, in the split's order.
    pub predictions: Vec<Prediction>,
}
