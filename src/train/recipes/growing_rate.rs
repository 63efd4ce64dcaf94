//! The learning-rate range test: another recipe's training, whose rate grows from step to step.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::recipe::{At, Recipe, State};
use crate::base::config::PhaseConfig;
use crate::base::error::Result;
use crate::nn::optim::Rule;
use crate::train::batch::AtCut;
use crate::train::sweep::Sweep;

/// Another recipe's training, whose learning rate is the sweep's in each step.
#[derive(Clone, Copy, Debug)]
pub struct GrowingRate<'a> {
    /// How the rate grows.
    pub sweep: Sweep,
    /// What all else is as in.
    pub of: &'a dyn Recipe,
}

impl Recipe for GrowingRate<'_> {
    fn key(&self, phase: &PhaseConfig) -> BTreeMap<String, String> {
        self.of.key(phase)
    }

    fn learning_rate(&self, at: &At) -> f64 {
        self.sweep.at(at.taken)
    }

    fn batch(&self, at: &At, batch: AtCut) -> Result<AtCut> {
        self.of.batch(at, batch)
    }

    fn loss(&self, at: &At, logits: &Tensor, batch: &AtCut) -> Result<Tensor> {
        self.of.loss(at, logits, batch)
    }

    fn rule(&self) -> Rule {
        self.of.rule()
    }

    fn scale(&self, depth: usize) -> f64 {
        self.of.scale(depth)
    }

    fn longest(&self) -> Option<f64> {
        self.of.longest()
    }

    fn side(&self) -> Option<usize> {
        self.of.side()
    }

    fn parts(&self) -> usize {
        self.of.parts()
    }

    fn begin(&self, vars: &[(String, Var)], state: &mut State) -> Result<()> {
        self.of.begin(vars, state)
    }

    fn after_step(&self, at: &At, vars: &[(String, Var)], state: &mut State) -> Result<()> {
        self.of.after_step(at, vars, state)
    }
}
