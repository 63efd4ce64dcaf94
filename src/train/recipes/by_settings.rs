//! The recipe that a phase's settings say: every technique that is not off.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::ema::Ema;
use super::mixing::Mixing;
use super::recipe::{At, Recipe, State};
use super::schedule::Schedule;
use super::smoothing::Smoothing;
use super::unfreezing::Unfreezing;
use crate::base::config::{Method, OptimizerKind, PhaseConfig, Watch};
use crate::base::error::Result;
use crate::nn::optim::Rule;
use crate::train::batch::AtCut;

/// The recipe that a phase's settings say. Each technique is a recipe of its own, and this one is all of them together.
///
/// ```
/// use petal::prelude::*;
///
/// let config = Config::seed();
/// let settings = PhaseConfig { label_smoothing: 0.1, clip: 1.0, ..config.fine_tune };
/// let phase = Phase::new("fine-tune", Cut::Upper, settings);
/// assert_eq!(phase.computes().into_keys().collect::<Vec<_>>(), ["clip", "cut", "label_smoothing", "learning_rate"]);
/// assert_eq!(phase.settings(), settings);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BySettings(pub PhaseConfig);

impl BySettings {
    fn schedule(&self) -> Schedule {
        Schedule { kind: self.0.schedule, warm_up: self.0.warm_up }
    }

    fn mixing(&self) -> Mixing {
        Mixing { mixup: self.0.mixup, cutmix: self.0.cutmix }
    }

    fn unfreezing(&self) -> Unfreezing {
        Unfreezing(self.0.gradual)
    }

    fn ema(&self) -> Ema {
        Ema { decay: self.0.ema }
    }

    fn smoothing(&self) -> Smoothing {
        Smoothing(self.0.label_smoothing)
    }
}

impl Recipe for BySettings {
    fn key(&self, phase: &PhaseConfig) -> BTreeMap<String, String> {
        let plain = PhaseConfig::new(0, 1, 1.0);
        let is = &self.0;
        if self.is_instant() {
            // Nothing of steps is in it, nor a rate.
            return BTreeMap::from([("method".into(), "instant".into()), ("learning_rate".into(), "none".into())]);
        }
        let parts: [&dyn Recipe; 5] =
            [&self.schedule(), &self.smoothing(), &self.mixing(), &self.unfreezing(), &self.ema()];
        let mut key: BTreeMap<String, String> = parts.iter().flat_map(|part| part.key(phase)).collect();
        match self.rule() {
            Rule::Adam => {}
            Rule::AdamW { decay } => drop(key.insert("optimizer".into(), format!("adamw, decay {decay}"))),
            Rule::Sgd { momentum, decay } => {
                drop(key.insert("optimizer".into(), format!("sgd, momentum {momentum}, decay {decay}")));
            }
        }
        for (name, value, usual) in [
            ("layer_decay", is.layer_decay, plain.layer_decay),
            ("clip", is.clip, plain.clip),
            ("accumulate", is.accumulate as f64, plain.accumulate as f64),
            ("size", is.size as f64, plain.size as f64),
        ] {
            if value != usual {
                key.insert(name.into(), value.to_string());
            }
        }
        if is.watch == Watch::Accuracy {
            key.insert("watch".into(), "accuracy".into());
        }
        key
    }

    fn learning_rate(&self, at: &At) -> f64 {
        self.schedule().learning_rate(at)
    }

    fn batch(&self, at: &At, batch: AtCut) -> Result<AtCut> {
        self.mixing().batch(at, batch)
    }

    fn loss(&self, at: &At, logits: &Tensor, batch: &AtCut) -> Result<Tensor> {
        self.smoothing().loss(at, logits, batch)
    }

    fn rule(&self) -> Rule {
        let PhaseConfig { weight_decay: decay, momentum, .. } = self.0;
        match self.0.optimizer {
            OptimizerKind::Adam => Rule::Adam,
            OptimizerKind::AdamW => Rule::AdamW { decay },
            OptimizerKind::Sgd => Rule::Sgd { momentum, decay },
        }
    }

    fn scale(&self, depth: usize) -> f64 {
        self.0.layer_decay.powi(depth as i32)
    }

    fn momentum(&self, at: &At) -> Option<f64> {
        self.schedule().momentum(at)
    }

    fn is_open(&self, at: &At, depth: usize, deepest: usize) -> bool {
        self.unfreezing().is_open(at, depth, deepest)
    }

    fn longest(&self) -> Option<f64> {
        (self.0.clip > 0.0).then_some(self.0.clip)
    }

    fn parts(&self) -> usize {
        self.0.accumulate
    }

    fn watch(&self) -> Watch {
        self.0.watch
    }

    fn side(&self) -> Option<usize> {
        (self.0.size > 0).then_some(self.0.size)
    }

    fn is_instant(&self) -> bool {
        self.0.method == Method::Instant
    }

    fn settings(&self, plain: PhaseConfig) -> PhaseConfig {
        let PhaseConfig { epochs, patience, learning_rate, .. } = plain;
        PhaseConfig { epochs, patience, learning_rate, ..self.0 }
    }

    fn begin(&self, vars: &[(String, Var)], state: &mut State) -> Result<()> {
        self.ema().begin(vars, state)
    }

    fn after_step(&self, at: &At, vars: &[(String, Var)], state: &mut State) -> Result<()> {
        self.ema().after_step(at, vars, state)
    }

    fn measured(&self, state: &State) -> Result<Option<BTreeMap<String, Tensor>>> {
        self.ema().measured(state)
    }
}
