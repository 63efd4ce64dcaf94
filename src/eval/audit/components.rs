//! Principal components: where photos lie on a map of two axes.

use rayon::prelude::*;

use crate::nn::convex::Rows;

/// Axes of the map.
const AXES: usize = 2;
/// Directions that are followed together: the more beyond the axes, the sooner these are found.
const FOLLOWED: usize = 8;
const MOST_ROUNDS: usize = 300;
/// Where no part of an axis changes by more than this, it is found.
const CHANGE: f64 = 1e-8;
/// Rows that one task goes through. Their sums are added in the rows' order.
const ROWS: usize = 128;

/// Rows on their first two principal components.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// A point for each row.
    pub points: Vec<[f64; AXES]>,
    /// The share of all variance that each axis has.
    pub shares: [f64; AXES],
}

/// The first two principal components of rows, less their mean: scikit-learn's `PCA(2)`, by orthogonal iteration. Each axis points so that its largest
/// loading is positive, as there: the same photos always lie in the same places. Of fewer than two columns, the other axis is 0.
///
/// ```
/// use petal::eval::audit::principal;
/// use petal::nn::convex::Rows;
///
/// let line = Rows { width: 2, values: vec![0.0, 0.0, 1.0, 2.0, 2.0, 4.0] };
/// let map = principal(&line);
/// assert!((map.points[2][0] - 5f64.sqrt()).abs() < 1e-9 && map.points[1][0].abs() < 1e-9);
/// assert!((map.shares[0] - 1.0).abs() < 1e-9 && map.points[2][1].abs() < 1e-9);
/// ```
pub fn principal(rows: &Rows) -> Map {
    let (width, count) = (rows.width, rows.len());
    let mut mean = vec![0.0; width];
    (0..count).for_each(|row| mean.iter_mut().zip(rows.row(row)).for_each(|(sum, x)| *sum += x));
    mean.iter_mut().for_each(|sum| *sum /= count.max(1) as f64);
    let centred =
        Rows { width, values: rows.values.iter().enumerate().map(|(place, x)| x - mean[place % width]).collect() };
    let whole: f64 = (0..count).map(|row| dot(centred.row(row), centred.row(row))).sum();
    let followed = FOLLOWED.min(width).min(count.max(1));
    // Any directions do, as long as none is at right angles to what is looked for: waves that no data have.
    let begin = |axis: usize, place: usize| ((place * (2 * axis + 1) + axis) as f64 * 0.618_033_988_75).sin() + 1e-3;
    let mut axes: Vec<Vec<f64>> =
        (0..followed).map(|axis| (0..width).map(|place| begin(axis, place)).collect()).collect();
    orthonormal(&mut axes);
    let mut found = vec![0.0; followed];
    for _ in 0..MOST_ROUNDS {
        let before = axes;
        axes = times(&centred, &before);
        found = orthonormal(&mut axes);
        let change =
            |(new, old): (&Vec<f64>, &Vec<f64>)| new.iter().zip(old).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        if axes.iter().zip(&before).take(AXES).map(change).fold(0.0, f64::max) <= CHANGE {
            break;
        }
    }
    let points: Vec<Vec<f64>> = (0..count)
        .into_par_iter()
        .map(|row| axes.iter().take(AXES).map(|axis| dot(axis, centred.row(row))).collect())
        .collect();
    let mut map = Map { points: vec![[0.0; AXES]; count], shares: [0.0; AXES] };
    // What rounding alone leaves is no variance.
    let is_there = |axis: usize| axis < followed && found[axis] > 1e-12 * whole;
    for axis in (0..AXES).filter(|&axis| is_there(axis)) {
        let sign = if largest(&axes[axis]) < 0.0 { -1.0 } else { 1.0 };
        map.points.iter_mut().zip(&points).for_each(|(point, own)| point[axis] = sign * own[axis]);
        map.shares[axis] = points.iter().map(|own| own[axis] * own[axis]).sum::<f64>() / whole;
    }
    map
}

/// The covariance (times the number of rows) of each direction: once over all rows.
fn times(rows: &Rows, axes: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let part = |part: usize| {
        let mut sums = vec![vec![0.0; rows.width]; axes.len()];
        for row in part * ROWS..rows.len().min((part + 1) * ROWS) {
            let row = rows.row(row);
            for (sum, axis) in sums.iter_mut().zip(axes) {
                let along = dot(axis, row);
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += along * x);
            }
        }
        sums
    };
    let parts: Vec<_> = (0..rows.len().div_ceil(ROWS)).into_par_iter().map(part).collect();
    let mut sums = vec![vec![0.0; rows.width]; axes.len()];
    for part in parts {
        for (sum, own) in sums.iter_mut().zip(part) {
            sum.iter_mut().zip(own).for_each(|(sum, x)| *sum += x);
        }
    }
    sums
}

/// Gram and Schmidt, twice, so that rounding leaves nothing of one in another. Gives the length of each before.
fn orthonormal(axes: &mut [Vec<f64>]) -> Vec<f64> {
    let mut lengths = Vec::with_capacity(axes.len());
    for axis in 0..axes.len() {
        let (before, rest) = axes.split_at_mut(axis);
        let Some(own) = rest.first_mut() else { continue };
        for round in 0..2 {
            for other in before.iter() {
                let along = dot(own, other);
                own.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
            }
            let length = dot(own, own).sqrt();
            if round == 0 {
                lengths.push(length);
            }
            let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
            own.iter_mut().for_each(|x| *x *= scale);
        }
    }
    lengths
}

fn largest(axis: &[f64]) -> f64 {
    axis.iter().copied().fold(0.0, |most: f64, x| if x.abs() > most.abs() { x } else { most })
}

/// The sum of products, in eight sums that are added in a fixed order.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Rows {
        let value =
            |i: usize, j: usize| (i as f64 * (j as f64 + 1.3)).sin() * (6 - j) as f64 + i as f64 * 0.05 * j as f64;
        Rows { width: 6, values: (0..40).flat_map(|i| (0..6).map(move |j| value(i, j))).collect() }
    }

    /// ```python
    /// i, j = np.meshgrid(np.arange(40), np.arange(6), indexing="ij"); x = np.sin(i * (j + 1.3)) * (6 - j) + i * 0.05 * j
    /// d = sklearn.decomposition.PCA(2).fit(x); print(d.transform(x)[:3], d.explained_variance_ratio_)
    /// ```
    #[test]
    fn points_and_shares_are_scikit_learns_and_one_thread_gives_the_same_bytes() {
        let map = principal(&example());
        for (got, expected) in map.points.iter().flatten().zip(POINTS).chain(map.shares.iter().zip(SHARES)) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one.install(|| principal(&example())), map);
    }

    const POINTS: [f64; 6] =
        [-7.126_982_199, -1.477_642_988, -9.254_299_954, 4.502_991_920, -7.899_168_203, 0.795_614_448];
    const SHARES: [f64; 2] = [0.352_849_706, 0.271_320_063];

    #[test]
    fn equal_rows_no_rows_and_one_column_have_a_map() {
        for (width, count) in [(1, 5), (3, 0), (3, 1), (3, 4)] {
            let map = principal(&Rows { width, values: vec![2.5; width * count] });
            assert_eq!((map.points.len(), map.shares), (count, [0.0; 2]));
            assert!(map.points.iter().flatten().all(|x| *x == 0.0));
        }
        let one = principal(&Rows { width: 1, values: vec![1.0, 2.0, 6.0] });
        assert_eq!(one.points, [[-2.0, 0.0], [-1.0, 0.0], [3.0, 0.0]]);
    }
}
