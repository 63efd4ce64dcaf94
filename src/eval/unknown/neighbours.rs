//! The distance to the k-th nearest training photo in the space of features (Sun et al. 2022, arXiv:2204.06507).

use half::f16;
use rayon::prelude::*;

use crate::models::Bank;

/// The neighbour that a distance is measured to. The paper's best k grows with the photos (of 50,000, some 50 to 200); of the some thousands that are
/// kept here, a tenth as many. Not tuned.
pub const K: usize = 10;

/// Numbers of length 1 (or 0, where all are 0), as an f16 can hold them.
pub fn unit(features: &[f32]) -> Vec<f32> {
    let length = features.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    features.iter().map(|v| f16::from_f64(f64::from(*v) / length).to_f32()).collect()
}

/// For each photo's features, the Euclidean distance to the k-th nearest photo of the bank (the farthest, where it has fewer), both brought to length 1: 0 to 2.
///
/// ```
/// use petal::eval::unknown::neighbours::distances;
/// use petal::models::Bank;
///
/// let bank = Bank { width: 2, values: [1.0, 0.0, 0.0, 1.0].into() };
/// let found = distances(&bank, &[vec![3.0, 0.0]], 2);
/// assert!((found[0] - 2f32.sqrt()).abs() < 1e-6);
/// ```
pub fn distances(bank: &Bank, features: &[Vec<f32>], k: usize) -> Vec<f32> {
    let place = k.clamp(1, bank.len().max(1)) - 1;
    let one = |features: &Vec<f32>| {
        let own = unit(features);
        let square = |row: &[f32]| row.iter().zip(&own).map(|(a, b)| (a - b) * (a - b)).map(f64::from).sum::<f64>();
        let mut squares: Vec<f64> = bank.values.chunks(bank.width.max(1)).map(square).collect();
        if squares.is_empty() {
            return 2.0;
        }
        let (_, kth, _) = squares.select_nth_unstable_by(place, f64::total_cmp);
        kth.sqrt() as f32
    };
    features.par_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// i, j = np.meshgrid(np.arange(60), np.arange(24), indexing="ij"); x = np.abs(np.sin(i * (j + 1.3) + j)); x /= np.linalg.norm(x, axis=1, keepdims=True)
    /// NearestNeighbors(n_neighbors=10).fit(x[:50]).kneighbors(x[50:])[0][:, -1]  # as in faiss.IndexFlatL2 of deeplearning-wisc/knn-ood
    /// ```
    /// To 1e-3: the bank's numbers are rounded to f16.
    #[test]
    fn distances_are_scikit_learns() {
        let row =
            |i: usize| (0..24).map(|j| (i as f64 * (j as f64 + 1.3) + j as f64).sin().abs() as f32).collect::<Vec<_>>();
        let bank = Bank { width: 24, values: (0..50).flat_map(|i| unit(&row(i))).collect() };
        let found = distances(&bank, &(50..60).map(row).collect::<Vec<_>>(), K);
        assert!(found.iter().zip(EXPECTED).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-3), "{found:?}");
        // A bank of fewer photos measures to its farthest.
        let few = Bank { width: 24, values: bank.values[..24].into() };
        assert!(distances(&few, &[row(0)], K)[0] < 1e-6);
    }

    const EXPECTED: [f32; 10] =
        [0.575_190, 0.558_719, 0.565_177, 0.582_347, 0.670_234, 0.563_762, 0.567_357, 0.580_082, 0.602_383, 0.570_167];
}
