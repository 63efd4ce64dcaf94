//! A learner cross-validates: how good a head can be expected to be, where there are too few photos for parts of their own.

use std::collections::{BTreeMap, BTreeSet};

use super::Learner;
use super::network::Kind;
use crate::base::error::{Error, ErrorKind, Result};
use crate::data::{Sample, Split};
use crate::eval::metrics::mean_and_spread;
use crate::eval::{Evaluation, Prediction};
use crate::report::words::with_interval;
use crate::report::{Bar, View, shows};
use crate::train::{self, Cache};

/// What a cross-validation has found.
#[derive(Clone, Debug)]
pub struct CrossValidation {
    /// The accuracy in each fold, by a head that was made without it.
    pub accuracies: Vec<f64>,
    /// The fold of every photo, in the order of the predictions.
    pub folds: Vec<usize>,
    /// What was said of every photo by the head that had not learned from it.
    pub evaluation: Evaluation,
}

shows!(CrossValidation);

impl Learner {
    /// Cross-validation on the photos to train and to decide on (the test photos stay unread): dealt into so many folds, evenly by class and (nearly)
    /// the same photos together, each fold is predicted by a head that was solved for on the others ([`Learner::fit_instant`]). The network's own
    /// head is not touched. Seconds, once the features are there.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(learner: &Learner) -> Result<()> {
    /// let found = learner.cross_validate(5)?; // as a cell's last line: the mean accuracy and its spread
    /// found.evaluation.worst(12); // predictions by heads that did not learn from these photos
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for the baseline, and for fewer than 2 folds or more than there are different photos; what reading photos can give.
    pub fn cross_validate(&self, folds: usize) -> Result<CrossValidation> {
        self.project.check_origin()?;
        if self.kind() == Kind::Baseline {
            let what = "the baseline has no features to solve for a head on";
            return Err(Error::new(ErrorKind::Config, what).mend("cross-validate a pretrained network"));
        }
        let (predictions, dealt) = self.out_of_fold(Some(folds))?;
        let accuracy = |fold: usize| {
            let own = predictions.iter().zip(&dealt).filter(|(_, other)| **other == fold);
            let right = own.clone().filter(|(prediction, _)| prediction.is_right() == Some(true)).count();
            right as f64 / own.count().max(1) as f64
        };
        let accuracies = (0..folds).map(accuracy).collect();
        let evaluation = Evaluation::new(self.info.name(), self.info.classes.clone().into(), predictions)?;
        Ok(CrossValidation { accuracies, folds: dealt, evaluation })
    }

    /// What heads that did not learn from them say of all train photos, then of all val photos; and the fold of each. Without a number, five folds, or
    /// as many as there are different photos.
    pub(super) fn out_of_fold(&self, folds: Option<usize>) -> Result<(Vec<Prediction>, Vec<usize>)> {
        let parts = [Split::Train, Split::Val].map(|part| self.loader(part));
        let samples: Vec<&Sample> = parts.iter().flat_map(|loader| loader.subset().samples.iter()).collect();
        let groups = self.groups(&samples);
        let folds = folds.unwrap_or_else(|| groups.iter().collect::<BTreeSet<_>>().len().min(5));
        let model = self.untrained()?;
        let loaders: Vec<_> = parts.iter().collect();
        let cache = Cache::folder(&self.project);
        let found =
            train::folds::cross_validate(&model, &loaders, &groups, folds, &self.config, &cache, &mut Bar::new())?;
        let predictions = samples.iter().zip(&found.told).map(|(sample, told)| {
            Prediction::new(&sample.path, Some(sample.target), told.iter().map(|p| *p as f32).collect())
        });
        Ok((predictions.collect(), found.folds))
    }

    /// For each photo the first one that shows the same, as the split found them; itself for most.
    fn groups(&self, samples: &[&Sample]) -> Vec<usize> {
        let places: BTreeMap<&str, usize> =
            samples.iter().enumerate().map(|(place, sample)| (sample.name.as_str(), place)).collect();
        let mut groups: Vec<usize> = (0..samples.len()).collect();
        for pair in &self.splits.made_with.pairs {
            if let (Some(&one), Some(&other)) = (places.get(pair.one.as_str()), places.get(pair.other.as_str())) {
                let (kept, gone) = (groups[one].min(groups[other]), groups[one].max(groups[other]));
                groups.iter_mut().filter(|group| **group == gone).for_each(|group| *group = kept);
            }
        }
        groups
    }
}

impl CrossValidation {
    /// The mean accuracy over the folds.
    pub fn mean(&self) -> f64 {
        mean_and_spread(&self.accuracies).0
    }

    /// The standard deviation of the accuracies of the folds (over n − 1).
    pub fn spread(&self) -> f64 {
        mean_and_spread(&self.accuracies).1
    }

    /// The mean accuracy, its spread, that of each fold, and of all photos together.
    pub fn view(&self) -> View {
        let percent = |share: &f64| format!("{:.1} %", 100.0 * share);
        let each: Vec<String> = self.accuracies.iter().map(percent).collect();
        View::new(format!("cross-validation of {}, {} folds", self.evaluation.model, self.accuracies.len()))
            .facts([
                (
                    "accuracy",
                    format!(
                        "{:.1} ± {:.1} % (mean and standard deviation)",
                        100.0 * self.mean(),
                        100.0 * self.spread()
                    ),
                ),
                ("of each fold", each.join(", ")),
                ("all photos", with_interval(self.evaluation.accuracy())),
            ])
            .hint("each photo was predicted by a head that had not learned from it: found.evaluation has them all")
    }
}
