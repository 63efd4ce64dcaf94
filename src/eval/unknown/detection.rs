//! How well a score tells photos of none of the classes from others.

use crate::base::seed::{Purpose, Seed};
use crate::eval::compare::interval_of;
use crate::eval::metrics::{Interval, wilson_of};

/// How well a score tells photos of none of the classes from others. Both intervals are percentiles of 1,000 bootstrap draws of the photos of either kind, and no
/// narrower than Wilson's for the number of unknown photos: where a few of them are all told, no draw shows one that is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// The area under the ROC curve: how often an unknown photo scores higher than a known one; an equal score counts half. 0.5 is chance.
    pub auroc: Interval,
    /// FPR95: the fraction of unknown photos that pass for known where 95 % of the known ones do. 0 is best.
    pub passing: Interval,
}

impl Detection {
    /// From the scores of known and of unknown photos, higher for what is less known. None where there are none of either.
    pub fn of(known: &[f32], unknown: &[f32]) -> Option<Self> {
        if known.is_empty() || unknown.is_empty() {
            return None;
        }
        let measured = |measure: fn(&[f32], &[f32]) -> f64, index: u64| {
            let mut stream = Seed(0).stream(Purpose::Bootstrap, 2, index);
            let mut drawn = |of: &[f32]| (0..of.len()).map(|_| of[stream.below(of.len())]).collect::<Vec<f32>>();
            let mut draw = || measure(&drawn(known), &drawn(unknown));
            let drawn = interval_of(measure(known, unknown), 1000, &mut draw);
            // A mean of numbers from 0 to 1 varies no more than a share does.
            let counted = wilson_of(drawn.value, unknown.len());
            Interval { low: drawn.low.min(counted.low), high: drawn.high.max(counted.high), ..drawn }
        };
        Some(Self { auroc: measured(auroc, 0), passing: measured(passing, 1) })
    }
}

/// Mann and Whitney's statistic, as a share.
fn auroc(known: &[f32], unknown: &[f32]) -> f64 {
    let mut known = known.to_vec();
    known.sort_by(f32::total_cmp);
    let wins = |score: &f32| {
        let below = known.partition_point(|other| other < score);
        let not_above = known.partition_point(|other| other <= score);
        (below + not_above) as f64 / 2.0
    };
    unknown.iter().map(wins).sum::<f64>() / (known.len() * unknown.len()) as f64
}

/// The fraction of unknown photos that score no more than 95 % of the known ones.
fn passing(known: &[f32], unknown: &[f32]) -> f64 {
    let mut known = known.to_vec();
    known.sort_by(f32::total_cmp);
    let limit = known[(95 * known.len()).div_ceil(100) - 1];
    unknown.iter().filter(|score| **score <= limit).count() as f64 / unknown.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// i = np.arange(120); k = np.sin(i * 1.7).astype("f4").round(2); u = (1.1 + np.sin(i[:90] * 2.3)).astype("f4").round(2)
    /// y = np.r_[np.ones(120), np.zeros(90)]; s = -np.r_[k, u]; f, t, _ = roc_curve(y, s, drop_intermediate=False); print(roc_auc_score(y, s), f[np.argmax(t >= .95)])
    /// g = np.random.default_rng(0); b = [(k[g.integers(0, 120, 120)], u[g.integers(0, 90, 90)]) for _ in range(20000)]  # percentiles of both in the same way
    /// ```
    /// The values to 1e-6, the ends to 0.02: the wider of those and of Wilson's, `proportion_confint(value * 90, 90, method="wilson")` of statsmodels.
    #[test]
    fn areas_and_rates_are_scikit_learns() {
        let round = |x: f64| ((x as f32 * 100.0).round()) / 100.0;
        let known: Vec<f32> = (0..120).map(|i| round((i as f64 * 1.7).sin())).collect();
        let unknown: Vec<f32> = (0..90).map(|i| round(1.1 + (i as f64 * 2.3).sin())).collect();
        let Detection { auroc, passing } = Detection::of(&known, &unknown).unwrap();
        for (found, (value, low, high)) in [auroc, passing].into_iter().zip(EXPECTED) {
            assert!((found.value - value).abs() < 1e-6, "{found:?} {value}");
            assert!((found.low - low).abs() < 0.02 && (found.high - high).abs() < 0.02, "{found:?} {low} {high}");
        }
        assert_eq!(Detection::of(&known, &[]), None);
        // Eight that are told from all others show no more than that: proportion_confint(8, 8, method="wilson") is 0.6756 to 1.
        let Detection { auroc, passing } = Detection::of(&known, &[9.0; 8]).unwrap();
        assert!(auroc.value == 1.0 && (auroc.low - 0.675_6).abs() < 1e-4, "{auroc:?}");
        assert!(passing.value == 0.0 && (passing.high - 0.324_4).abs() < 1e-4, "{passing:?}");
    }

    const EXPECTED: [(f64, f64, f64); 2] = [(0.836_990_74, 0.747_20, 0.899_19), (0.466_666_67, 0.355_56, 0.568_98)];
}
