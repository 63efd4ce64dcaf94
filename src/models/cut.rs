//! Where a model can be cut.

use serde::{Deserialize, Serialize};

/// Where a network is cut into a frozen and a trainable part.
/// In the order of the network: what comes after an earlier one is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Before everything: all layers train.
    Images,
    /// Before the upper layers, which train together with the head (phase 2).
    Upper,
    /// After the backbone: the head alone trains (phase 1).
    Features,
}
