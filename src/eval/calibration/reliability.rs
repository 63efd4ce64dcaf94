//! How far confidence is from accuracy, bin by bin and in all.

use crate::base::seed::{Purpose, Seed};
use crate::eval::compare::interval_of;
use crate::eval::metrics::{Interval, calibration_error, wilson};

/// Photos that were told with about the same probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Photos.
    pub photos: usize,
    /// Their mean confidence; the bin's middle where there are none.
    pub confidence: f64,
    /// The fraction of them that is right, with Wilson's 95 % interval.
    pub accuracy: Interval,
}

/// Photos by their confidence, in so many bins of equal width, open below and closed above (Guo et al. 2017). Takes (confidence, right) of each photo.
///
/// ```
/// use petal::eval::calibration::bins;
///
/// let bins = bins(&[(0.8, true), (0.8, false), (1.0, true)], 10);
/// assert_eq!((bins[7].photos, bins[7].accuracy.value, bins[9].photos), (2, 0.5, 1));
/// ```
pub fn bins(answers: &[(f64, bool)], count: usize) -> Vec<Bin> {
    let count = count.max(1);
    let mut found = vec![(0usize, 0.0, 0usize); count];
    for &(confidence, right) in answers {
        let bin = &mut found[((confidence * count as f64).ceil() as usize).clamp(1, count) - 1];
        *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + usize::from(right));
    }
    let bin = |(index, (photos, sum, right)): (usize, (usize, f64, usize))| {
        let middle = (index as f64 + 0.5) / count as f64;
        let confidence = if photos == 0 { middle } else { sum / photos as f64 };
        Bin { photos, confidence, accuracy: wilson(right, photos) }
    };
    found.into_iter().enumerate().map(bin).collect()
}

/// How far probabilities are from what came true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Expected calibration error over 15 bins, 0 to 1, with the percentiles of 1,000 bootstrap draws of the photos. Of few photos it is far from
    /// 0 by chance alone, and its draws are farther than itself: compare it with another one of the same photos.
    pub error: Interval,
    /// The Brier score, 0 to 2.
    pub brier: f64,
}

impl Calibration {
    /// Of (confidence, right) of each photo, and a Brier score.
    pub fn of(answers: &[(f64, bool)], brier: f64) -> Self {
        const DRAWS: usize = 1000;
        let mut stream = Seed(0).stream(Purpose::Bootstrap, 1, 0);
        let mut drawn = Vec::with_capacity(answers.len());
        let mut draw = || {
            drawn.clear();
            drawn.extend((0..answers.len()).map(|_| answers[stream.below(answers.len())]));
            calibration_error(&drawn)
        };
        Self { error: interval_of(calibration_error(answers), DRAWS, &mut draw), brier }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(i: usize) -> (f64, bool) {
        let confidence = 0.5 + 0.5 * ((i as f64 * 1.7).sin()).abs();
        (confidence, (i * 37 % 100) as f64 / 100.0 < confidence - 0.1)
    }

    /// ```python
    /// i = np.arange(400); c = .5 + .5 * np.abs(np.sin(i * 1.7)); r = (i * 37 % 100) / 100 < c - .1
    /// multiclass_calibration_error(torch.tensor(np.c_[c, 1 - c]), torch.tensor(np.where(r, 0, 1)), 2, 15, "l1")  # torchmetrics
    /// f = lambda c, r: ece(c, r); b = [f(c[k], r[k]) for k in np.random.default_rng(0).integers(0, 400, (20000, 400))]
    /// np.percentile(b, [2.5, 97.5])
    /// ```
    /// The error to 1e-6; the ends, which 1,000 draws give here, to 0.006.
    #[test]
    fn the_error_is_torchmetrics_and_its_ends_are_numpys() {
        let answers: Vec<_> = (0..400).map(photo).collect();
        let Calibration { error, .. } = Calibration::of(&answers, 0.0);
        assert!((error.value - ERROR.0).abs() < 1e-6, "{error:?}");
        assert!((error.low - ERROR.1).abs() < 0.006 && (error.high - ERROR.2).abs() < 0.006, "{error:?}");
        assert_eq!(Calibration::of(&answers, 0.0), Calibration::of(&answers, 0.0));
    }

    const ERROR: (f64, f64, f64) = (0.097_867_5, 0.069_0, 0.142_5);

    #[test]
    fn bins_hold_all_photos_and_no_photo_gives_no_error() {
        let answers: Vec<_> = (0..400).map(photo).collect();
        assert_eq!(bins(&answers, 15).iter().map(|bin| bin.photos).sum::<usize>(), 400);
        assert_eq!(bins(&[(0.0, false), (1.0, true)], 2).iter().map(|bin| bin.photos).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(bins(&[], 15)[0].accuracy.high, 1.0);
    }
}
