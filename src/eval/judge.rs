//! What is said of a photo beside its class: how sure, one of which classes, or none of them.

use super::Prediction;
use super::calibration::temperature;
use super::conformal::{aps, lac};
use super::judgement::Judgement;
use super::told::Told;
use super::trusted::Trusted;
use super::unknown::neighbours::{self, K};
use crate::base::config::{Sets, TrustConfig};
use crate::models::{Kept, Trust};

/// Says of photos what can be said beside their class, from what was measured at the end of the training.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    trust: &'a Trust,
    how: TrustConfig,
}

impl<'a> Judge<'a> {
    /// By what a model knows, in this way.
    pub fn new(trust: &'a Trust, how: TrustConfig) -> Self {
        Self { trust, how }
    }

    /// What it goes by.
    pub fn trusted(&self) -> Trusted {
        let has_bank = self.trust.bank.is_some();
        Trusted { temperature: self.trust.temperature, how: self.how, has_bank, has_limit: self.limit().is_some() }
    }

    /// The distance, or without a bank the energy, above which a photo is unknown; none where that cannot be told, or is not wanted.
    pub fn limit(&self) -> Option<f32> {
        let Self { trust, how } = self;
        let scores = trust.distances.as_ref().unwrap_or(&trust.energies);
        (how.false_alarms > 0.0).then(|| Kept::threshold(&[scores], 1.0 - how.false_alarms)).flatten()
    }

    /// Whether sets of classes can be told with the coverage that is asked for.
    pub fn tells_sets(&self) -> bool {
        match SetMaker::of(self.trust, self.how) {
            SetMaker::Lac(thresholds) => thresholds.iter().any(Option::is_some),
            SetMaker::Aps(threshold) => threshold.is_some(),
        }
    }

    /// The same predictions with sets as this judge makes them: no photo is looked at again, and what is known or unknown stays.
    pub fn with_sets(&self, predictions: &[Prediction]) -> Vec<Prediction> {
        let (sets, coverage) = (SetMaker::of(self.trust, self.how), self.how.coverage);
        let one = |prediction: &Prediction| {
            let one_of = sets.set(&prediction.probabilities);
            let judgement = prediction.judgement.clone().map(|judgement| Judgement { one_of, coverage, ..judgement });
            Prediction { judgement, ..prediction.clone() }
        };
        predictions.iter().map(one).collect()
    }

    /// The calibrated probabilities of photos, and what is said beside them, in order.
    pub fn judge(&self, told: &[Told]) -> Vec<(Vec<f32>, Judgement)> {
        let (sets, limit) = (SetMaker::of(self.trust, self.how), self.limit());
        let features: Option<Vec<Vec<f32>>> = told.iter().map(|told| told.features.clone()).collect();
        let bank = self.trust.bank.as_ref().zip(features);
        let distances = bank.map(|(bank, features)| neighbours::distances(bank, &features, K));
        let one = |(photo, told): (usize, &Told)| {
            let probabilities = temperature::tempered(&told.logits, self.trust.temperature.value);
            let distance = distances.as_ref().map(|distances| distances[photo]);
            let (energy, one_of) = (told.energy, sets.set(&probabilities));
            let is_unknown = limit.map(|limit| distance.unwrap_or(energy) > limit);
            (probabilities, Judgement { one_of, coverage: self.how.coverage, distance, energy, is_unknown })
        };
        told.iter().enumerate().map(one).collect()
    }
}

/// Makes sets of classes in one way.
enum SetMaker {
    /// The threshold of each class.
    Lac(Vec<Option<f32>>),
    Aps(Option<f32>),
}

impl SetMaker {
    fn of(trust: &Trust, how: TrustConfig) -> Self {
        let all = |scores: &[Kept]| Kept::threshold(&scores.iter().collect::<Vec<_>>(), how.coverage);
        let of_all = all(&trust.lac);
        match how.sets {
            Sets::Aps => Self::Aps(all(&trust.aps)),
            Sets::Lac => Self::Lac(vec![of_all; trust.lac.len()]),
            // Where a class has too few photos to tell, that of all photos.
            Sets::ByClass => {
                Self::Lac(trust.lac.iter().map(|own| Kept::threshold(&[own], how.coverage).or(of_all)).collect())
            }
        }
    }

    /// The set, the most probable class first; that class is in it, also where the method alone would leave the set empty. None where nothing can be told.
    fn set(&self, probabilities: &[f32]) -> Option<Vec<usize>> {
        let mut set = match self {
            Self::Lac(thresholds) if thresholds.iter().all(Option::is_none) => return None,
            Self::Aps(None) => return None,
            Self::Lac(thresholds) => lac::set(probabilities, thresholds),
            Self::Aps(threshold) => aps::set(probabilities, *threshold),
        };
        let first = aps::set(probabilities, Some(0.0));
        set.extend(first.into_iter().filter(|first| !set.contains(first)).collect::<Vec<_>>());
        set.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
        Some(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::measure;

    /// Told of so many photos of two classes, the second of which is harder.
    fn told(photos: usize) -> (Vec<Told>, Vec<usize>) {
        let one = |i: usize| {
            let is_easy = i.is_multiple_of(2);
            let sure = if is_easy { 3.0 } else { 0.5 + 1.5 * (i as f32 * 0.7).sin() };
            let logits = if is_easy { vec![sure, 0.0] } else { vec![0.0, sure] };
            Told { energy: -sure, logits, features: Some(vec![1.0, i as f32]) }
        };
        ((0..photos).map(one).collect(), (0..photos).map(|i| i % 2).collect())
    }

    #[test]
    fn sets_are_never_empty_and_by_class_each_class_has_its_own_threshold() {
        let (told, targets) = told(200);
        let trust = measure(&told, &targets, 2, None);
        let covered = |sets: Sets, coverage: f64, class: usize| {
            let answers = Judge::new(&trust, TrustConfig { sets, coverage, ..TrustConfig::default() }).judge(&told);
            let own = answers.iter().zip(&targets).filter(|(_, target)| **target == class);
            let sets: Vec<&Vec<usize>> = own.map(|((_, said), _)| said.one_of.as_ref().unwrap()).collect();
            assert!(sets.iter().all(|set| !set.is_empty()));
            sets.iter().filter(|set| set.contains(&class)).count() as f64 / sets.len() as f64
        };
        // Half the photos are easy: one threshold for all is theirs, and the hard ones pay for it.
        let (lac, by_class) = (covered(Sets::Lac, 0.75, 1), covered(Sets::ByClass, 0.75, 1));
        assert!(lac < 0.7 && by_class >= 0.75, "{lac} {by_class}");
        for sets in Sets::ALL {
            assert!(covered(sets, 0.9, 0) + covered(sets, 0.9, 1) >= 1.8, "{sets:?}");
        }
    }

    #[test]
    fn sets_made_again_are_those_that_were_asked_for() {
        let (told, targets) = told(60);
        let trust = measure(&told, &targets, 2, None);
        let judge = |coverage: f64| Judge::new(&trust, TrustConfig { coverage, ..TrustConfig::default() });
        let said = |judge: &Judge| -> Vec<Prediction> {
            let answers = judge.judge(&told).into_iter();
            let prediction = |(probabilities, judgement)| Prediction {
                judgement: Some(judgement),
                ..Prediction::new("1.jpg", None, probabilities)
            };
            answers.map(prediction).collect()
        };
        let (some, more) = (said(&judge(0.6)), said(&judge(0.95)));
        assert_ne!(some, more);
        assert_eq!(judge(0.95).with_sets(&some), more);
    }
}
