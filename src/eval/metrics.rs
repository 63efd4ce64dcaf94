//! Numbers that are drawn from counts.

use serde::{Deserialize, Serialize};

use super::Confusion;

/// A fraction with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The fraction itself, 0 to 1.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Wilson's score interval (Wilson 1927) for `hits` of `total`, at 95 %. Of nothing, nothing is known: 0 to 1.
///
/// ```
/// use petal::eval::metrics::wilson;
///
/// // scipy.stats.binomtest(230, 249).proportion_ci(method="wilson")
/// let accuracy = wilson(230, 249);
/// assert!((accuracy.low - 0.883906).abs() < 1e-6 && (accuracy.high - 0.950609).abs() < 1e-6);
/// ```
pub fn wilson(hits: usize, total: usize) -> Interval {
    if total == 0 {
        return Interval { value: 0.0, low: 0.0, high: 1.0 };
    }
    wilson_of(hits as f64 / total as f64, total)
}

/// The same for a share of so many that need not be a count of them.
pub(super) fn wilson_of(p: f64, total: usize) -> Interval {
    let z = 1.959_963_984_540_054;
    let n = total as f64;
    let centre = p + z * z / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    Interval { value: p, low: ((centre - spread) / scale).max(0.0), high: ((centre + spread) / scale).min(1.0) }
}

/// The mean of numbers, and their standard deviation (over n − 1; 0 for one alone).
pub fn mean_and_spread(numbers: &[f64]) -> (f64, f64) {
    let mean = numbers.iter().sum::<f64>() / numbers.len().max(1) as f64;
    let sum: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    (mean, (sum / numbers.len().saturating_sub(1).max(1) as f64).sqrt())
}

/// How well one class is told, or the average over classes. Where nothing can be divided by, the value is 0, as scikit-learn's
/// `zero_division=0`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Of the photos predicted as this class, the fraction that is.
    pub precision: f64,
    /// Of the photos of this class, the fraction predicted so.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Photos of this class.
    pub support: usize,
}

/// The scores of each class.
///
/// ```
/// use petal::eval::{Confusion, metrics::per_class};
///
/// // sklearn.metrics.precision_recall_fscore_support([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0], zero_division=0)
/// let confusion = Confusion::new(3, [(0, 0), (0, 0), (0, 1), (1, 1), (1, 1), (2, 0)]);
/// let scores = per_class(&confusion);
/// let f1: Vec<f64> = scores.iter().map(|class| class.f1).collect();
/// assert_eq!(f1, [2.0 / 3.0, 0.8, 0.0]);
/// assert_eq!((scores[1].precision, scores[1].recall, scores[1].support), (2.0 / 3.0, 1.0, 2));
/// ```
pub fn per_class(confusion: &Confusion) -> Vec<Scores> {
    let rows = confusion.rows();
    let ratio = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let scores = |class: usize| {
        let hits = rows[class][class];
        let support = rows[class].iter().sum();
        let predicted = rows.iter().map(|row| row[class]).sum();
        let (precision, recall) = (ratio(hits, predicted), ratio(hits, support));
        let f1 = ratio(2 * hits, support + predicted);
        Scores { precision, recall, f1, support }
    };
    (0..rows.len()).map(scores).collect()
}

/// The mean over classes, each counting `weight(class)`.
pub fn average(scores: &[Scores], weight: impl Fn(&Scores) -> f64) -> Scores {
    let total: f64 = scores.iter().map(&weight).sum();
    if total == 0.0 {
        return Scores::default();
    }
    let mean = |value: fn(&Scores) -> f64| scores.iter().map(|s| weight(s) * value(s)).sum::<f64>() / total;
    Scores {
        precision: mean(|s| s.precision),
        recall: mean(|s| s.recall),
        f1: mean(|s| s.f1),
        support: scores.iter().map(|s| s.support).sum(),
    }
}

/// Expected calibration error (Guo et al. 2017) over 15 bins of equal width: how far confidence is from accuracy, on
/// average. Takes (confidence, right) of each photo.
///
/// ```
/// use petal::eval::metrics::calibration_error;
///
/// // Two photos told with 80 %, one of them right; one told with 100 %, and right.
/// assert!((calibration_error(&[(0.8, true), (0.8, false), (1.0, true)]) - 0.2).abs() < 1e-12);
/// ```
pub fn calibration_error(answers: &[(f64, bool)]) -> f64 {
    const BINS: usize = 15;
    let mut bins = [(0usize, 0.0, 0usize); BINS];
    for (confidence, right) in answers {
        // Intervals are open below and closed above, as in the paper.
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        bins[bin].0 += 1;
        bins[bin].1 += confidence;
        bins[bin].2 += usize::from(*right);
    }
    let gap = |(_, confidence, right): &(usize, f64, usize)| (confidence - *right as f64).abs();
    bins.iter().map(gap).sum::<f64>() / answers.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(hits, total).proportion_ci(method="wilson")`
    #[test]
    fn wilson_matches_scipy() {
        for (hits, total, low, high) in [
            (0, 10, 0.0, 0.277_533),
            (9, 10, 0.595_850, 0.982_124),
            (230, 249, 0.883_906, 0.950_609),
            (10, 10, 0.722_467, 1.0),
        ] {
            let got = wilson(hits, total);
            assert!((got.low - low).abs() < 1e-6 && (got.high - high).abs() < 1e-6, "{got:?} {low} {high}");
        }
    }

    /// `sklearn.metrics.precision_recall_fscore_support([0,0,0,1,1,2], [0,0,1,1,1,0], zero_division=0)`, worked by hand:
    /// precision 2/3, 2/3, 0; recall 2/3, 1, 0; F1 2/3, 4/5, 0.
    #[test]
    fn scores_match_a_table_worked_by_hand() {
        let confusion = Confusion::new(3, [(0, 0), (0, 0), (0, 1), (1, 1), (1, 1), (2, 0)]);
        let scores = per_class(&confusion);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        for (s, (p, r, f, n)) in
            scores.iter().zip([(2. / 3., 2. / 3., 2. / 3., 3), (2. / 3., 1., 0.8, 2), (0., 0., 0., 1)])
        {
            assert!(close(s.precision, p) && close(s.recall, r) && close(s.f1, f) && s.support == n, "{s:?}");
        }
        assert!(close(average(&scores, |_| 1.0).f1, (2. / 3. + 0.8) / 3.0));
        assert!(close(average(&scores, |s| s.support as f64).f1, (2. + 1.6) / 6.0));
    }

    #[test]
    fn calibration_is_the_gap_between_confidence_and_accuracy() {
        // One bin of two photos at 0.8, one right: gap |1.6 - 1|; one photo at 1.0, right: none.
        assert!((calibration_error(&[(0.8, true), (0.8, false), (1.0, true)]) - 0.2).abs() < 1e-12);
        assert_eq!(calibration_error(&[]), 0.0);
    }
}
