//! Two ways to train, each with several seeds.

use super::Evaluation;
use super::compare::{check_same_photos, interval};
use super::metrics::{Interval, mean_and_spread};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};

/// Two ways to train, each with several seeds: pair by pair on the same photos.
#[derive(Clone, Debug, PartialEq)]
pub struct OverSeeds {
    /// The accuracies of the first way, seed by seed.
    pub first: Vec<f64>,
    /// Those of the other.
    pub other: Vec<f64>,
    /// Photos of all pairs together.
    pub photos: usize,
    /// The other's mean accuracy minus the first's, with its 95 % interval: a bootstrap that draws pairs, then photos of each, 10,000 times from a fixed
    /// seed; the ends are percentiles (Efron 1979). So what differs from seed to seed is in it, and what differs from photo to photo.
    pub gain: Interval,
}

impl OverSeeds {
    /// Compares pairs: each is the first way and the other, with one seed.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] for fewer than two pairs, or one whose two were not measured on the same photos in the same order.
    pub fn new(pairs: &[(&Evaluation, &Evaluation)]) -> Result<Self> {
        if pairs.len() < 2 {
            let what = format!("{} pairs; what differs from seed to seed takes at least two", pairs.len());
            return Err(Error::new(ErrorKind::Dataset, what).mend("train both ways with more seeds"));
        }
        let differences = pairs.iter().map(|(first, other)| differences(first, other)).collect::<Result<Vec<_>>>()?;
        let accuracies = |which: fn(&(&Evaluation, &Evaluation)) -> f64| pairs.iter().map(which).collect();
        Ok(Self {
            first: accuracies(|(first, _)| first.accuracy().value),
            other: accuracies(|(_, other)| other.accuracy().value),
            photos: differences.iter().map(Vec::len).sum(),
            gain: bootstrap(&differences),
        })
    }

    /// Whether a difference is shown: the interval leaves 0 out.
    pub fn is_shown(&self) -> bool {
        self.gain.low > 0.0 || self.gain.high < 0.0
    }

    /// Mean and standard deviation (over n − 1) of the accuracies of both ways.
    pub fn means(&self) -> [(f64, f64); 2] {
        [mean_and_spread(&self.first), mean_and_spread(&self.other)]
    }
}

/// Photo by photo: +1 where only the other is right, −1 where only the first is, else 0.
fn differences(first: &Evaluation, other: &Evaluation) -> Result<Vec<i8>> {
    check_same_photos(first, other)?;
    let right = |is_right: Option<bool>| i8::from(is_right == Some(true));
    let pairs = first.predictions.iter().zip(&other.predictions);
    Ok(pairs.map(|(a, b)| right(b.is_right()) - right(a.is_right())).collect())
}

/// The mean of the means, with the interval of its bootstrap in two stages.
fn bootstrap(pairs: &[Vec<i8>]) -> Interval {
    let mut stream = Seed(0).stream(Purpose::Bootstrap, 1, 0);
    let mut draw = || {
        let mut sum = 0.0;
        for _ in pairs {
            let photos = &pairs[stream.below(pairs.len())];
            let total: i64 = (0..photos.len()).map(|_| i64::from(photos[stream.below(photos.len())])).sum();
            sum += total as f64 / photos.len().max(1) as f64;
        }
        sum / pairs.len() as f64
    };
    let mean = |photos: &Vec<i8>| photos.iter().map(|d| f64::from(*d)).sum::<f64>() / photos.len().max(1) as f64;
    let value = pairs.iter().map(mean).sum::<f64>() / pairs.len() as f64;
    interval(value, &mut draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Photos, and how many only the other or only the first has right.
    fn pair(photos: usize, only_other: usize, only_first: usize) -> Vec<i8> {
        let mut pair = vec![0; photos];
        pair[..only_other].fill(1);
        pair[only_other..only_other + only_first].fill(-1);
        pair
    }

    /// ```python
    /// rng = np.random.default_rng(0)
    /// def ends(pairs, n=200_000):
    ///     d = [np.r_[np.ones(o), -np.ones(f), np.zeros(n - o - f)] for n, o, f in pairs]
    ///     # The sum of a draw of n photos: multinomial.
    ///     means = np.empty((n, len(d)))
    ///     for k in range(len(d)):
    ///         which = rng.integers(len(d), size=n)
    ///         for i, (size, o, f) in enumerate(pairs):
    ///             m = which == i
    ///             s = rng.multinomial(size, [o / size, f / size, 1 - (o + f) / size], size=m.sum())
    ///             means[m, k] = (s[:, 0] - s[:, 1]) / size
    ///     return np.percentile(means.mean(1), [2.5, 97.5])
    /// ends([(250, 12, 4), (250, 9, 6), (250, 14, 3)]); ends([(100, 5, 5), (100, 4, 6)])
    /// ```
    #[test]
    fn both_stages_are_in_the_interval() {
        for (pairs, value, (low, high)) in [
            (vec![pair(250, 12, 4), pair(250, 9, 6), pair(250, 14, 3)], 22.0 / 750.0, ENDS[0]),
            (vec![pair(100, 5, 5), pair(100, 4, 6)], -0.01, ENDS[1]),
        ] {
            let got = bootstrap(&pairs);
            assert!((got.value - value).abs() < 1e-12, "{got:?}");
            assert!((got.low - low).abs() < 0.0025 && (got.high - high).abs() < 0.0025, "{got:?} {low} {high}");
        }
    }

    const ENDS: [(f64, f64); 2] = [(0.006_666_67, 0.052), (-0.055, 0.035)];
}
