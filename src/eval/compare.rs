//! Two or more models on the same photos.

use super::Evaluation;
use crate::base::error::{Error, ErrorKind, Result};

/// Models on the same photos, each against the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The evaluations, as given.
    pub evaluations: Vec<Evaluation>,
    /// For each but the first: how it differs from the first.
    pub against_first: Vec<Difference>,
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
        let same = first.predictions.len() == other.predictions.len()
            && first.predictions.iter().zip(&other.predictions).all(|(a, b)| a.path == b.path && a.target == b.target);
        if !same {
            let what = format!("{} and {} were not measured on the same photos", first.model, other.model);
            return Err(Error::new(ErrorKind::Dataset, what).mend("evaluate both on one split"));
        }
        let pairs = || first.predictions.iter().zip(&other.predictions).map(|(a, b)| (a.is_right(), b.is_right()));
        let only_first = pairs().filter(|pair| *pair == (Some(true), Some(false))).count();
        let only_this = pairs().filter(|pair| *pair == (Some(false), Some(true))).count();
        against_first.push(Difference { only_first, only_this, p_value: mcnemar(only_first, only_this) });
    }
    Ok(Comparison { evaluations: evaluations.iter().map(|e| (*e).clone()).collect(), against_first })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(k, n, 0.5).pvalue`
    #[test]
    fn mcnemar_matches_scipy() {
        for (a, b, p) in [(0, 0, 1.0), (1, 0, 1.0), (3, 10, 0.092_285_156), (5, 40, 7.878_384_2e-8), (20, 20, 1.0)] {
            assert!((mcnemar(a, b) - p).abs() <= 1e-6 * p, "{a} {b} {} {p}", mcnemar(a, b));
        }
    }
}
