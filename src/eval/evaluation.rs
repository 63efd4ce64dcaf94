//! Predictions over a split, and the numbers drawn from them.

use std::path::Path;
use std::sync::Arc;

use super::asked::Asked;
use super::metrics::{self, Interval, Scores};
use super::stored::write_predictions;
use super::trusted::Trusted;
use super::{Confusion, Prediction};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::work::{Progress, Unit, Work};
use crate::data::{Facts, Loader};

/// Predictions over a split, and the numbers drawn from them.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(learner: &Learner) -> Result<()> {
/// let result = learner.evaluate(Split::Test)?;
/// println!("{:.1} %", 100.0 * result.accuracy().value);
/// result.per_class()?; // a table; .frame() gives it as a polars DataFrame
/// result.confusion_matrix()?.save("visualizations/confusion_matrix.png")?;
/// result.show_results(9)?; // and top_losses(9)?, most_confused(3)?
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Name of the model, for tables: `baseline`, `resnet50`.
    pub model: String,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// One a photo, in the split's order.
    pub predictions: Vec<Prediction>,
    /// How the probabilities were calibrated, and what was asked of what is said beside them; none where they are raw.
    pub trusted: Option<Trusted>,
    /// What is known of each photo beside what it shows; of none where it was not asked for, or the predictions come from a table.
    pub facts: Vec<Facts>,
}

impl Evaluation {
    /// From predictions whose true classes are known.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if there are none, or one has no true class, another number of classes, or probabilities that do not
    /// sum to 1.
    pub fn new(model: impl Into<String>, classes: Arc<[String]>, predictions: Vec<Prediction>) -> Result<Self> {
        let bad = |prediction: &&Prediction| {
            let sum: f32 = prediction.probabilities.iter().sum();
            prediction.target.is_none_or(|target| target >= classes.len())
                || prediction.probabilities.len() != classes.len()
                || (sum - 1.0).abs() > 1e-3
                || sum.is_nan()
        };
        if predictions.is_empty() {
            return Err(Error::new(ErrorKind::Dataset, "there are no predictions to measure"));
        }
        if let Some(prediction) = predictions.iter().find(bad) {
            let Prediction { target, probabilities, .. } = prediction;
            let what = format!("a prediction does not fit {} classes: {target:?}, {probabilities:?}", classes.len());
            return Err(Error::new(ErrorKind::Dataset, what).at(&prediction.path));
        }
        Ok(Self { model: model.into(), classes, predictions, trusted: None, facts: Vec::new() })
    }

    /// The same under another name, for tables of models that are told by something else than their network.
    #[must_use]
    pub fn named(self, model: impl Into<String>) -> Self {
        Self { model: model.into(), ..self }
    }

    /// The fraction of photos that is right, with Wilson's interval.
    pub fn accuracy(&self) -> Interval {
        self.top_k(1)
    }

    /// The fraction of photos whose true class is among the `k` most probable ones.
    pub fn top_k(&self, k: usize) -> Interval {
        let hit = |prediction: &&Prediction| {
            let target = prediction.target.unwrap_or(usize::MAX);
            let own = prediction.probabilities.get(target).copied().unwrap_or(f32::NEG_INFINITY);
            // Before the true class in the ranking: larger ones, and equal ones that come first.
            let before = prediction.probabilities.iter().enumerate();
            before.filter(|&(class, &p)| p > own || (p == own && class < target)).count() < k
        };
        metrics::wilson(self.predictions.iter().filter(hit).count(), self.predictions.len())
    }

    /// The fraction that is right where the largest class is always guessed: what an accuracy has to be compared with.
    pub fn guess(&self) -> f64 {
        let largest = self.scores().iter().map(|scores| scores.support).max().unwrap_or(0);
        largest as f64 / self.predictions.len().max(1) as f64
    }

    /// Mean cross-entropy in nats.
    pub fn loss(&self) -> f64 {
        self.predictions.iter().filter_map(Prediction::loss).sum::<f64>() / self.predictions.len() as f64
    }

    /// Which class was taken for which; its counts sum to the number of photos.
    pub fn confusion(&self) -> Confusion {
        let answers = self.predictions.iter().filter_map(|p| Some((p.target?, p.best().0)));
        let confusion = Confusion::new(self.classes.len(), answers);
        debug_assert_eq!(confusion.total(), self.predictions.len());
        confusion
    }

    /// Precision, recall, F1 and support of each class.
    pub fn scores(&self) -> Vec<Scores> {
        metrics::per_class(&self.confusion())
    }

    /// The plain mean of the scores over classes.
    pub fn macro_average(&self) -> Scores {
        metrics::average(&self.scores(), |_| 1.0)
    }

    /// The mean of the scores over classes, each by its number of photos.
    pub fn weighted_average(&self) -> Scores {
        metrics::average(&self.scores(), |scores| scores.support as f64)
    }

    /// How far confidence is from accuracy (15 bins).
    pub fn calibration_error(&self) -> f64 {
        let answers: Vec<_> =
            self.predictions.iter().map(|p| (f64::from(p.best().1), p.is_right() == Some(true))).collect();
        metrics::calibration_error(&answers)
    }

    /// The `n` photos with the largest loss, the largest first.
    pub fn worst(&self, n: usize) -> Vec<Prediction> {
        let mut worst = self.predictions.clone();
        worst.sort_by(|a, b| b.loss().unwrap_or(0.0).total_cmp(&a.loss().unwrap_or(0.0)));
        worst.truncate(n);
        worst
    }

    /// `n` photos to look at: up to half of them wrong ones (the surest first), the rest right ones, one class after another.
    pub fn examples(&self, n: usize) -> Vec<Prediction> {
        let surest_first = |right: bool| {
            let mut found: Vec<_> = self.predictions.iter().filter(|p| p.is_right() == Some(right)).cloned().collect();
            found.sort_by(|a, b| b.best().1.total_cmp(&a.best().1));
            found
        };
        let mut wrong = surest_first(false);
        wrong.truncate(n / 2);
        let mut by_class: Vec<Vec<Prediction>> = vec![Vec::new(); self.classes.len()];
        for prediction in surest_first(true).into_iter().rev() {
            by_class[prediction.best().0].push(prediction);
        }
        let mut right = Vec::new();
        while right.len() + wrong.len() < n && by_class.iter().any(|class| !class.is_empty()) {
            right.extend(by_class.iter_mut().filter_map(Vec::pop));
        }
        right.truncate(n - wrong.len());
        right.into_iter().chain(wrong).collect()
    }

    /// Writes `path,target,predicted` and the probability of each class: a row a photo. See [`write_predictions`].
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        write_predictions(path, &self.classes, &self.predictions)
    }
}

/// Predicts every photo of a loader, whose photos are brought to what [`Asked::preprocess`] says, in order. What the loader says of them beside
/// ([`Loader::with_facts`]) is kept, for [slices](Evaluation::slices).
///
/// # Errors
/// What reading photos can give; [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn evaluate(asked: &Asked, loader: &Loader, name: &str, progress: &mut dyn Progress) -> Result<Evaluation> {
    let (mut predictions, mut facts) = (Vec::with_capacity(loader.len()), Vec::new());
    let mut work = Work::new("evaluating", Unit::Photos, loader.len() as u64);
    for batch in loader.batches() {
        work.at(predictions.len() as u64, progress)?;
        let batch = batch?;
        facts.extend(batch.facts);
        for (index, (probabilities, judgement)) in batch.indices.into_iter().zip(asked.answers(&batch.images)?) {
            let sample = &loader.subset().samples[index];
            let prediction = Prediction::new(&sample.path, Some(sample.target), probabilities);
            predictions.push(Prediction { judgement, ..prediction });
        }
    }
    work.end(progress)?;
    let evaluation = Evaluation::new(name, loader.subset().classes.clone(), predictions)?;
    Ok(Evaluation { trusted: asked.trusted(), facts, ..evaluation })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions(rows: &[(usize, [f32; 3])]) -> Vec<Prediction> {
        let one = |(index, (target, p)): (usize, &(usize, [f32; 3]))| {
            Prediction::new(format!("{index}.jpg"), Some(*target), p.to_vec())
        };
        rows.iter().enumerate().map(one).collect()
    }

    fn example() -> Evaluation {
        let classes: Arc<[String]> = ["a", "b", "c"].map(String::from).to_vec().into();
        let rows = [(0, [0.7, 0.2, 0.1]), (1, [0.5, 0.4, 0.1]), (2, [0.1, 0.1, 0.8]), (2, [0.6, 0.3, 0.1])];
        Evaluation::new("m", classes, predictions(&rows)).unwrap()
    }

    #[test]
    fn numbers_match_a_table_worked_by_hand() {
        let evaluation = example();
        assert_eq!(evaluation.accuracy().value, 0.5);
        assert_eq!((evaluation.top_k(2).value, evaluation.top_k(3).value), (0.75, 1.0));
        let loss = -(0.7f64.ln() + 0.4f64.ln() + 0.8f64.ln() + 0.1f64.ln()) / 4.0;
        assert!((evaluation.loss() - loss).abs() < 1e-6);
        assert_eq!(evaluation.confusion().rows(), [[1, 0, 0], [1, 0, 0], [1, 0, 1]]);
        assert_eq!(evaluation.worst(1)[0].path, Path::new("3.jpg"));
        let shown = evaluation.examples(3);
        assert_eq!(shown.iter().filter(|p| p.is_right() == Some(true)).count(), 2);
    }

    #[test]
    fn predictions_that_do_not_fit_are_refused() {
        let classes: Arc<[String]> = ["a", "b", "c"].map(String::from).to_vec().into();
        for bad in [(3, [0.5, 0.5, 0.0]), (0, [0.5, 0.4, 0.0]), (0, [f32::NAN, 0.5, 0.5])] {
            assert!(Evaluation::new("m", classes.clone(), predictions(&[bad])).is_err());
        }
        assert!(Evaluation::new("m", classes, Vec::new()).is_err());
    }
}
