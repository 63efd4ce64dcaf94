//! What a model is built from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::families::baseline;
use crate::base::config::Backbone;

/// What it takes to build a network, apart from its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Architecture {
    /// The small network from scratch: Conv 32, 64, 128 (3×3, valid, ReLU), each with 2×2 max pooling, Flatten (in the order H, W,
    /// C, as Keras does), Dense 128, ReLU, Dense.
    Baseline {
        /// Number of classes.
        classes: usize,
        /// Side of the input, in pixels.
        image_size: usize,
    },
    /// A pretrained backbone with a new head: global average pooling, Linear(D, hidden), ReLU, Dropout, Linear(hidden, classes).
    Transfer {
        /// The backbone.
        backbone: Backbone,
        /// Width of the head's hidden layer.
        hidden: usize,
        /// Dropout's probability.
        dropout: f64,
        /// Number of classes.
        classes: usize,
    },
}

impl Architecture {
    /// Whether there is a pretrained backbone.
    pub(super) fn is_transfer(&self) -> bool {
        matches!(self, Self::Transfer { .. })
    }

    /// What the names of the body's tensors begin with.
    pub(super) fn prefix(&self) -> &'static str {
        if self.is_transfer() { "backbone." } else { "" }
    }

    /// Names of the head's two dense layers.
    pub(super) fn head_names(&self) -> [&'static str; 2] {
        if self.is_transfer() { ["head.linear1", "head.linear2"] } else { ["dense1", "dense2"] }
    }

    /// The head's tensors by name and shape, over a body that ends with so many channels.
    pub(super) fn head_shapes(&self, features: usize) -> BTreeMap<String, Vec<usize>> {
        let (inputs, hidden, classes) = match self {
            Self::Baseline { classes, image_size } => {
                // Three times: two pixels go at the borders, then every other one.
                let side = (0..3).fold(*image_size, |side, _| (side - 2) / 2);
                (side * side * features, baseline::HIDDEN, *classes)
            }
            Self::Transfer { hidden, classes, .. } => (features, *hidden, *classes),
        };
        let [first, second] = self.head_names();
        BTreeMap::from([
            (format!("{first}.weight"), vec![hidden, inputs]),
            (format!("{first}.bias"), vec![hidden]),
            (format!("{second}.weight"), vec![classes, hidden]),
            (format!("{second}.bias"), vec![classes]),
        ])
    }
}
