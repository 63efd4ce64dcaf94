//! What a model says of one photo.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Judgement;

/// What a model says of one photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The file.
    pub path: PathBuf,
    /// The true class's index, where it is known.
    pub target: Option<usize>,
    /// Probability of each class, in class order.
    pub probabilities: Vec<f32>,
    /// What is said beside them: how sure, one of which classes, or none of them. None where the network was asked for its raw probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
}

impl Prediction {
    /// A prediction without anything said beside its probabilities.
    pub fn new(path: impl Into<PathBuf>, target: Option<usize>, probabilities: Vec<f32>) -> Self {
        Self { path: path.into(), target, probabilities, judgement: None }
    }

    /// Whether it is taken for a photo of none of the classes.
    pub fn is_unknown(&self) -> bool {
        self.judgement.as_ref().and_then(|judgement| judgement.is_unknown) == Some(true)
    }

    /// The classes that are not too unlikely, the most probable first; none where that was not told.
    pub fn one_of(&self) -> Option<&[usize]> {
        self.judgement.as_ref()?.one_of.as_deref()
    }

    /// The most probable class and its probability; the first of equals.
    pub fn best(&self) -> (usize, f32) {
        let mut best = (0, f32::NEG_INFINITY);
        for (class, &probability) in self.probabilities.iter().enumerate() {
            if probability > best.1 {
                best = (class, probability);
            }
        }
        best
    }

    /// Whether the most probable class is the true one; nothing where that is not known.
    pub fn is_right(&self) -> Option<bool> {
        self.target.map(|target| target == self.best().0)
    }

    /// Cross-entropy in nats, where the true class is known. A probability of 0 counts as the smallest there is.
    pub fn loss(&self) -> Option<f64> {
        self.target.map(|target| -f64::from(self.probabilities[target].max(f32::MIN_POSITIVE)).ln())
    }
}
