//! A learner says how good it is, and which photos are likely in the wrong class.

use super::Learner;
use super::network::Kind;
use crate::base::config::TrustConfig;
use crate::base::error::Result;
use crate::data::Split;
use crate::eval::{self, Cleaner, Evaluation};
use crate::report::Bar;

impl Learner {
    /// Predicts all photos of a split, as [`Config::test`](crate::Config::test) says. Another way is tried with
    /// `learner.info_mut().test = TestConfig { size: 256, views: TestViews::Flip }`: on the validation photos, where one is chosen. The run's folder gets `predictions_<split>.csv`, the numbers in `metrics.json`, and a new page,
    /// `report.html`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if this run has not finished a phase yet.
    pub fn evaluate(&self, split: Split) -> Result<Evaluation> {
        let model = self.trained()?;
        let (asked, loader) = self.asking(&model, self.config.trust, split)?;
        let evaluation = eval::evaluate(&asked, &loader.with_facts(), &self.name_asked(&asked), &mut Bar::new())?;
        self.record_evaluation(split, &evaluation)?;
        Ok(evaluation)
    }

    /// The photos of these parts by their loss, the largest first, to be kept, relabelled or dropped: [`Cleaner`].
    ///
    /// Val and test photos are predicted by the network as it is. It has learned train photos by heart, wrong labels and all: those are
    /// predicted by new heads on the pretrained network that have learned neither from them nor from photos that show the same
    /// ([`Learner::cross_validate`]). The baseline has no such heads, and its train photos' losses say little.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if this run has not finished a phase yet, or no part is named.
    pub fn cleaner(&self, parts: &[Split]) -> Result<Cleaner> {
        self.project.check_origin()?;
        let model = self.trained()?;
        let mut parts = parts.to_vec();
        parts.sort_unstable();
        parts.dedup();
        let held_out = parts.contains(&Split::Train) && self.kind() == Kind::Transfer;
        let mut bar = Bar::new();
        let evaluate = |part: Split| -> Result<(Split, Evaluation)> {
            Ok((
                part,
                match part {
                    Split::Train if held_out => self.held_out()?,
                    _ => {
                        // Beside heads that are not calibrated.
                        let raw = TrustConfig { raw: true, ..self.config.trust };
                        let (asked, loader) = self.asking(&model, raw, part)?;
                        eval::evaluate(&asked, &loader, &self.name_asked(&asked), &mut bar)?
                    }
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
        let (mut predictions, _) = self.out_of_fold(None)?;
        predictions.truncate(self.splits.train.samples.len());
        Evaluation::new(self.info.name(), self.info.classes.clone().into(), predictions)
    }
}
