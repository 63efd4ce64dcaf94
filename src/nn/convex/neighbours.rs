//! The nearest neighbours' answer: a check that features alone already tell the classes apart.

use rayon::prelude::*;

use super::lbfgs::dot;
use super::rows::Rows;

/// The class that most of the `k` most alike of `known` have, by the cosine between rows; of two classes as frequent, the one that is more alike in sum.
///
/// ```
/// use petal::nn::convex::{Rows, neighbours};
///
/// let known = Rows { width: 2, values: vec![1.0, 0.0, 0.9, 0.1, 0.0, 1.0] };
/// let asked = Rows { width: 2, values: vec![2.0, 0.5, 0.1, 3.0] };
/// assert_eq!(neighbours(&known, &[0, 0, 1], &asked, 1, 2), [0, 1]);
/// ```
pub fn neighbours(known: &Rows, targets: &[usize], asked: &Rows, k: usize, classes: usize) -> Vec<usize> {
    let length = |row: &[f64]| dot(row, row).sqrt().max(f64::MIN_POSITIVE);
    let lengths: Vec<f64> = (0..known.len()).map(|row| length(known.row(row))).collect();
    let one = |row: usize| {
        let row = asked.row(row);
        let mut alike: Vec<(f64, usize)> =
            (0..known.len()).map(|other| (dot(row, known.row(other)) / lengths[other], other)).collect();
        alike.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut votes = vec![(0usize, 0.0); classes];
        for (cosine, other) in alike.into_iter().take(k) {
            votes[targets[other]].0 += 1;
            votes[targets[other]].1 += cosine;
        }
        let more = |a: (usize, f64), b: (usize, f64)| (a.0, b.0) != (0, 0) && (a.0 > b.0 || (a.0 == b.0 && a.1 > b.1));
        (1..classes).fold(0, |best, class| if more(votes[class], votes[best]) { class } else { best })
    };
    (0..asked.len()).into_par_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// i, j = np.meshgrid(np.arange(40), np.arange(5), indexing="ij"); x = np.sin(i * (j + 1.3) + j)
    /// m = KNeighborsClassifier(5, metric="cosine", algorithm="brute").fit(x[:30], np.arange(30) * 7 % 4 // 2); print(m.predict(x[30:]))
    /// ```
    #[test]
    fn answers_are_scikit_learns() {
        let value = |i: usize, j: usize| (i as f64 * (j as f64 + 1.3) + j as f64).sin();
        let rows = |range: std::ops::Range<usize>| Rows {
            width: 5,
            values: range.flat_map(|i| (0..5).map(move |j| value(i, j))).collect(),
        };
        let targets: Vec<usize> = (0..30).map(|i| i * 7 % 4 / 2).collect();
        assert_eq!(neighbours(&rows(0..30), &targets, &rows(30..40), 5, 2), EXPECTED);
    }

    const EXPECTED: [usize; 10] = [1, 1, 0, 0, 1, 1, 0, 1, 0, 1];
}
