//! Multinomial logistic regression.

use std::ops::Range;

use rayon::prelude::*;

use super::lbfgs::{add, dot, minimize};
use super::rows::{Rows, Scaling};

/// A linear classifier: class `k` has the logit `weights[k] · x + bias[k]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Numbers a row.
    pub width: usize,
    /// `[K, width]`.
    pub weights: Vec<f64>,
    /// `[K]`.
    pub bias: Vec<f64>,
}

/// Rows that one task goes through. Their sums are added in the rows' order.
const ROWS: usize = 128;
/// Columns that are gone through at once: of weights for a few classes, 10 KB.
const COLUMNS: usize = 256;

/// The multinomial logistic regression of these rows: the lowest of `C · Σ weight · cross-entropy + |W|² / 2`, the biases left out of the last term;
/// scikit-learn's `LogisticRegression(C=…)`. It begins at `from`, and ends where no part of the gradient, over `C` and the weights' sum, is beyond `tolerance`.
///
/// ```
/// use petal::nn::convex::{Rows, logistic};
///
/// // Two classes on a line, alike on both sides of 0.
/// let rows = Rows { width: 1, values: vec![-2.0, -1.0, 1.0, 2.0] };
/// let found = logistic(&rows, &[0, 0, 1, 1], &[1.0; 4], 2, 1.0, 1e-9, None);
/// assert!(found.weights[1] > 0.5 && (found.weights[0] + found.weights[1]).abs() < 1e-8 && found.bias[0].abs() < 1e-8);
/// assert_eq!(found.classes(&rows), [0, 0, 1, 1]);
/// ```
pub fn logistic(
    rows: &Rows,
    targets: &[usize],
    weights: &[f64],
    classes: usize,
    c: f64,
    tolerance: f64,
    from: Option<&Linear>,
) -> Linear {
    let width = rows.width;
    let begin = match from {
        Some(linear) => [linear.weights.clone(), linear.bias.clone()].concat(),
        None => vec![0.0; classes * (width + 1)],
    };
    let total: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let pull = 1.0 / (c * total);
    let (found, _) = minimize(begin, tolerance, |at, gradient| {
        let (matrix, bias) = at.split_at(classes * width);
        let parts = (0..rows.len().div_ceil(ROWS)).into_par_iter().map(|part| {
            let part = part * ROWS..rows.len().min((part + 1) * ROWS);
            // Column by column of blocks, so that the weights' and the gradient's part at hand stay in the nearest cache.
            let mut shares: Vec<f64> = part.clone().flat_map(|_| bias).copied().collect();
            for columns in blocks(width) {
                for (logits, row) in shares.chunks_exact_mut(classes).zip(part.clone()) {
                    let x = &rows.row(row)[columns.clone()];
                    for (logit, weights) in logits.iter_mut().zip(matrix.chunks_exact(width)) {
                        *logit += dot(&weights[columns.clone()], x);
                    }
                }
            }
            let mut loss = 0.0;
            let mut own = vec![0.0; at.len()];
            let (to, to_bias) = own.split_at_mut(classes * width);
            for (p, row) in shares.chunks_exact_mut(classes).zip(part.clone()) {
                loss += weights[row] * cross_entropy(p, targets[row]);
                p[targets[row]] -= 1.0;
                p.iter_mut().for_each(|off| *off *= weights[row] / total);
                add(to_bias, 1.0, p);
            }
            for columns in blocks(width) {
                for (shares, row) in shares.chunks_exact(classes).zip(part.clone()) {
                    let x = &rows.row(row)[columns.clone()];
                    for (to, share) in to.chunks_exact_mut(width).zip(shares) {
                        add(&mut to[columns.clone()], *share, x);
                    }
                }
            }
            (loss, own)
        });
        let parts: Vec<(f64, Vec<f64>)> = parts.collect();
        gradient.fill(0.0);
        add(&mut gradient[..classes * width], pull, matrix);
        let mut loss = 0.0;
        for (part, own) in parts {
            loss += part;
            add(gradient, 1.0, &own);
        }
        loss / total + pull * dot(matrix, matrix) / 2.0
    });
    let (weights, bias) = found.split_at(classes * width);
    Linear { width, weights: weights.to_vec(), bias: bias.to_vec() }
}

/// The columns, so many at a time.
fn blocks(width: usize) -> impl Iterator<Item = Range<usize>> {
    (0..width).step_by(COLUMNS).map(move |start| start..width.min(start + COLUMNS))
}

/// Cross-entropy of logits, which become probabilities.
fn cross_entropy(logits: &mut [f64], target: usize) -> f64 {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let own = logits[target];
    let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
    logits.iter_mut().for_each(|logit| *logit = (*logit - most).exp() / sum);
    most + sum.ln() - own
}

impl Linear {
    /// The logits of a row.
    pub fn logits(&self, row: &[f64]) -> Vec<f64> {
        self.weights.chunks_exact(self.width).zip(&self.bias).map(|(weights, bias)| dot(weights, row) + bias).collect()
    }

    /// The probability of each class, row by row.
    pub fn probabilities(&self, rows: &Rows) -> Vec<Vec<f64>> {
        let one = |row: usize| {
            let mut logits = self.logits(rows.row(row));
            cross_entropy(&mut logits, 0);
            logits
        };
        (0..rows.len()).into_par_iter().map(one).collect()
    }

    /// The most probable class of each row; the first of equals.
    pub fn classes(&self, rows: &Rows) -> Vec<usize> {
        let best = |p: Vec<f64>| (1..p.len()).fold(0, |best, class| if p[class] > p[best] { class } else { best });
        self.probabilities(rows).into_iter().map(best).collect()
    }

    /// The same classifier for rows that are not on this scale yet.
    #[must_use]
    pub fn unscaled(&self, scaling: &Scaling) -> Self {
        let mut unscaled = self.clone();
        for (weights, bias) in unscaled.weights.chunks_exact_mut(self.width).zip(&mut unscaled.bias) {
            weights.iter_mut().zip(&scaling.deviation).for_each(|(weight, deviation)| *weight /= deviation);
            *bias -= dot(weights, &scaling.mean);
        }
        unscaled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30 rows of 4 numbers in 3 classes, by formula.
    fn example() -> (Rows, Vec<usize>) {
        let value = |i: usize, j: usize| ((i * (7 + 5 * j) + 3 * j) % 17) as f64 / 4.0 + ((i + j) % 3) as f64;
        let values = (0..30).flat_map(|i| (0..4).map(move |j| value(i, j))).collect();
        (Rows { width: 4, values }, (0..30).map(|i| (i + i / 10) % 3).collect())
    }

    /// ```python
    /// i, j = np.meshgrid(np.arange(30), np.arange(4), indexing="ij")
    /// x = (i * (7 + 5 * j) + 3 * j) % 17 / 4 + (i + j) % 3; y = (np.arange(30) + np.arange(30) // 10) % 3
    /// m = LogisticRegression(C=0.7, tol=1e-12, max_iter=10000).fit(StandardScaler().fit_transform(x), y); print(m.coef_, m.intercept_)
    /// m = LogisticRegression(C=0.7, tol=1e-12, max_iter=10000).fit(x, y, sample_weight=1 + y); print(m.coef_, m.intercept_)
    /// ```
    #[test]
    fn the_solution_is_scikit_learns() {
        let (rows, targets) = example();
        let scaled = Scaling::of(&rows).apply(&rows);
        let plain = logistic(&scaled, &targets, &[1.0; 30], 3, 0.7, 1e-10, None);
        let by_weights: Vec<f64> = targets.iter().map(|target| 1.0 + *target as f64).collect();
        let weighted = logistic(&rows, &targets, &by_weights, 3, 0.7, 1e-10, None);
        for (found, expected) in [(plain, PLAIN), (weighted, WEIGHTED)] {
            for (got, expected) in [found.weights, found.bias].concat().iter().zip(expected) {
                assert!((got - expected).abs() < 1e-6, "{got} {expected}");
            }
        }
    }

    const PLAIN: [f64; 15] = [
        -0.346_986_681,
        0.063_148_984,
        0.063_880_419,
        0.103_080_513,
        0.404_569_500,
        0.163_410_262,
        0.195_720_310,
        0.160_006_976,
        -0.057_582_819,
        -0.226_559_246,
        -0.259_600_729,
        -0.263_087_489,
        -0.000_824_719,
        -0.014_029_035,
        0.014_853_754,
    ];
    const WEIGHTED: [f64; 15] = [
        -0.266_853_704,
        0.046_687_965,
        0.041_631_584,
        0.056_815_517,
        0.337_108_496,
        0.150_715_982,
        0.297_642_655,
        0.170_091_219,
        -0.070_254_792,
        -0.197_403_948,
        -0.339_274_240,
        -0.226_906_735,
        -0.197_620_857,
        -2.648_635_829,
        2.846_256_686,
    ];

    #[test]
    fn columns_count_wherever_they_stand() {
        let (rows, targets) = example();
        let places = [0, COLUMNS - 1, COLUMNS, 2 * COLUMNS + 88];
        let mut wide = Rows { width: 2 * COLUMNS + 89, values: vec![0.0; 30 * (2 * COLUMNS + 89)] };
        for row in 0..rows.len() {
            for (value, place) in rows.row(row).iter().zip(places) {
                wide.values[row * wide.width + place] = *value;
            }
        }
        let solve = |rows: &Rows| logistic(rows, &targets, &[1.0; 30], 3, 0.7, 1e-10, None);
        let (narrow, wide) = (solve(&rows), solve(&wide));
        for (class, bias) in narrow.bias.iter().enumerate() {
            assert!((bias - wide.bias[class]).abs() < 1e-6);
            for (column, place) in places.iter().enumerate() {
                let (one, other) = (narrow.weights[class * 4 + column], wide.weights[class * wide.width + place]);
                assert!((one - other).abs() < 1e-6, "{one} {other}");
            }
        }
    }

    #[test]
    fn one_thread_gives_the_same_bytes_and_unscaling_the_same_answers() {
        let (rows, targets) = example();
        let scaling = Scaling::of(&rows);
        let solve = || logistic(&scaling.apply(&rows), &targets, &[1.0; 30], 3, 0.7, 1e-8, None);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let found = solve();
        assert_eq!(one.install(solve), found);
        let (there, here) = (found.probabilities(&scaling.apply(&rows)), found.unscaled(&scaling).probabilities(&rows));
        assert!(there.concat().iter().zip(here.concat()).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
