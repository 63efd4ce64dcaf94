//! The hooks by which a recipe changes a training step.

use std::collections::BTreeMap;
use std::fmt::Debug;

use candle_core::{Tensor, Var};

use crate::base::config::{PhaseConfig, Watch};
use crate::base::error::Result;
use crate::base::seed::{Purpose, Seed, Stream};
use crate::nn::optim::Rule;
use crate::train::batch::AtCut;

/// What a recipe keeps from step to step, by names of its own. It goes into the checkpoint, and training goes on from it.
pub type State = BTreeMap<String, Tensor>;

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At {
    /// Whatever is random is drawn from it, by a purpose, the epoch and the step: so nothing of it has to be kept.
    pub seed: Seed,
    /// Epoch, counted from 0 over all phases.
    pub epoch: u64,
    /// Step of the epoch, counted from 0.
    pub step: usize,
    /// Steps that this phase has taken before.
    pub taken: usize,
    /// Steps that this phase takes if its patience does not run out.
    pub planned: usize,
    /// The phase's learning rate.
    pub learning_rate: f64,
}

impl At {
    /// The stream that dropout draws from in this step.
    pub fn dropout(&self) -> Stream {
        self.seed.stream(Purpose::Dropout, self.epoch, self.step as u64)
    }
}

/// What differs from the plainest training. Each hook alone is one, and those that a recipe leaves out do what
/// [`SeedRecipe`](super::SeedRecipe) does: a constant rate, the batch as it is, cross-entropy, nothing after a step.
///
/// A recipe itself never changes: what it was made with, its [`key`](Recipe::key) tells; what it learns on the way is its [`State`]; what
/// it draws follows from [`At`]. So a training that was stopped goes on with the same numbers, whatever the recipe.
///
/// ```
/// use petal::train::{At, Recipe};
///
/// /// The learning rate falls to nothing along half a cosine.
/// #[derive(Debug)]
/// struct Cosine;
///
/// impl Recipe for Cosine {
///     fn key(&self, phase: &petal::prelude::PhaseConfig) -> std::collections::BTreeMap<String, String> {
///         // How fast it falls depends on the epochs: with others, these are other numbers.
///         [("schedule".to_string(), format!("cosine over {} epochs", phase.epochs))].into()
///     }
///
///     fn learning_rate(&self, at: &At) -> f64 {
///         let done = at.taken as f64 / at.planned as f64;
///         at.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
///     }
/// }
///
/// let at = At { seed: petal::Seed(1), epoch: 0, step: 5, taken: 5, planned: 10, learning_rate: 1e-3 };
/// assert!((Cosine.learning_rate(&at) - 5e-4).abs() < 1e-12);
/// ```
pub trait Recipe: Debug + Send + Sync {
    /// What decides the recipe's numbers, key by key; a part of the phase's identity ([`Phase::computes`](crate::train::Phase::computes)).
    /// `phase` has the settings of the phase, for a recipe whose numbers depend on how long it is to go on.
    fn key(&self, phase: &PhaseConfig) -> BTreeMap<String, String> {
        let _ = phase;
        BTreeMap::new()
    }

    /// The learning rate of a step.
    fn learning_rate(&self, at: &At) -> f64 {
        at.learning_rate
    }

    /// Changes a batch before the trainable part sees it.
    fn batch(&self, at: &At, batch: AtCut) -> Result<AtCut> {
        let _ = at;
        Ok(batch)
    }

    /// The loss of logits `[B, K]`, a scalar: what is differentiated. Without one it is [`AtCut::cross_entropy`], which knows weights and mixed
    /// photos. Of what [`Recipe::batch`] has drawn, the same can be drawn again here.
    fn loss(&self, at: &At, logits: &Tensor, batch: &AtCut) -> Result<Tensor> {
        let _ = at;
        batch.cross_entropy(logits, 0.0)
    }

    /// What takes the steps. Without one it is Adam.
    fn rule(&self) -> Rule {
        Rule::Adam
    }

    /// The learning rate of what is so many stages below the head (0: the head itself), over [`Recipe::learning_rate`]. Without one it is 1.
    fn scale(&self, depth: usize) -> f64 {
        let _ = depth;
        1.0
    }

    /// How much of the last steps the next one keeps: Adam's β₁, or SGD's momentum. Without one it is the rule's own.
    fn momentum(&self, at: &At) -> Option<f64> {
        let _ = at;
        None
    }

    /// Whether what is so many stages below the head, of so many at most, trains in this step already; else its rate is 0. Without one all trains
    /// from the first step on.
    fn is_open(&self, at: &At, depth: usize, deepest: usize) -> bool {
        let _ = (at, depth, deepest);
        true
    }

    /// The length that all gradients together are shortened to, where they are longer. Without one they stay as they are.
    fn longest(&self) -> Option<f64> {
        None
    }

    /// Into how many parts a batch is cut, which go through the network one after the other; at least 1.
    fn parts(&self) -> usize {
        1
    }

    /// Which epoch is better than another. Without one it is that of the lower validation loss.
    fn watch(&self) -> Watch {
        Watch::Loss
    }

    /// Side of the square that training photos are shown in, in pixels. Without one it is the network's own.
    fn side(&self) -> Option<usize> {
        None
    }

    /// Whether the head is not trained step by step but solved for at once ([`crate::train::instant`]).
    fn is_instant(&self) -> bool {
        false
    }

    /// The settings that say this recipe, where there are such; `plain` has the phase's epochs, patience and rate.
    fn settings(&self, plain: PhaseConfig) -> PhaseConfig {
        plain
    }

    /// Acts before the first step; `vars` is what trains.
    fn begin(&self, vars: &[(String, Var)], state: &mut State) -> Result<()> {
        let _ = (vars, state);
        Ok(())
    }

    /// Acts after a step; `vars` is what trains, as the step has left it.
    fn after_step(&self, at: &At, vars: &[(String, Var)], state: &mut State) -> Result<()> {
        let _ = (at, vars, state);
        Ok(())
    }

    /// The values to validate and to keep, by the parameters' names, where these are not those that train.
    fn measured(&self, state: &State) -> Result<Option<BTreeMap<String, Tensor>>> {
        let _ = state;
        Ok(None)
    }
}
