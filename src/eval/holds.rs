//! Whether what is said of photos holds: probabilities, sets of classes, known and unknown.

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, brier, temperature};
use super::metrics::{Interval, wilson};
use super::{Evaluation, Prediction};

/// How often sets of classes have the true one in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Of all photos, with Wilson's 95 % interval.
    pub all: Interval,
    /// Of each class's photos.
    pub by_class: Vec<Interval>,
    /// Classes in a set, on average.
    pub size: f64,
    /// The fraction of photos whose set is a single class.
    pub single: f64,
}

impl Evaluation {
    /// The same with the probabilities that the network gave before they were calibrated, and nothing beside them. Which class is first is the same.
    #[must_use]
    pub fn raw(&self) -> Self {
        let temperature = self.trusted.map_or(1.0, |trusted| trusted.temperature.value);
        let one = |prediction: &Prediction| {
            let probabilities = temperature::raw(&prediction.probabilities, temperature);
            Prediction::new(&prediction.path, prediction.target, probabilities)
        };
        Self { predictions: self.predictions.iter().map(one).collect(), trusted: None, ..self.clone() }
    }

    /// How far the probabilities are from what came true.
    pub fn calibration(&self) -> Calibration {
        let photos = self.predictions.iter().filter_map(|p| Some((&p.probabilities[..], p.target?)));
        Calibration::of(&self.answers(), brier::brier(photos))
    }

    /// The confidence of each photo, and whether it is right.
    pub fn answers(&self) -> Vec<(f64, bool)> {
        self.predictions.iter().map(|p| (f64::from(p.best().1), p.is_right() == Some(true))).collect()
    }

    /// Whether anything is said of photos beside their probabilities.
    pub fn is_judged(&self) -> bool {
        self.predictions.iter().any(|prediction| prediction.judgement.is_some())
    }

    /// How often the sets have the true class in them; none where no sets were told.
    pub fn coverage(&self) -> Option<Coverage> {
        let sets: Vec<(usize, &[usize])> =
            self.predictions.iter().filter_map(|p| Some((p.target?, p.one_of()?))).collect();
        if sets.is_empty() {
            return None;
        }
        let covered = |of: &dyn Fn(usize) -> bool| {
            let own = || sets.iter().filter(|(target, _)| of(*target));
            wilson(own().filter(|(target, set)| set.contains(target)).count(), own().count())
        };
        let photos = sets.len() as f64;
        Some(Coverage {
            all: covered(&|_| true),
            by_class: (0..self.classes.len()).map(|class| covered(&|target| target == class)).collect(),
            size: sets.iter().map(|(_, set)| set.len()).sum::<usize>() as f64 / photos,
            single: sets.iter().filter(|(_, set)| set.len() == 1).count() as f64 / photos,
        })
    }

    /// The fraction of these photos, all of which are of known classes, that was taken for unknown; none where that was not told.
    pub fn false_alarms(&self) -> Option<Interval> {
        self.trusted.filter(|trusted| trusted.has_limit && self.is_judged())?;
        Some(wilson(self.predictions.iter().filter(|p| p.is_unknown()).count(), self.predictions.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::TrustConfig;
    use crate::eval::{Judgement, Trusted};

    #[test]
    fn coverage_and_false_alarms_are_counted() {
        let one = |target: usize, one_of: &[usize], is_unknown: bool| {
            let (one_of, is_unknown) = (Some(one_of.to_vec()), Some(is_unknown));
            let judgement = Judgement { one_of, coverage: 0.95, distance: None, energy: 0.0, is_unknown };
            let prediction = Prediction::new("1.jpg", Some(target), vec![0.6, 0.3, 0.1]);
            Prediction { judgement: Some(judgement), ..prediction }
        };
        let predictions =
            vec![one(0, &[0], false), one(0, &[0, 1], false), one(1, &[0, 1, 2], true), one(2, &[0], false)];
        let classes: Vec<String> = ["a", "b", "c"].map(String::from).into();
        let evaluation = Evaluation::new("m", classes.into(), predictions).unwrap();
        let found = evaluation.coverage().unwrap();
        assert_eq!((found.all.value, found.size, found.single), (0.75, 1.75, 0.5));
        assert_eq!(found.by_class.iter().map(|class| class.value).collect::<Vec<_>>(), [1.0, 1.0, 0.0]);
        // Nothing was asked of them: that is not told.
        assert_eq!(evaluation.false_alarms(), None);
        let temperature = temperature::fit(&[], &[]);
        let trusted = Trusted { temperature, how: TrustConfig::default(), has_bank: false, has_limit: true };
        let asked = Evaluation { trusted: Some(trusted), ..evaluation };
        assert_eq!(asked.false_alarms().unwrap().value, 0.25);
        assert_eq!((asked.raw().coverage(), asked.raw().trusted), (None, None));
    }
}
