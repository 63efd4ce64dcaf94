//! What a learner's model holds: the best values of its run.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use candle_core::Tensor;

use super::Learner;
use super::network::{Kind, pretrain};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Seed;
use crate::export::{self, ModelInfo};
use crate::models::{Model, Trust};
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

/// A model with the best values of its run, and what is known of it.
pub(super) enum Trained<'a> {
    /// The learner's own.
    Own(&'a Model, &'a ModelInfo),
    /// Another one, since the learner's own has earlier values.
    Newer(Box<(Model, ModelInfo)>),
}

impl Trained<'_> {
    /// What a model file says of it.
    pub(super) fn info(&self) -> &ModelInfo {
        match self {
            Self::Own(_, info) => info,
            Self::Newer(newer) => &newer.1,
        }
    }
}

impl Deref for Trained<'_> {
    type Target = Model;

    fn deref(&self) -> &Model {
        match self {
            Self::Own(model, _) => model,
            Self::Newer(newer) => &newer.0,
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
            return Ok(Trained::Own(&self.model, &self.info));
        }
        let model = self.untrained()?;
        self.put(&model, &self.best_values()?)?;
        let info = ModelInfo { trust: self.known_of(&model)?, ..self.info.clone() };
        Ok(Trained::Newer(Box::new((model, info))))
    }

    /// How far a model can be trusted, as the run's model file says; none where that is of other values, since a phase is under way.
    fn known_of(&self, model: &Model) -> Result<Option<Trust>> {
        let file = self.run.best();
        // What is wrong with it is told where it is asked for.
        let Some(Ok(info)) = file.exists().then(|| export::info(&file)) else { return Ok(None) };
        let Some(trust) = info.trust else { return Ok(None) };
        let is_own = export::trust::belongs(&trust, model)?;
        Ok(is_own.then(|| if self.config.trust.bank { trust } else { trust.without_bank() }))
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
        self.info.trust = self.known_of(&self.model)?;
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
