//! What a model is built from.

use serde::{Deserialize, Serialize};

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

    /// Number of classes.
    pub(super) fn classes(&self) -> usize {
        match self {
            Self::Baseline { classes, .. } | Self::Transfer { classes, .. } => *classes,
        }
    }

    /// Names of the head's two dense layers.
    pub(super) fn head_names(&self) -> [&'static str; 2] {
        if self.is_transfer() { ["head.linear1", "head.linear2"] } else { ["dense1", "dense2"] }
    }
}
