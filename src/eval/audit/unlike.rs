//! Photos that are unlike all others, as the network sees them: how far it is to their nearest neighbours.

use rayon::prelude::*;

use super::components::dot;
use crate::base::seed::{Purpose, Seed};
use crate::nn::convex::Rows;

/// Neighbours that are asked (cleanlab's default).
const NEIGHBOURS: usize = 10;
/// Most photos that neighbours are looked for among: more are drawn from, so that the time grows with the photos and not with their square.
const AMONG: usize = 4096;

/// For each row, the mean of the cosine distances to its ten nearest neighbours, 0 to 2. A row is no neighbour of its own, nor is one of its group, which
/// shows the same: copies of a photo that is unlike all others do not make it usual. 0 where there is no other.
///
/// ```
/// use petal::Seed;
/// use petal::eval::audit::distances;
/// use petal::nn::convex::Rows;
///
/// let rows = Rows { width: 2, values: vec![1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 0.0, 1.0, 0.0, 1.0] };
/// // The last two show the same.
/// let found = distances(&rows, &[0, 1, 2, 3, 3], Seed(0));
/// assert_eq!((found[3], found[4]), (1.0, 1.0));
/// assert!(found[0] < 0.6);
/// ```
pub fn distances(rows: &Rows, groups: &[usize], seed: Seed) -> Vec<f64> {
    let length = |row: usize| dot(rows.row(row), rows.row(row)).sqrt().max(f64::MIN_POSITIVE);
    let lengths: Vec<f64> = (0..rows.len()).into_par_iter().map(length).collect();
    let mut among: Vec<usize> = (0..rows.len()).collect();
    if among.len() > AMONG {
        seed.stream(Purpose::Audit, 0, 1).shuffle(&mut among);
        among.truncate(AMONG);
        among.sort_unstable();
    }
    let one = |row: usize| {
        let others = among.iter().filter(|other| groups[**other] != groups[row]);
        let mut near: Vec<f64> =
            others.map(|&other| 1.0 - dot(rows.row(row), rows.row(other)) / (lengths[row] * lengths[other])).collect();
        near.sort_by(f64::total_cmp);
        near.truncate(NEIGHBOURS);
        near.iter().sum::<f64>() / near.len().max(1) as f64
    };
    (0..rows.len()).into_par_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// i, j = np.meshgrid(np.arange(30), np.arange(5), indexing="ij"); x = np.sin(i * (j + 1.3) + j)
    /// print(sklearn.neighbors.NearestNeighbors(n_neighbors=11, metric="cosine").fit(x).kneighbors(x)[0][:, 1:].mean(1)[:4])
    /// ```
    #[test]
    fn distances_are_scikit_learns() {
        let value = |i: usize, j: usize| (i as f64 * (j as f64 + 1.3) + j as f64).sin();
        let rows = Rows { width: 5, values: (0..30).flat_map(|i| (0..5).map(move |j| value(i, j))).collect() };
        let found = distances(&rows, &(0..30).collect::<Vec<_>>(), Seed(0));
        for (got, expected) in found.iter().zip(EXPECTED) {
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
        }
    }

    const EXPECTED: [f64; 4] = [0.577_451_387_032, 0.521_402_716_003, 0.701_045_248_895, 0.486_700_804_719];

    #[test]
    fn of_many_some_are_drawn_and_all_get_a_distance() {
        let rows = Rows { width: 2, values: (0..2 * (AMONG + 9)).map(|i| ((i * 37 % 101) as f64).sin()).collect() };
        let groups: Vec<usize> = (0..rows.len()).collect();
        let found = distances(&rows, &groups, Seed(3));
        assert_eq!(found.len(), AMONG + 9);
        assert_eq!(found, distances(&rows, &groups, Seed(3)));
        assert!(found.iter().all(|distance| distance.is_finite()));
    }
}
