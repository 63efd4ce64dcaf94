//! How strongly a logistic regression is held back, by cross-validation.

use rayon::prelude::*;

use super::logistic::{Linear, logistic};
use super::rows::{Rows, Scaling};

/// What was solved for.
#[derive(Clone, Debug, PartialEq)]
pub struct Solved {
    /// The classifier of all rows, for rows as they were given.
    pub linear: Linear,
    /// The `C` that it was solved with.
    pub c: f64,
    /// Mean cross-entropy of rows by classifiers that had not seen them, with this `C`.
    pub loss: f64,
    /// The fraction of these rows that was right.
    pub accuracy: f64,
    /// The probability of each class, row by row, by a classifier that had not seen it.
    pub held_out: Vec<Vec<f64>>,
}

/// The strengths that are tried, the strongest first: `C` from 10⁻⁴ to 1, two a power of ten.
const TRIED: [f64; 9] = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0];
/// Where no part of the gradient is beyond this, it is solved; to compare strengths, less will do (scikit-learn's default).
const TOLERANCE: f64 = 1e-5;
const TO_COMPARE: f64 = 1e-4;

/// The logistic regression of rows that are brought to one scale, with the `C` whose classifiers say most of rows that they have not seen: `folds[i]`
/// is the fold that row `i` is left out with. Scales are those of the rows that are learned from, each time.
///
/// ```
/// use petal::nn::convex::{Rows, solve};
///
/// let rows = Rows { width: 1, values: (0..20).map(|i| f64::from(i % 2) + 0.01 * f64::from(i)).collect() };
/// let targets: Vec<usize> = (0..20).map(|i| i % 2).collect();
/// let folds: Vec<usize> = (0..20).map(|i| i / 2 % 5).collect();
/// let solved = solve(&rows, &targets, &[1.0; 20], 2, &folds);
/// assert_eq!((solved.accuracy, solved.linear.classes(&rows)), (1.0, targets));
/// ```
pub fn solve(rows: &Rows, targets: &[usize], weights: &[f64], classes: usize, folds: &[usize]) -> Solved {
    let count = folds.iter().max().map_or(0, |most| most + 1);
    let parts: Vec<Part> =
        (0..count).into_par_iter().map(|fold| Part::of(rows, targets, weights, folds, fold)).collect();
    let mut found: Vec<Option<Linear>> = vec![None; count];
    let mut best: Option<(f64, f64, Vec<Vec<f64>>)> = None;
    let mut worse = 0;
    for c in TRIED {
        let fit = |(part, from): (&Part, &Option<Linear>)| {
            logistic(&part.rows, &part.targets, &part.weights, classes, c, TO_COMPARE, from.as_ref())
        };
        // Each begins where the one that was held back more ended.
        found = parts.par_iter().zip(&found).map(fit).map(Some).collect();
        let mut held_out = vec![Vec::new(); rows.len()];
        for (part, linear) in parts.iter().zip(found.iter().flatten()) {
            for (row, told) in
                part.left_out.iter().zip(linear.probabilities(&part.scaling.apply(&rows.pick(&part.left_out))))
            {
                held_out[*row] = told;
            }
        }
        let loss = mean(targets, weights, |row| -held_out[row][targets[row]].max(f64::MIN_POSITIVE).ln());
        if best.as_ref().is_none_or(|(lowest, ..)| loss < *lowest) {
            (best, worse) = (Some((loss, c, held_out)), 0);
        } else {
            worse += 1;
        }
        // Beyond the best, all are worse.
        if worse == 2 {
            break;
        }
    }
    let (loss, c, held_out) = best.unwrap_or((f64::NAN, 1.0, Vec::new()));
    let is_right = |row: usize| held_out[row].iter().all(|other| *other <= held_out[row][targets[row]]);
    let accuracy = mean(targets, &vec![1.0; targets.len()], |row| f64::from(u8::from(is_right(row))));
    let scaling = Scaling::of(rows);
    let linear = logistic(&scaling.apply(rows), targets, weights, classes, c, TOLERANCE, None).unscaled(&scaling);
    Solved { linear, c, loss, accuracy, held_out }
}

fn mean(targets: &[usize], weights: &[f64], value: impl Fn(usize) -> f64) -> f64 {
    let sum: f64 = (0..targets.len()).map(|row| weights[row] * value(row)).sum();
    sum / weights.iter().sum::<f64>()
}

/// What is learned from where one fold is left out.
struct Part {
    rows: Rows,
    scaling: Scaling,
    targets: Vec<usize>,
    weights: Vec<f64>,
    left_out: Vec<usize>,
}

impl Part {
    fn of(rows: &Rows, targets: &[usize], weights: &[f64], folds: &[usize], fold: usize) -> Self {
        let (left_out, kept): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&row| folds[row] == fold);
        let own = rows.pick(&kept);
        let scaling = Scaling::of(&own);
        Self {
            rows: scaling.apply(&own),
            scaling,
            targets: kept.iter().map(|&row| targets[row]).collect(),
            weights: kept.iter().map(|&row| weights[row]).collect(),
            left_out,
        }
    }
}
