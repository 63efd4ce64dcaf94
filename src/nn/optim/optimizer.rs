//! Any of the optimizers, by one name.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::adam::Adam;
use super::sgd::Sgd;
use super::trained::Trained;
use crate::base::error::Result;
use crate::nn::workspace::Gradients;

/// How steps are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rule {
    /// Adam without decay.
    #[default]
    Adam,
    /// Adam with decoupled decay of weights (not norms, not biases).
    AdamW {
        /// Of how much of the rate.
        decay: f64,
    },
    /// SGD with momentum.
    Sgd {
        /// How much of the last step stays.
        momentum: f64,
        /// How strongly weights (not norms, not biases) are pulled to 0.
        decay: f64,
    },
}

/// How fast a step goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace<'a> {
    /// The learning rate.
    pub learning_rate: f64,
    /// Adam's β₁, or SGD's momentum; none is the one before.
    pub momentum: Option<f64>,
    /// What each tensor's own rate ([`Trained::scale`]) is multiplied by in this step, in their order; empty is 1 for all.
    pub scales: &'a [f64],
}

/// What takes the steps of a training.
#[derive(Debug)]
pub enum Optimizer {
    /// Adam or AdamW.
    Adam(Adam),
    /// SGD.
    Sgd(Sgd),
}

impl Optimizer {
    /// A fresh one.
    pub fn new(rule: Rule, trained: Vec<Trained>, learning_rate: f64) -> Result<Self> {
        Ok(match rule {
            Rule::Adam => Self::Adam(Adam::with(trained, learning_rate, 0.0)?),
            Rule::AdamW { decay } => Self::Adam(Adam::with(trained, learning_rate, decay)?),
            Rule::Sgd { momentum, decay } => Self::Sgd(Sgd::new(trained, learning_rate, momentum, decay)?),
        })
    }

    /// How many steps were taken.
    pub fn steps(&self) -> usize {
        match self {
            Self::Adam(adam) => adam.steps(),
            Self::Sgd(sgd) => sgd.steps(),
        }
    }

    /// One step against the gradients.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`](crate::ErrorKind::Tensor) if a tensor got no gradient: it would silently not train.
    pub fn step(&mut self, gradients: &Gradients, pace: &Pace) -> Result<()> {
        match self {
            Self::Adam(adam) => {
                adam.set_learning_rate(pace.learning_rate);
                pace.momentum.into_iter().for_each(|momentum| adam.set_beta1(momentum));
                adam.step_of(gradients, pace.scales)
            }
            Self::Sgd(sgd) => {
                sgd.set_learning_rate(pace.learning_rate);
                pace.momentum.into_iter().for_each(|momentum| sgd.set_momentum(momentum));
                sgd.step_of(gradients, pace.scales)
            }
        }
    }

    /// What it keeps from step to step, by name.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        match self {
            Self::Adam(adam) => adam.state(),
            Self::Sgd(sgd) => Ok(sgd.state()),
        }
    }

    /// Goes on from what was saved, after `steps` steps.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if something is missing or has another shape; nothing is changed then.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, steps: usize) -> Result<()> {
        match self {
            Self::Adam(adam) => adam.restore(state, steps),
            Self::Sgd(sgd) => sgd.restore(state, steps),
        }
    }
}
