//! What a learner's model holds: the best values of its run.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use candle_core::Tensor;

use super::Learner;
use super::network::{Kind, pretrain};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Seed;
use crate::models::Model;
use crate::train::Progress;

/// What the model's values are.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Which of the run's best values they are; none where that is not known.
    pub(super) best: Option<Best>,
    /// The tensors that may differ from those that the learner began with.
    pub(super) changed: BTreeSet<String>,
}

/// The best epoch of a run, and its validation loss.
pub(super) type Best = (usize, Option<f64>);

/// A model with the best values of its run.
pub(super) enum Trained<'a> {
    /// The learner's own.
    Own(&'a Model),
    /// Another one, since the learner's own has earlier values.
    Newer(Box<Model>),
}

impl Deref for Trained<'_> {
    type Target = Model;

    fn deref(&self) -> &Model {
        match self {
            Self::Own(model) => model,
            Self::Newer(model) => model,
        }
    }
}

impl Learner {
    /// The network with the run's best values. Where another notebook or the command has trained on, that is one made for this: using a
    /// learner changes nothing of it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] before the first phase is finished.
    pub(super) fn trained(&self) -> Result<Trained<'_>> {
        let progress = self.run.progress()?;
        if progress.history.ended.is_empty() {
            return Err(Error::new(ErrorKind::Config, "this model has not finished a training phase yet")
                .at(&self.run.folder)
                .mend("run the fit cells first; a stopped one goes on where it was"));
        }
        if self.held.best == Some(best_of(&progress)) {
            return Ok(Trained::Own(&self.model));
        }
        let model = self.untrained()?;
        self.put(&model, &self.best_values()?)?;
        Ok(Trained::Newer(Box::new(model)))
    }

    /// Sees that the model has the run's best values, and those that it began with where the run has trained nothing.
    pub(super) fn hold_best(&mut self) -> Result<()> {
        let best = Some(best_of(&self.run.progress()?));
        if self.held.best == best {
            return Ok(());
        }
        let values = self.best_values()?;
        if self.held.changed.iter().any(|name| !values.contains_key(name)) {
            // What another run has trained must not stay.
            let untrained = self.untrained()?;
            let values =
                untrained.params().iter().map(|(name, param)| (name.to_string(), param.var.as_tensor().clone()));
            self.model.params().set_all(&values.collect())?;
        }
        self.put(&self.model, &values)?;
        self.held = Held { best, changed: values.into_keys().collect() };
        Ok(())
    }

    /// The network as it is before any training.
    pub(super) fn untrained(&self) -> Result<Model> {
        let model = Model::new(&self.info.architecture, Seed(self.config.seed), &self.project.device)?
            .in_precision(self.info.precision)?;
        if self.kind() == Kind::Transfer {
            pretrain(&model, &self.config, &self.project)?;
        }
        Ok(model)
    }

    fn best_values(&self) -> Result<BTreeMap<String, Tensor>> {
        Ok(self.run.load(&self.project.device)?.best)
    }

    fn put(&self, model: &Model, values: &BTreeMap<String, Tensor>) -> Result<()> {
        model.params().set_all(values).map_err(|error| {
            Error::new(ErrorKind::Checkpoint, format!("this checkpoint does not fit the network: {}", error.what()))
                .at(self.run.last())
                .mend("delete this file to train anew")
        })
    }
}

fn best_of(progress: &Progress) -> Best {
    (progress.monitor.best_epoch, progress.monitor.best)
}
