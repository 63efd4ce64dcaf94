//! How many photos it takes to tell which score a photo's true class doesn't exceed, as often as was asked for ([`Kept::threshold`](crate::models::Kept::threshold)).

/// How many photos it takes to tell such a score at all: 19 for 0.95.
///
/// ```
/// use petal::eval::conformal::photos_needed;
///
/// assert_eq!([0.9, 0.95, 0.99].map(photos_needed), [9, 19, 99]);
/// ```
pub fn photos_needed(coverage: f64) -> usize {
    (coverage / (1.0 - coverage) - 1e-9).ceil() as usize
}

#[cfg(test)]
mod tests {
    use crate::eval::conformal::{aps, lac};
    use crate::models::Kept;

    /// The probabilities of the i-th photo.
    fn photo(i: usize) -> Vec<f32> {
        let powers: Vec<f64> = (0..4).map(|j| (3.0 * (i as f64 * 1.3 + j as f64 * 2.1).sin()).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.iter().map(|power| (power / sum) as f32).collect()
    }

    fn target(i: usize) -> usize {
        let p = photo(i);
        let most = (0..4).fold(0, |best, class| if p[class] > p[best] { class } else { best });
        if i * 7 % 10 < 7 { most } else { i * 3 % 4 }
    }

    /// A set as the number whose binary digits are its classes, the first one the highest.
    fn digits(set: &[usize]) -> usize {
        set.iter().map(|class| 8 >> class).sum()
    }

    /// MAPIE 1.6.0:
    /// ```python
    /// i, j = np.meshgrid(np.arange(150), np.arange(4), indexing="ij"); z = 3 * np.sin(i * 1.3 + j * 2.1)
    /// p = np.exp(z); p /= p.sum(1, keepdims=True); k = np.arange(100); y = np.where(k * 7 % 10 < 7, z[:100].argmax(1), k * 3 % 4)
    /// class Told(ClassifierMixin, BaseEstimator):  # predict_proba gives p[x[:, 0]], predict its argmax, classes_ is arange(4)
    /// class Known(np.random.RandomState):
    ///     def uniform(self, size=None, **_): return np.arange(size) * .37 % 1
    /// x = np.arange(150)[:, None]; more = {"lac": {}, "aps": {"include_last_label": True}}[score]
    /// m = SplitConformalClassifier(Told(), confidence_level=c, conformity_score=score, prefit=True, random_state=Known()).conformalize(x[:100], y)
    /// s = m.predict_set(x[100:], conformity_score_params=more)[1][:, :, 0]
    /// print(m._mapie_classifier.conformity_score_function_.quantiles_, s.sum(), [int("".join(str(int(v)) for v in r), 2) for r in s[:12]])
    /// ```
    /// The thresholds to 1e-6, the sets exactly.
    #[test]
    fn thresholds_and_sets_are_mapies() {
        let scores = |score: &dyn Fn(usize) -> f32| Kept::of((0..100).map(score).collect(), 100);
        let lac_scores = scores(&|i| lac::score(&photo(i), target(i)));
        for case in LAC {
            let found = Kept::threshold(&[&lac_scores], case.0);
            is_mapies(case, found, &|i| lac::set(&photo(i), &[found; 4]));
        }
        let aps_scores = scores(&|i| aps::score(&photo(i), target(i), i as f64 * 0.37 % 1.0));
        for case in APS {
            let found = Kept::threshold(&[&aps_scores], case.0);
            is_mapies(case, found, &|i| aps::set(&photo(i), found));
        }
    }

    fn is_mapies((coverage, score, classes, first): Case, found: Option<f32>, set: &dyn Fn(usize) -> Vec<usize>) {
        assert!((found.unwrap() - score).abs() < 1e-6, "{coverage}: {found:?} {score}");
        let sets: Vec<_> = (100..150).map(set).collect();
        assert_eq!(sets.iter().map(Vec::len).sum::<usize>(), classes);
        assert_eq!(sets[..12].iter().map(|set| digits(set)).collect::<Vec<_>>(), first);
    }

    /// The coverage, the threshold, the classes in all fifty sets, the first twelve sets.
    type Case = (f64, f32, usize, [usize; 12]);
    const LAC: [Case; 3] = [
        (0.8, 0.710_270_8, 75, [2, 4, 9, 9, 2, 6, 4, 9, 9, 2, 6, 4]),
        (0.9, 0.993_580_4, 145, [6, 15, 13, 11, 11, 6, 15, 13, 11, 15, 6, 13]),
        (0.95, 0.995_646_1, 180, [15, 15, 13, 11, 15, 15, 15, 13, 11, 15, 15, 15]),
    ];
    const APS: [Case; 3] = [
        (0.8, 0.934_413_8, 100, [6, 4, 13, 9, 10, 6, 4, 13, 9, 2, 6, 4]),
        (0.9, 0.993_903, 160, [14, 15, 13, 11, 11, 14, 15, 13, 11, 15, 7, 13]),
        (0.95, 0.997_474_75, 200, [15; 12]),
    ];

    #[test]
    fn what_was_kept_of_many_scores_errs_on_the_safe_side() {
        let scores: Vec<f32> = (0..5000).map(|i| (i * 7919 % 5000) as f32).collect();
        let (all, kept) = (Kept::of(scores.clone(), 5000), Kept::of(scores, 200));
        for coverage in [0.5, 0.8, 0.9, 0.95, 0.99] {
            let (exact, found) =
                (Kept::threshold(&[&all], coverage).unwrap(), Kept::threshold(&[&kept], coverage).unwrap());
            assert!((exact..=exact + 25.0).contains(&found), "{coverage}: {exact} {found}");
        }
        // Those of several classes together are those of all photos.
        let halves = [0, 1].map(|half| Kept::of((0..5000).filter(|i| i % 2 == half).map(|i| i as f32).collect(), 5000));
        assert_eq!(Kept::threshold(&[&halves[0], &halves[1]], 0.9), Kept::threshold(&[&all], 0.9));
    }
}
