//! What a model knows of how far it can be trusted: measured when its training ends, and kept in its file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::config::TestConfig;
use crate::base::error::{Error, ErrorKind, Result};

/// What was measured on photos that the model did not learn from. It belongs to one set of weights, one list of classes, one preprocessing and
/// one way of asking: with any other, it is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// SHA-256 of the weights that it was measured with, by name, shape and value.
    pub weights: String,
    /// SHA-256 of the class names and the preprocessing that it was measured with.
    pub described: String,
    /// How the network was asked.
    #[serde(default, skip_serializing_if = "TestConfig::is_plain")]
    pub test: TestConfig,
    /// What logits are divided by, so that a probability says how often it is right.
    pub temperature: Temperature,
    /// For each class, how unlikely its own validation photos found it (LAC: 1 − probability of the true class).
    pub lac: Vec<Kept>,
    /// For each class, how much probability its own validation photos gave to all classes down to the true one (APS).
    pub aps: Vec<Kept>,
    /// How far validation photos are from the training photos' features; none where the file carries no such features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distances: Option<Kept>,
    /// The energies of validation photos: minus the logarithm of the sum of the logits' exponentials.
    pub energies: Kept,
    /// Features of training photos; not a part of the description, but a tensor of the file.
    #[serde(skip)]
    pub bank: Option<Bank>,
}

/// A temperature, and what was found in fitting it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Temperature {
    /// What logits are divided by: [`Temperature::fitted`], or 1 where that told nothing of photos that it was not fitted on.
    pub value: f64,
    /// The temperature with the lowest cross-entropy on the validation photos, 0.05 to 20.
    pub fitted: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Validation photos.
    pub photos: usize,
    /// Their mean cross-entropy in nats with the temperature 1.
    pub loss_raw: f64,
    /// The same, each fifth of them with the temperature that the other four fifths gave.
    pub loss_out_of_fold: f64,
}

impl Temperature {
    /// Whether the photos were too few to tell the temperature: its interval's ends differ by more than a factor of 2.
    pub fn is_uncertain(&self) -> bool {
        self.high > 2.0 * self.low
    }

    /// Whether it is another one than 1.
    pub fn is_kept(&self) -> bool {
        self.value.to_bits() != 1f64.to_bits()
    }
}

/// Numbers of validation photos, smallest first, of many no more than so many: of n numbers, m are kept, the one of rank ⌈j·n/m⌉ for each j of
/// 1 to m. Each stands for itself and those below it down to the one kept before, so what is drawn from them errs on the safe side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// How many there were.
    pub photos: usize,
    /// Those that were kept.
    pub values: Vec<f32>,
}

/// Numbers that are kept at least, where there are so many.
const FEWEST_KEPT: usize = 50;

impl Kept {
    /// Keeps at most so many of these numbers.
    ///
    /// ```
    /// use petal::models::Kept;
    ///
    /// let kept = Kept::of(vec![5.0, 1.0, 4.0, 2.0, 3.0], 2);
    /// assert_eq!((kept.photos, &kept.values[..]), (5, &[3.0, 5.0][..]));
    /// assert_eq!(kept.weighed().collect::<Vec<_>>(), [(3.0, 3), (5.0, 2)]);
    /// ```
    pub fn of(mut numbers: Vec<f32>, most: usize) -> Self {
        numbers.sort_by(f32::total_cmp);
        let photos = numbers.len();
        let kept = photos.min(most.max(1));
        Self { photos, values: (1..=kept).map(|j| numbers[(j * photos).div_ceil(kept) - 1]).collect() }
    }

    /// Each kept number, and how many photos it stands for.
    pub fn weighed(&self) -> impl Iterator<Item = (f32, usize)> {
        let (photos, kept) = (self.photos, self.values.len().max(1));
        let rank = move |j: usize| (j * photos).div_ceil(kept);
        self.values.iter().enumerate().map(move |(j, &value)| (value, rank(j + 1) - rank(j)))
    }

    /// The number that a further photo exceeds at most this rarely: of n, of several lists together, the ⌈(n + 1) · coverage⌉-th, the smallest first (split
    /// conformal prediction; Vovk et al. 2005). None where there are too few to tell: then no number is too high.
    ///
    /// ```
    /// use petal::models::Kept;
    ///
    /// let scores = Kept::of((1..=19).map(|i| i as f32).collect(), 100);
    /// assert_eq!(Kept::threshold(&[&scores], 0.9), Some(18.0));
    /// assert_eq!(Kept::threshold(&[&scores], 0.95), Some(19.0));
    /// assert_eq!(Kept::threshold(&[&scores], 0.96), None);
    /// ```
    pub fn threshold(all: &[&Self], coverage: f64) -> Option<f32> {
        let photos: usize = all.iter().map(|kept| kept.photos).sum();
        // A little less, so that 0.95 of 20 is 19 whatever the last bit says.
        let rank = ((photos + 1) as f64 * coverage - 1e-9).ceil() as usize;
        let mut weighed: Vec<(f32, usize)> = all.iter().flat_map(|kept| kept.weighed()).collect();
        weighed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut below = 0;
        let reached = weighed.into_iter().find(|(_, photos)| {
            below += photos;
            below >= rank
        });
        reached.map(|(number, _)| number)
    }

    fn is_sound(&self) -> bool {
        // Of few photos all are kept, of many never fewer.
        let bounded = self.values.len() <= self.photos && self.values.len() >= self.photos.min(FEWEST_KEPT);
        bounded && self.photos < 1 << 40 && self.values.iter().all(|v| v.is_finite()) && self.values.is_sorted()
    }
}

/// Features of training photos, each of length 1: what a photo is compared with to tell whether it is of none of the classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Bank {
    /// Numbers a photo.
    pub width: usize,
    /// Row by row; each number is one that an f16 can hold. Shared, since descriptions of models are copied.
    pub values: Arc<[f32]>,
}

impl Bank {
    /// Photos.
    pub fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it takes in a model file.
    pub fn bytes(&self) -> usize {
        2 * self.values.len()
    }

    fn is_sound(&self) -> bool {
        let is_unit = |row: &[f32]| (row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() - 1.0).abs() < 0.02;
        self.width > 0 && !self.values.is_empty() && self.values.chunks(self.width).all(is_unit)
    }
}

impl Trust {
    /// Whether its numbers make sense, for so many classes.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`].
    pub fn check(&self, classes: usize) -> Result<()> {
        let Temperature { value, fitted, low, high, .. } = self.temperature;
        let sound = |number: f64| (1e-3..=1e3).contains(&number);
        let lists = || self.lac.iter().chain(&self.aps).chain(&self.distances).chain([&self.energies]);
        let makes_sense = [value, fitted, low, high].into_iter().all(sound)
            && self.lac.len() == classes
            && self.aps.len() == classes
            && lists().all(Kept::is_sound)
            // A probability, and what is left of one, but for their last bits.
            && self.lac.iter().chain(&self.aps).flat_map(|kept| &kept.values).all(|v| (-1e-3..=1.001).contains(v))
            && self.distances.is_some() == self.bank.is_some()
            && self.bank.as_ref().is_none_or(Bank::is_sound);
        if makes_sense {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Weights, "its calibration makes no sense")
            .mend("train anew, or use the file as it was"))
    }

    /// Without what speaks of features: a photo is known or unknown by its energy alone.
    #[must_use]
    pub fn without_bank(self) -> Self {
        Self { distances: None, bank: None, ..self }
    }
}
