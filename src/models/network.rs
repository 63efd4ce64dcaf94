//! What a model is before its head: a program with its stages and its cut.

use std::collections::BTreeMap;

use super::cut::Cut;
use crate::base::error::{Error, ErrorKind, Result};
use crate::nn::program::Program;
use crate::nn::steps::Parameter;

/// What a model is before its head.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// All steps; the last ones pool the maps to what the head takes.
    pub(super) program: Program,
    /// The steps up to the last maps, which Grad-CAM weighs.
    pub(super) maps: usize,
    /// The stages, for the summary.
    pub(super) stages: Vec<NetworkStage>,
    /// The step before which it is cut for phase 2.
    pub(super) upper: usize,
    /// The first step that trains in phase 2; those between are frozen and computed again.
    pub(super) upper_trainable: usize,
    /// Channels that it ends with.
    pub(super) features: usize,
}

/// A stage: all steps up to `end` that are in none before it.
#[derive(Clone, Debug)]
pub(super) struct NetworkStage {
    pub(super) name: String,
    pub(super) end: usize,
}

impl NetworkStage {
    /// A stage that ends where the program ends now.
    pub(super) fn new(name: &str, program: &Program) -> Self {
        Self { name: name.into(), end: program.steps.len() }
    }
}

/// How many channels a wider network has where so many are wanted: the nearest multiple of 8, the next one where that takes more than a tenth away.
pub(super) fn channels(wanted: f64) -> usize {
    let nearest = (wanted + 4.0) as usize / 8 * 8;
    if (nearest as f64) < 0.9 * wanted { nearest + 8 } else { nearest }
}

impl Network {
    /// The step behind its last one.
    pub(super) fn end(&self) -> usize {
        self.program.steps.len()
    }

    /// The step before which it is cut.
    pub(super) fn step_of(&self, cut: Cut) -> usize {
        match cut {
            Cut::Images => 0,
            Cut::Upper => self.upper,
            Cut::Features => self.end(),
        }
    }

    /// The first step that trains after this cut.
    pub(super) fn trainable_from(&self, cut: Cut) -> usize {
        if cut == Cut::Upper { self.upper_trainable } else { self.step_of(cut) }
    }

    /// The tensors of the steps `from..to`, by name and shape.
    pub(super) fn tensors(&self, from: usize, to: usize) -> BTreeMap<String, Vec<usize>> {
        self.program.parameters(from..to).map(|(_, parameter)| (parameter.name, parameter.shape)).collect()
    }

    /// Names of the tensors that train from this step on, sorted.
    pub(super) fn trainable(&self, from: usize) -> Vec<String> {
        let mut names: Vec<_> = self.training(from).map(|parameter| parameter.name).collect();
        names.sort();
        names
    }

    /// How many stages before the end a tensor's is: 1 for the last stage.
    pub(super) fn depth(&self, name: &str) -> Result<usize> {
        let mut begin = 0;
        for (place, stage) in self.stages.iter().enumerate() {
            if self.program.parameters(begin..stage.end).any(|(_, parameter)| parameter.name == name) {
                return Ok(self.stages.len() - place);
            }
            begin = stage.end;
        }
        Err(Error::new(ErrorKind::Weights, format!("no stage of the network has a tensor named {name}")))
    }

    /// Numbers in the tensors that train from this step on.
    #[cfg(test)]
    pub(super) fn parameters(&self, from: usize) -> usize {
        self.training(from).map(|parameter| parameter.count()).sum()
    }

    fn training(&self, from: usize) -> impl Iterator<Item = Parameter> {
        let parameters = self.program.parameters(from..self.end());
        parameters.map(|(_, parameter)| parameter).filter(|parameter| parameter.trains)
    }
}
