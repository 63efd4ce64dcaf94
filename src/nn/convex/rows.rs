//! Features of photos as rows of numbers, and how they are brought to one scale.

/// Rows of numbers, all of one width.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Numbers a row, at least 1.
    pub width: usize,
    /// All rows, one after the other.
    pub values: Vec<f64>,
}

impl Rows {
    /// Rows of this width; what is left of a last one is cut off.
    pub fn new(width: usize, values: &[f32]) -> Self {
        let width = width.max(1);
        Self { width, values: values[..values.len() / width * width].iter().map(|value| f64::from(*value)).collect() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// One of them.
    pub fn row(&self, index: usize) -> &[f64] {
        &self.values[index * self.width..][..self.width]
    }

    /// These of them, in this order.
    pub fn pick(&self, which: &[usize]) -> Self {
        Self { width: self.width, values: which.iter().flat_map(|&index| self.row(index).iter().copied()).collect() }
    }
}

/// Means and standard deviations of each column: scikit-learn's `StandardScaler`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// Mean of each column.
    pub mean: Vec<f64>,
    /// Standard deviation of each column (over n); 1 where a column has one value only.
    pub deviation: Vec<f64>,
}

impl Scaling {
    /// Of these rows.
    pub fn of(rows: &Rows) -> Self {
        let count = rows.len().max(1) as f64;
        let mut mean = vec![0.0; rows.width];
        rows.values.chunks_exact(rows.width).for_each(|row| mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
        mean.iter_mut().for_each(|sum| *sum /= count);
        let mut deviation = vec![0.0; rows.width];
        for row in rows.values.chunks_exact(rows.width) {
            deviation.iter_mut().zip(row.iter().zip(&mean)).for_each(|(sum, (x, mean))| *sum += (x - mean).powi(2));
        }
        // What rounding alone makes of one value is no deviation.
        let tiny = |mean: &f64| 1e-12 * mean.abs().max(1e-12);
        deviation.iter_mut().zip(&mean).for_each(|(sum, mean)| {
            let root = (*sum / count).sqrt();
            *sum = if root > tiny(mean) { root } else { 1.0 };
        });
        Self { mean, deviation }
    }

    /// The rows on this scale.
    pub fn apply(&self, rows: &Rows) -> Rows {
        let scaled = |(place, x): (usize, &f64)| {
            let column = place % rows.width;
            (x - self.mean[column]) / self.deviation[column]
        };
        Rows { width: rows.width, values: rows.values.iter().enumerate().map(scaled).collect() }
    }
}
