//! Targets that are not quite sure.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::recipe::{At, Recipe};
use crate::base::config::PhaseConfig;
use crate::base::error::Result;
use crate::train::batch::AtCut;

/// Label smoothing: this part of each target, from 0 to below 1, is spread evenly over all classes
/// ([`smoothed_cross_entropies`](crate::nn::loss::smoothed_cross_entropies)). What is measured on validation photos is plain cross-entropy.
///
/// ```
/// use petal::prelude::*;
/// use petal::train::recipes::Smoothing;
///
/// let phase = Phase::upper(&Config::seed()).by(Smoothing(0.1));
/// assert_eq!(phase.computes()["label_smoothing"], "0.1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing(pub f64);

impl Recipe for Smoothing {
    fn key(&self, _: &PhaseConfig) -> BTreeMap<String, String> {
        if self.0 == 0.0 { BTreeMap::new() } else { BTreeMap::from([("label_smoothing".into(), self.0.to_string())]) }
    }

    fn loss(&self, _: &At, logits: &Tensor, batch: &AtCut) -> Result<Tensor> {
        batch.cross_entropy(logits, self.0)
    }
}
