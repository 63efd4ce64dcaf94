//! A learner looks for photos that are in the wrong class.

use super::{Learner, pretrain};
use crate::base::error::Result;
use crate::base::seed::Seed;
use crate::data::Split;
use crate::eval::{self, Cleaner, Evaluation, Prediction};
use crate::models::{Architecture, Model};
use crate::train::{self, Cache};

impl Learner {
    /// The photos of these parts by their loss, the largest first, to be kept, relabelled or dropped: [`Cleaner`].
    ///
    /// Val and test photos are predicted by the network as it is. It has learned train photos by heart, wrong labels and all: those are
    /// predicted by new heads on the pretrained network, each trained without the photos that it predicts
    /// ([`train::held_out()`]). The baseline has no such heads, and its train photos' losses say little.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if this run has not finished a phase yet, or no part is named.
    pub fn cleaner(&self, parts: &[Split]) -> Result<Cleaner> {
        self.project.check_origin()?;
        self.check_trained()?;
        let mut parts = parts.to_vec();
        parts.sort_unstable();
        parts.dedup();
        let held_out = parts.contains(&Split::Train) && matches!(self.info.architecture, Architecture::Transfer { .. });
        let evaluate = |part: Split| -> Result<(Split, Evaluation)> {
            Ok((
                part,
                match part {
                    Split::Train if held_out => self.held_out()?,
                    _ => eval::evaluate(&self.model, &self.loader(part), &self.info.name())?,
                },
            ))
        };
        let evaluations = parts.into_iter().map(evaluate).collect::<Result<Vec<_>>>()?;
        let mut cleaner = Cleaner::new(&self.splits, &evaluations)?;
        cleaner.held_out = held_out;
        Ok(cleaner)
    }

    /// The train photos as heads see them that have not learned from them.
    fn held_out(&self) -> Result<Evaluation> {
        let model = Model::new(&self.info.architecture, Seed(self.config.seed), &self.project.device)?;
        pretrain(&model, &self.config, &self.project)?;
        let loader = self.loader(Split::Train);
        let told = train::held_out(&model, &loader, &self.config, &Cache::folder(&self.project))?;
        let samples = loader.subset().samples.iter();
        let predictions = samples.zip(told).map(|(sample, probabilities)| Prediction {
            path: sample.path.clone(),
            target: Some(sample.target),
            probabilities,
        });
        Evaluation::new(self.info.name(), loader.subset().classes.clone(), predictions.collect())
    }
}
