//! One training step: forward from the cut, loss, backward, the optimizer. Whoever trains anything takes this one.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor, Var};

use super::batch::AtCut;
use super::phase::Phase;
use super::recipes::recipe::{At, Recipe, State};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Seed, Stream};
use crate::models::{Cut, Model};
use crate::nn::Gradients;
use crate::nn::optim::{self, Optimizer, Pace, Trained};

/// Takes training steps: what trains of a network, its optimizer, and the recipe that says how.
///
/// ```
/// use petal::prelude::*;
/// use petal::candle::{Device, Tensor};
/// use petal::models::{Architecture, Model};
/// use petal::train::{AtCut, Steps};
///
/// let architecture = Architecture::Baseline { classes: 2, image_size: 22 };
/// let model = Model::new(&architecture, Seed(1), &Device::Cpu)?;
/// let phase = Phase::new("all", Cut::Images, PhaseConfig::new(1, 1, 1e-3));
/// let images = Tensor::ones((2, 3, 22, 22), petal::candle::DType::F32, &Device::Cpu)?;
/// let batch = AtCut::new(images, Tensor::new(&[1u32, 1], &Device::Cpu)?, vec![0, 1]);
/// let mut steps = Steps::new(&model, &phase, Seed(1), 3)?;
/// let losses = (0..3).map(|step| Ok(steps.take(0, step, batch.clone())?.loss)).collect::<Result<Vec<f64>>>()?;
/// assert!(losses[2] < losses[0], "it learns that both are of class 1");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Steps<'a> {
    model: &'a Model,
    cut: Cut,
    learning_rate: f64,
    recipe: &'a dyn Recipe,
    seed: Seed,
    planned: usize,
    vars: Vec<(String, Var)>,
    /// How many stages below the head each of them is.
    depths: Vec<usize>,
    deepest: usize,
    optimizer: Optimizer,
    state: State,
}

/// A step whose loss and gradients are known, and which is not taken yet.
#[derive(Debug)]
pub struct Ahead {
    /// Mean loss of the batch.
    pub loss: f64,
    /// The learning rate that it will be taken with.
    pub learning_rate: f64,
    /// The batch, as the recipe made it.
    pub batch: AtCut,
    at: At,
    correct: usize,
    gradients: Gradients,
}

/// A step that was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// Mean loss of the batch, before the step.
    pub loss: f64,
    /// How many of its photos were right, before the step.
    pub correct: usize,
    /// How many photos it had.
    pub photos: usize,
}

impl<'a> Steps<'a> {
    /// The steps of a phase, from its beginning. It is to take `planned` of them, if nothing ends it before.
    pub fn new(model: &'a Model, phase: &'a Phase, seed: Seed, planned: usize) -> Result<Self> {
        Self::by(&*phase.recipe, model, phase, seed, planned)
    }

    /// The same by another recipe than the phase's.
    pub fn by(recipe: &'a dyn Recipe, model: &'a Model, phase: &Phase, seed: Seed, planned: usize) -> Result<Self> {
        let Phase { cut, learning_rate, .. } = *phase;
        let vars = model.trainable_vars(cut)?;
        let depths = model.depths(cut)?;
        let trained = vars.iter().zip(&depths).map(|((name, var), &depth)| {
            let scale = recipe.scale(depth);
            Trained { scale, ..Trained::by_shape(name.clone(), var.clone()) }
        });
        let deepest = depths.iter().copied().max().unwrap_or(0);
        let optimizer = Optimizer::new(recipe.rule(), trained.collect(), learning_rate)?;
        let mut state = State::new();
        recipe.begin(&vars, &mut state)?;
        Ok(Self { model, cut, learning_rate, recipe, seed, planned, vars, depths, deepest, optimizer, state })
    }

    /// One whole step, in this epoch (counted from 0) and at this place in it.
    ///
    /// # Errors
    /// [`ErrorKind::Diverged`] if the loss is not finite; the step is not taken then.
    pub fn take(&mut self, epoch: u64, step: usize, batch: AtCut) -> Result<Taken> {
        let at = self.at(epoch, step);
        let ahead = self.forward(&at, batch, &mut at.dropout())?;
        let taken = Taken { loss: ahead.loss, correct: ahead.correct(), photos: ahead.batch.indices.len() };
        if !taken.loss.is_finite() {
            let what = format!("the training loss is {} in step {} of epoch {}", taken.loss, step + 1, epoch + 1);
            return Err(Error::new(ErrorKind::Diverged, what).mend("lower the learning rate"));
        }
        self.apply(ahead)?;
        Ok(taken)
    }

    /// Where the next step is, if it is this one of this epoch.
    pub fn at(&self, epoch: u64, step: usize) -> At {
        let Self { seed, planned, learning_rate, .. } = *self;
        At { seed, epoch, step, taken: self.taken(), planned, learning_rate }
    }

    /// The first half of a step: what the batch's loss and its gradients are. Nothing is changed.
    pub fn forward(&self, at: &At, batch: AtCut, dropout: &mut Stream) -> Result<Ahead> {
        let batch = self.recipe.batch(at, batch)?;
        let learning_rate = self.recipe.learning_rate(at);
        let photos = batch.indices.len();
        let rows = photos.div_ceil(self.recipe.parts().max(1));
        if rows == photos {
            let (graph, correct) = self.loss_of(at, &batch, dropout)?;
            let loss = f64::from(graph.to_scalar::<f32>()?);
            let gradients = self.model.backward(&graph)?;
            return Ok(Ahead { loss, learning_rate, batch, at: *at, correct, gradients });
        }
        // The mean over the batch, part by part: each counts by its photos, or by their weights.
        let whole = batch.weight()?;
        let (mut loss, mut correct, mut sum) = (0.0, 0, None::<Gradients>);
        for first in (0..photos).step_by(rows) {
            let part = batch.rows(first..photos.min(first + rows))?;
            let share = part.weight()? / whole;
            let (graph, right) = self.loss_of(at, &part, dropout)?;
            loss += share * f64::from(graph.to_scalar::<f32>()?);
            correct += right;
            let gradients = self.model.backward(&(graph * share)?)?;
            sum = Some(match sum {
                Some(sum) => sum.plus(&gradients, &self.vars)?,
                // A copy: the memory that they lie in is used again.
                None => gradients.map(&self.vars, |gradient| Ok(gradient.copy()?))?,
            });
        }
        let what = || Error::new(ErrorKind::Dataset, "a step got a batch without photos");
        Ok(Ahead { loss, learning_rate, batch, at: *at, correct, gradients: sum.ok_or_else(what)? })
    }

    /// The loss of a batch, with its graph, and how many of its photos are right.
    fn loss_of(&self, at: &At, batch: &AtCut, dropout: &mut Stream) -> Result<(Tensor, usize)> {
        let logits = self.model.after(&batch.values, self.cut, Some(dropout))?;
        let graph = self.recipe.loss(at, &logits, batch)?;
        Ok((graph, count_correct(&logits, &batch.targets)?))
    }

    /// The second half: the optimizer's step.
    pub fn apply(&mut self, ahead: Ahead) -> Result<()> {
        let gradients = match self.recipe.longest() {
            Some(longest) => optim::clip(ahead.gradients, &self.vars, longest)?.0,
            None => ahead.gradients,
        };
        let Ahead { at, learning_rate, .. } = ahead;
        let open = |&depth: &usize| f64::from(u8::from(self.recipe.is_open(&at, depth, self.deepest)));
        let scales: Vec<f64> = self.depths.iter().map(open).collect();
        let pace = Pace { learning_rate, momentum: self.recipe.momentum(&at), scales: &scales };
        self.optimizer.step(&gradients, &pace)?;
        self.recipe.after_step(&at, &self.vars, &mut self.state)
    }

    /// How many steps were taken.
    pub fn taken(&self) -> usize {
        self.optimizer.steps()
    }

    /// What the optimizer keeps from step to step, by name.
    pub fn moments(&self) -> Result<BTreeMap<String, Tensor>> {
        self.optimizer.state()
    }

    /// What the recipe keeps from step to step.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The recipe.
    pub fn recipe(&self) -> &'a dyn Recipe {
        self.recipe
    }

    /// Goes on after so many steps, with the moments and the recipe's state of then.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`] if the moments are not those of what trains.
    pub fn restore(&mut self, moments: &BTreeMap<String, Tensor>, state: State, taken: usize) -> Result<()> {
        self.optimizer.restore(moments, taken)?;
        self.state = state;
        Ok(())
    }
}

impl Ahead {
    /// How many of the batch's photos are right, before the step.
    pub fn correct(&self) -> usize {
        self.correct
    }
}

/// How many rows of logits `[B, K]` are largest at their target.
pub(super) fn count_correct(logits: &Tensor, targets: &Tensor) -> Result<usize> {
    let hits = logits.argmax(1)?.eq(targets)?.to_dtype(DType::U32)?.sum_all()?;
    Ok(hits.to_scalar::<u32>()? as usize)
}
