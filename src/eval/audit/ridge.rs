//! The small probe: ridge regression of the classes' indicators on the columns of a circumstance, over folds, for many labels.

use super::circumstances::Circumstance;

/// How strongly the probe's weights are held back, in photos.
const HELD: f64 = 1.0;

/// What came of a class.
#[derive(Clone, Default)]
pub(super) struct Hits {
    /// Its photos.
    pub(super) all: usize,
    /// Those of them that are told as it.
    pub(super) hits: usize,
    /// Other photos that are told as it.
    pub(super) alarms: usize,
}

/// A circumstance whose regression is prepared but for the labels: for each fold, the inverse of what the others' photos are weighed by.
pub(super) struct Ready<'a> {
    columns: &'a [Vec<usize>],
    width: usize,
    folds: &'a [usize],
    inverses: Vec<Vec<f64>>,
}

impl<'a> Ready<'a> {
    /// Prepares a circumstance; `folds[photo]` is the fold that a photo is predicted with.
    pub(super) fn of(own: &'a Circumstance, folds: &'a [usize]) -> Self {
        let (columns, width) = (own.columns.as_slice(), own.width);
        let count = folds.iter().max().map_or(0, |most| most + 1);
        let inverse = |fold: usize| {
            let mut matrix = vec![0.0; width * width];
            (0..width).for_each(|place| matrix[place * (width + 1)] = HELD);
            for (columns, _) in columns.iter().zip(folds).filter(|(_, own)| **own != fold) {
                for &row in columns {
                    columns.iter().for_each(|&column| matrix[row * width + column] += 1.0);
                }
            }
            inverted(matrix, width)
        };
        Self { columns, width, folds, inverses: (0..count).map(inverse).collect() }
    }

    /// What comes of each class with these labels.
    pub(super) fn hits(&self, targets: &[usize], classes: usize) -> Vec<Hits> {
        let Self { columns, width, folds, inverses } = self;
        let folds_count = inverses.len();
        // By fold, what the labels of its photos add, and how many there are of each class.
        let mut sums = vec![vec![0.0; width * classes]; folds_count];
        let mut counts = vec![vec![0usize; classes]; folds_count];
        for ((columns, &fold), &target) in columns.iter().zip(folds.iter()).zip(targets) {
            columns.iter().for_each(|column| sums[fold][column * classes + target] += 1.0);
            counts[fold][target] += 1;
        }
        let weights: Vec<Vec<f64>> = (0..folds_count)
            .map(|fold| {
                let others =
                    |place: usize| (0..folds_count).filter(|&o| o != fold).map(|o| sums[o][place]).sum::<f64>();
                let others: Vec<f64> = (0..width * classes).map(others).collect();
                let mut weights = vec![0.0; width * classes];
                for (row, to) in weights.chunks_exact_mut(classes).enumerate() {
                    for (column, from) in others.chunks_exact(classes).enumerate() {
                        let share = inverses[fold][row * width + column];
                        to.iter_mut().zip(from).for_each(|(to, from)| *to += share * from);
                    }
                }
                weights
            })
            .collect();
        let shares: Vec<Vec<f64>> = (0..folds_count)
            .map(|fold| {
                let of =
                    |class: usize| (0..folds_count).filter(|&o| o != fold).map(|o| counts[o][class]).sum::<usize>();
                (0..classes).map(|class| of(class) as f64).collect()
            })
            .collect();
        let mut hits = vec![Hits::default(); classes];
        for ((columns, &fold), &target) in columns.iter().zip(folds.iter()).zip(targets) {
            let told = |class: usize| {
                let sum: f64 = columns.iter().map(|column| weights[fold][column * classes + class]).sum();
                // A class that is in no other fold cannot be told.
                if shares[fold][class] > 0.0 { sum / shares[fold][class] } else { f64::NEG_INFINITY }
            };
            let best = (1..classes).fold((0, told(0)), |best, class| {
                let own = told(class);
                if own > best.1 { (class, own) } else { best }
            });
            hits[target].all += 1;
            if best.0 == target {
                hits[target].hits += 1;
            } else {
                hits[best.0].alarms += 1;
            }
        }
        hits
    }
}

/// The inverse of a symmetric matrix that is positive definite, by Gauss and Jordan: no row has to be exchanged.
fn inverted(mut matrix: Vec<f64>, width: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; width * width];
    (0..width).for_each(|place| inverse[place * (width + 1)] = 1.0);
    for pivot in 0..width {
        let scale = 1.0 / matrix[pivot * (width + 1)];
        for half in [&mut matrix, &mut inverse] {
            half[pivot * width..][..width].iter_mut().for_each(|x| *x *= scale);
        }
        for row in (0..width).filter(|&row| row != pivot) {
            let share = matrix[row * width + pivot];
            for half in [&mut matrix, &mut inverse] {
                let own: Vec<f64> = half[pivot * width..][..width].to_vec();
                half[row * width..][..width].iter_mut().zip(own).for_each(|(x, y)| *x -= share * y);
            }
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `np.linalg.inv(np.array([[4, 1, 0.5], [1, 3, 0.25], [0.5, 0.25, 2]]))`
    #[test]
    fn the_inverse_is_numpys() {
        let found = inverted(vec![4.0, 1.0, 0.5, 1.0, 3.0, 0.25, 0.5, 0.25, 2.0], 3);
        let expected = INVERSE;
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
    }

    const INVERSE: [f64; 9] = [
        0.279_411_764_706,
        -0.088_235_294_118,
        -0.058_823_529_412,
        -0.088_235_294_118,
        0.364_705_882_353,
        -0.023_529_411_765,
        -0.058_823_529_412,
        -0.023_529_411_765,
        0.517_647_058_824,
    ];
}
