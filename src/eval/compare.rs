//! Two or more models on the same photos.

use super::{Evaluation, Interval};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};

/// Models on the same photos, each against the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The evaluations, as given.
    pub evaluations: Vec<Evaluation>,
    /// For each but the first: how it differs from the first.
    pub against_first: Vec<Difference>,
    /// Wall-clock seconds that each took to be trained, where that is known.
    pub seconds: Vec<Option<f64>>,
}

/// On which photos two models differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Photos that only the first has right.
    pub only_first: usize,
    /// Photos that only this one has right.
    pub only_this: usize,
    /// How probable a difference at least as large is if both are equally good: McNemar's exact test.
    pub p_value: f64,
    /// The accuracy of this one minus the first's, with its 95 % interval: a bootstrap over the photos, pairs kept together, 10,000 draws from a fixed
    /// seed; the ends are percentiles (Efron 1979).
    pub gain: Interval,
}

impl Difference {
    /// Whether a difference is shown: the test finds one at 5 %, and the interval leaves 0 out.
    pub fn is_shown(&self) -> bool {
        self.p_value < 0.05 && (self.gain.low > 0.0 || self.gain.high < 0.0)
    }
}

/// Compares models on the same photos.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(baseline: &Learner, learner: &Learner) -> Result<()> {
/// compare(&[&baseline.evaluate(Split::Test)?, &learner.evaluate(Split::Test)?])?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ErrorKind::Dataset`] if they were not measured on the same photos in the same order, or there are none.
pub fn compare(evaluations: &[&Evaluation]) -> Result<Comparison> {
    let Some((first, others)) = evaluations.split_first() else {
        return Err(Error::new(ErrorKind::Dataset, "there is nothing to compare")
            .mend("compare(&[&baseline.evaluate(Split::Test)?, &learner.evaluate(Split::Test)?])?"));
    };
    let mut against_first = Vec::new();
    for other in others {
        check_same_photos(first, other)?;
        let pairs = || first.predictions.iter().zip(&other.predictions).map(|(a, b)| (a.is_right(), b.is_right()));
        let only_first = pairs().filter(|pair| *pair == (Some(true), Some(false))).count();
        let only_this = pairs().filter(|pair| *pair == (Some(false), Some(true))).count();
        let gain = bootstrap(only_first, only_this, first.predictions.len());
        against_first.push(Difference { only_first, only_this, p_value: mcnemar(only_first, only_this), gain });
    }
    let evaluations: Vec<Evaluation> = evaluations.iter().map(|e| (*e).clone()).collect();
    Ok(Comparison { seconds: vec![None; evaluations.len()], evaluations, against_first })
}

/// Fails where two were not measured on the same photos in the same order.
pub(super) fn check_same_photos(first: &Evaluation, other: &Evaluation) -> Result<()> {
    let same = first.predictions.len() == other.predictions.len()
        && first.predictions.iter().zip(&other.predictions).all(|(a, b)| a.path == b.path && a.target == b.target);
    if same {
        return Ok(());
    }
    let what = format!("{} and {} were not measured on the same photos", first.model, other.model);
    Err(Error::new(ErrorKind::Dataset, what).mend("evaluate both on one split"))
}

/// The exact two-sided binomial test that either outcome is as probable.
fn mcnemar(a: usize, b: usize) -> f64 {
    let (n, k) = (a + b, a.min(b));
    // Terms of the binomial distribution, each from the one before, in logarithms: n may be large.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = log_term.exp();
    for i in 0..k {
        log_term += ((n - i) as f64).ln() - ((i + 1) as f64).ln();
        tail += log_term.exp();
    }
    (2.0 * tail).min(1.0)
}

/// The mean of +1 for each photo that only this one has right, and −1 for each that only the first has, with the interval of its bootstrap.
fn bootstrap(only_first: usize, only_this: usize, photos: usize) -> Interval {
    let photos = photos.max(1);
    let mut stream = Seed(0).stream(Purpose::Bootstrap, 0, 0);
    let mut draw = || {
        let mut sum = 0i64;
        for _ in 0..photos {
            let drawn = stream.below(photos);
            sum += i64::from(drawn < only_this) - i64::from(drawn >= only_this && drawn < only_this + only_first);
        }
        sum as f64 / photos as f64
    };
    interval((only_this as f64 - only_first as f64) / photos as f64, &mut draw)
}

/// A value with the 95 % interval of 10,000 draws of a bootstrap: its percentiles (Efron 1979).
pub(crate) fn interval(value: f64, draw: &mut dyn FnMut() -> f64) -> Interval {
    interval_of(value, 10_000, draw)
}

/// The same of so many draws, of which there must be some.
pub(super) fn interval_of(value: f64, draws: usize, draw: &mut dyn FnMut() -> f64) -> Interval {
    let mut drawn: Vec<f64> = (0..draws).map(|_| draw()).collect();
    drawn.sort_by(f64::total_cmp);
    let end = |percent: f64| drawn[((draws - 1) as f64 * percent / 100.0).round() as usize];
    Interval { value, low: end(2.5), high: end(97.5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// d = np.r_[np.ones(12), -np.ones(4), np.zeros(234)]
    /// scipy.stats.bootstrap((d,), np.mean, n_resamples=100000, method="percentile").confidence_interval
    /// ```
    /// Of whole photos: the ends may be one photo apart.
    #[test]
    fn the_bootstrap_is_scipys() {
        for ((first, this, photos), (low, high)) in BOOTSTRAPS {
            let got = bootstrap(first, this, photos);
            assert_eq!(got.value, (this as f64 - first as f64) / photos as f64);
            let photo = 1.01 / photos as f64;
            assert!((got.low - low).abs() < photo && (got.high - high).abs() < photo, "{got:?} {low} {high}");
        }
        let none = Difference { only_first: 3, only_this: 10, p_value: mcnemar(3, 10), gain: bootstrap(3, 10, 250) };
        let some = Difference { only_first: 2, only_this: 14, p_value: mcnemar(2, 14), gain: bootstrap(2, 14, 250) };
        assert!(!none.is_shown() && some.is_shown());
    }

    /// Photos that only the first has right, only this one, and all; the ends.
    type Case = ((usize, usize, usize), (f64, f64));
    const BOOTSTRAPS: [Case; 4] = [
        ((4, 12, 250), (0.0, 0.064)),
        ((3, 10, 250), (0.0, 0.056)),
        ((2, 14, 250), (0.02, 0.08)),
        ((30, 22, 400), (-0.055, 0.015)),
    ];

    /// `scipy.stats.binomtest(k, n, 0.5).pvalue`
    #[test]
    fn mcnemar_matches_scipy() {
        for (a, b, p) in [(0, 0, 1.0), (1, 0, 1.0), (3, 10, 0.092_285_156), (5, 40, 7.878_384_2e-8), (20, 20, 1.0)] {
            assert!((mcnemar(a, b) - p).abs() <= 1e-6 * p, "{a} {b} {} {p}", mcnemar(a, b));
        }
    }
}
