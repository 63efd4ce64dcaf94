//! How the probabilities of an evaluation were calibrated.

use serde::{Deserialize, Serialize};

use crate::base::config::TrustConfig;
use crate::models::Temperature;

/// How probabilities were calibrated, and what was asked of what is said beside them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trusted {
    /// What logits were divided by.
    pub temperature: Temperature,
    /// How often sets were to have the true class in them, how rarely a known photo may be called unknown.
    pub how: TrustConfig,
    /// Whether unknown photos are told by their distance from training photos; else by their energy.
    pub has_bank: bool,
    /// Whether there were enough validation photos to tell unknown ones, and it was wanted.
    pub has_limit: bool,
}
