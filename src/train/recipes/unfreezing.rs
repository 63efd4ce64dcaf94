//! Stages that begin to train one after the other.

use std::collections::BTreeMap;

use super::recipe::{At, Recipe};
use crate::base::config::PhaseConfig;

/// Gradual unfreezing (Howard & Ruder 2018, arXiv:1801.06146), by steps: the head trains from the first step on, the lowest stage after this part of
/// all steps, those between them at even distances. Before that a stage's rate is 0, as of a parameter group in PyTorch whose `lr` is 0: its moments
/// follow its gradients all the same. 0 is off.
///
/// ```
/// use petal::train::recipes::Unfreezing;
///
/// // Half of ten steps for a head and two stages.
/// let begins = |depth| (0..10).find(|step| Unfreezing(0.5).begins(*step, 10, depth, 2));
/// assert_eq!([0, 1, 2].map(begins), [Some(0), Some(3), Some(5)]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unfreezing(pub f64);

impl Unfreezing {
    /// Whether a stage trains in a step (counted from 0) of so many; `depth` is 0 for the head, `deepest` that of the lowest stage.
    pub fn begins(&self, step: usize, planned: usize, depth: usize, deepest: usize) -> bool {
        step as f64 >= self.0 * planned as f64 * depth as f64 / deepest.max(1) as f64
    }
}

impl Recipe for Unfreezing {
    fn key(&self, phase: &PhaseConfig) -> BTreeMap<String, String> {
        if self.0 == 0.0 {
            return BTreeMap::new();
        }
        // When a stage begins depends on the epochs: with others, these are other numbers.
        BTreeMap::from([("gradual".into(), format!("{}, {} epochs", self.0, phase.epochs))])
    }

    fn is_open(&self, at: &At, depth: usize, deepest: usize) -> bool {
        self.begins(at.taken, at.planned, depth, deepest)
    }
}
