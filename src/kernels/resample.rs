//! Grids of vectors of another size: what position embeddings of one grid are for another.

use super::elementwise::add;

/// How a line of places becomes one of another length, by the cubic filter with a = -0.5, wider where places become fewer: as PyTorch's `interpolate` in the
/// mode `bicubic` with `antialias`, and as Pillow.
///
/// ```
/// use petal::kernels::Resample;
///
/// // torch.nn.functional.interpolate(torch.tensor([[[[0., 1., 4., 9.]]]]), (1, 2), mode="bicubic", antialias=True)
/// let (line, one) = (Resample::bicubic(4, 2), Resample::bicubic(1, 1));
/// let mut y = [0.0; 2];
/// line.forward(&one, 1, &[0.0, 1.0, 4.0, 9.0], &mut y);
/// assert!((y[0] - 0.60331).abs() < 1e-5 && (y[1] - 6.08264).abs() < 1e-5, "{y:?}");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Resample {
    from: usize,
    /// For each new place the first old one that it is made from, and the weights of that and its followers.
    to: Vec<(usize, Vec<f32>)>,
}

/// How far the filter reaches.
const REACH: f64 = 2.0;

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    match x {
        ..1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        ..2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

impl Resample {
    /// From `from` places to `to`; neither may be 0.
    pub fn bicubic(from: usize, to: usize) -> Self {
        let step = from as f64 / to as f64;
        let wide = step.max(1.0);
        let place = |at: usize| {
            let center = step * (at as f64 + 0.5);
            let first = (center - REACH * wide + 0.5).max(0.0) as usize;
            let last = ((center + REACH * wide + 0.5) as usize).min(from);
            let weight = |old: usize| cubic((old as f64 + 0.5 - center) / wide);
            let sum: f64 = (first..last).map(weight).sum();
            (first, (first..last).map(|old| (weight(old) / sum) as f32).collect())
        };
        Self { from, to: (0..to).map(place).collect() }
    }

    /// A grid `[from, from of columns, channels]` at the new size, `[to, to of columns, channels]`, overwritten: `self` says of its rows, `columns` of its
    /// columns.
    ///
    /// # Panics
    /// Where a slice has another length.
    pub fn forward(&self, columns: &Self, channels: usize, x: &[f32], y: &mut [f32]) {
        let mut rows = vec![0.0; self.from * columns.to.len() * channels];
        columns.along(channels, x, &mut rows);
        self.along(columns.to.len() * channels, &rows, y);
    }

    /// The gradient of the grid, `dx`, overwritten, from that of the new one.
    ///
    /// # Panics
    /// Where a slice has another length.
    ///
    /// ```
    /// use petal::kernels::Resample;
    ///
    /// // One place to three: each of the three is that one.
    /// let (rows, columns, mut dx) = (Resample::bicubic(1, 3), Resample::bicubic(1, 1), [0.0; 2]);
    /// rows.backward(&columns, 2, &[1.0, 10.0, 2.0, 20.0, 3.0, 30.0], &mut dx);
    /// assert_eq!(dx, [6.0, 60.0]);
    /// ```
    pub fn backward(&self, columns: &Self, channels: usize, dy: &[f32], dx: &mut [f32]) {
        let mut rows = vec![0.0; self.from * columns.to.len() * channels];
        self.back_along(columns.to.len() * channels, dy, &mut rows);
        columns.back_along(channels, &rows, dx);
    }

    /// How much each old place is of each new one, `[to · to of columns, from · from of columns]`: the same as one matrix.
    pub fn matrix(&self, columns: &Self) -> Vec<f32> {
        let mut matrix = vec![0.0; self.to.len() * columns.to.len() * self.from * columns.from];
        let mut rows = matrix.chunks_exact_mut(self.from * columns.from);
        for (first_row, of_rows) in &self.to {
            for (first_column, of_columns) in &columns.to {
                let Some(places) = rows.next() else { return matrix };
                for (row, of_row) in (*first_row..).zip(of_rows) {
                    for (column, of_column) in (*first_column..).zip(of_columns) {
                        places[row * columns.from + column] = of_row * of_column;
                    }
                }
            }
        }
        matrix
    }

    /// Lines of places that lie `inner` numbers apart, one line after the other.
    fn along(&self, inner: usize, x: &[f32], y: &mut [f32]) {
        assert_eq!(x.len() * self.to.len(), y.len() * self.from, "a grid and its resampled one");
        for (x, y) in x.chunks_exact(self.from * inner).zip(y.chunks_exact_mut(self.to.len() * inner)) {
            for ((first, weights), y) in self.to.iter().zip(y.chunks_exact_mut(inner)) {
                y.fill(0.0);
                for (x, weight) in x.chunks_exact(inner).skip(*first).zip(weights) {
                    y.iter_mut().zip(x).for_each(|(y, x)| *y += weight * x);
                }
            }
        }
    }

    fn back_along(&self, inner: usize, dy: &[f32], dx: &mut [f32]) {
        assert_eq!(dx.len() * self.to.len(), dy.len() * self.from, "gradients of a grid and its resampled one");
        dx.fill(0.0);
        let mut part = vec![0.0; inner];
        for (dx, dy) in dx.chunks_exact_mut(self.from * inner).zip(dy.chunks_exact(self.to.len() * inner)) {
            for ((first, weights), dy) in self.to.iter().zip(dy.chunks_exact(inner)) {
                for (dx, weight) in dx.chunks_exact_mut(inner).skip(*first).zip(weights) {
                    part.iter_mut().zip(dy).for_each(|(part, dy)| *part = weight * dy);
                    add(dx, &part);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::{distance, numbers};

    /// ```python
    /// x = torch.arange(12.).square().reshape(1, 1, 3, 4)
    /// for size in [(2, 2), (5, 3), (3, 4), (1, 9)]:
    ///     print(torch.nn.functional.interpolate(x, size, mode="bicubic", antialias=True).flatten())
    /// ```
    #[test]
    fn it_is_pytorchs() {
        let x: Vec<f32> = (0..12).map(|i| (i * i) as f32).collect();
        for (rows, columns, expected) in CASES {
            let (by_rows, by_columns) = (Resample::bicubic(3, rows), Resample::bicubic(4, columns));
            let mut y = vec![9.0; rows * columns];
            by_rows.forward(&by_columns, 1, &x, &mut y);
            // PyTorch computes the weights in f32.
            assert!(distance(&y, expected) < 1e-6, "{rows} × {columns}: {y:?}");
        }
    }

    const CASES: [(usize, usize, &[f64]); 4] = [
        (2, 2, &[5.730080, 15.735954, 56.383415, 86.559357]),
        (
            5,
            3,
            &[
                -1.246707, 0.245989, 5.031736, 4.003108, 9.493522, 18.276989, 17.594967, 30.359192, 46.416477,
                50.530113, 70.568153, 93.899254, 70.851730, 94.887489, 122.216316,
            ],
        ),
        (
            3,
            4,
            &[
                0.000000, 1.000000, 4.000000, 9.000000, 16.000000, 25.000000, 36.000000, 49.000000, 64.000000,
                81.000000, 100.000000, 121.000000,
            ],
        ),
        (1, 9, &[24.888845, 26.642849, 30.459858, 35.297775, 39.989132, 45.075550, 51.580978, 57.380268, 59.967331]),
    ];

    #[test]
    fn the_matrix_and_the_way_back_belong_to_the_way_forward() {
        for ((from_rows, from_columns), (rows, columns)) in [((5, 4), (7, 3)), ((14, 14), (6, 7)), ((3, 3), (3, 3))] {
            let (by_rows, by_columns) = (Resample::bicubic(from_rows, rows), Resample::bicubic(from_columns, columns));
            let (channels, places) = (3, from_rows * from_columns);
            let (x, dy) = (numbers(places * channels, 1), numbers(rows * columns * channels, 2));
            let mut y = vec![9.0; dy.len()];
            by_rows.forward(&by_columns, channels, &x, &mut y);
            let matrix = by_rows.matrix(&by_columns);
            let at = |place: usize, channel: usize| {
                let row = &matrix[place * places..][..places];
                row.iter().enumerate().map(|(i, w)| f64::from(*w) * f64::from(x[i * channels + channel])).sum::<f64>()
            };
            let expected: Vec<f64> = (0..dy.len()).map(|i| at(i / channels, i % channels)).collect();
            assert!(distance(&y, &expected) < 1e-6);
            let mut dx = vec![9.0; x.len()];
            by_rows.backward(&by_columns, channels, &dy, &mut dx);
            let back = |old: usize, channel: usize| {
                let column = (0..rows * columns)
                    .map(|new| f64::from(matrix[new * places + old]) * f64::from(dy[new * channels + channel]));
                column.sum::<f64>()
            };
            let expected: Vec<f64> = (0..x.len()).map(|i| back(i / channels, i % channels)).collect();
            assert!(distance(&dx, &expected) < 1e-6);
        }
    }

    #[test]
    fn the_same_size_is_the_same_grid() {
        let (x, mut y) = (numbers(14 * 14 * 5, 1), vec![0.0; 14 * 14 * 5]);
        let same = Resample::bicubic(14, 14);
        same.forward(&same, 5, &x, &mut y);
        assert_eq!(x, y);
    }
}
