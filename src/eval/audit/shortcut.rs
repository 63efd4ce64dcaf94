//! Whether classes can be told by what is not their content: by a border, a size, a format, a camera.

use rayon::prelude::*;

use super::circumstances::Circumstance;
use crate::base::seed::{Purpose, Seed};
use crate::eval::Interval;
use crate::eval::compare::interval;
use crate::eval::metrics::wilson;

/// Times that the labels are drawn anew.
const DRAWINGS: u64 = 999;
/// How strongly the probe's weights are held back, in photos.
const HELD: f64 = 1.0;

/// What a small probe tells of the classes by one circumstance alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The circumstance's name: `border`.
    pub name: &'static str,
    /// What exactly it is.
    pub what: &'static str,
    /// The mean of the classes' recalls, for photos that the probe has not learned from; with the 95 % interval of its bootstrap over the photos.
    pub told: Interval,
    /// What guessing gives: one over the number of classes.
    pub chance: f64,
    /// How many standard deviations it lies above what it gives with labels that are drawn anew.
    pub deviations: f64,
    /// How probable a probe as good or better is, of any circumstance, where none tells anything (Westfall & Young 1993): one in a thousand at least.
    pub p_value: f64,
    /// The recall of each class, with Wilson's interval.
    pub recalls: Vec<Interval>,
}

impl Probe {
    /// Whether it is shown that the circumstance tells classes: better than all 999 drawings of labels, and the interval is above chance.
    pub fn is_shown(&self) -> bool {
        self.p_value <= 1.0 / (DRAWINGS + 1) as f64 && self.told.low > self.chance
    }

    /// The classes that it tells, the surest first: those whose recall is above chance at the lower end.
    pub fn classes(&self) -> Vec<usize> {
        let mut found: Vec<usize> =
            (0..self.recalls.len()).filter(|&class| self.recalls[class].low > self.chance).collect();
        found.sort_by(|&a, &b| self.recalls[b].value.total_cmp(&self.recalls[a].value).then(a.cmp(&b)));
        found
    }
}

/// Probes each circumstance that is not the same in all photos, the one that tells most first. `folds[photo]` is the fold that a photo is predicted with.
///
/// The probe is a ridge regression of the classes' indicators on its ranges and words (Hastie, Tibshirani & Friedman 2009, 4.2), whose answer is the
/// class that is the most above its share; it has no settings. The same folds and probes with labels that are shuffled among the photos say what chance
/// gives, whatever the classes' sizes are.
pub fn probes(
    circumstances: &[Circumstance],
    targets: &[usize],
    folds: &[usize],
    classes: usize,
    seed: Seed,
) -> Vec<Probe> {
    let circumstances: Vec<&Circumstance> = circumstances.iter().filter(|own| !own.is_constant()).collect();
    let ready: Vec<Ready> = circumstances.iter().map(|own| Ready::of(own, folds)).collect();
    let share = |hits: &[(usize, usize)]| {
        let shares: Vec<f64> =
            hits.iter().filter(|(_, all)| *all > 0).map(|(own, all)| *own as f64 / *all as f64).collect();
        shares.iter().sum::<f64>() / shares.len().max(1) as f64
    };
    let drawing = |number: u64| -> Vec<f64> {
        let mut drawn = targets.to_vec();
        seed.stream(Purpose::Audit, number, 0).shuffle(&mut drawn);
        ready.iter().map(|ready| share(&ready.hits(&drawn, classes))).collect()
    };
    let drawn: Vec<Vec<f64>> = (0..DRAWINGS).into_par_iter().map(drawing).collect();
    let count = DRAWINGS as f64;
    let norms: Vec<(f64, f64)> = (0..ready.len())
        .map(|own| {
            let mean = drawn.iter().map(|each| each[own]).sum::<f64>() / count;
            let square: f64 = drawn.iter().map(|each| (each[own] - mean).powi(2)).sum();
            (mean, (square / (count - 1.0)).sqrt())
        })
        .collect();
    let above = |own: usize, share: f64| match norms[own] {
        (mean, spread) if spread > 0.0 => (share - mean) / spread,
        _ => 0.0,
    };
    // The best of all circumstances, in each drawing.
    let most: Vec<f64> = drawn
        .iter()
        .map(|each| (0..ready.len()).map(|own| above(own, each[own])).fold(f64::NEG_INFINITY, f64::max))
        .collect();
    let with_photos = (0..classes).filter(|class| targets.contains(class)).count();
    let mut found: Vec<Probe> = circumstances
        .iter()
        .zip(&ready)
        .enumerate()
        .map(|(own, (one, ready))| {
            let hits = ready.hits(targets, classes);
            let deviations = above(own, share(&hits));
            let as_good = most.iter().filter(|most| **most >= deviations).count();
            Probe {
                name: one.name,
                what: one.what,
                told: bootstrapped(share(&hits), &hits),
                chance: 1.0 / with_photos.max(1) as f64,
                deviations,
                p_value: (1 + as_good) as f64 / (count + 1.0),
                recalls: hits.iter().map(|&(hits, all)| wilson(hits, all)).collect(),
            }
        })
        .collect();
    found.sort_by(|a, b| b.deviations.total_cmp(&a.deviations));
    found
}

/// The mean recall with its bootstrap, which draws as many photos of each class as there are.
fn bootstrapped(share: f64, hits: &[(usize, usize)]) -> Interval {
    let mut stream = Seed(0).stream(Purpose::Bootstrap, 1, 0);
    let there: Vec<(usize, usize)> = hits.iter().copied().filter(|(_, all)| *all > 0).collect();
    interval(share, &mut || {
        let recall =
            |&(hits, all): &(usize, usize)| (0..all).filter(|_| stream.below(all) < hits).count() as f64 / all as f64;
        there.iter().map(recall).sum::<f64>() / there.len().max(1) as f64
    })
}

/// A circumstance whose regression is prepared but for the labels: for each fold, the inverse of what the others' photos are weighed by.
struct Ready<'a> {
    columns: &'a [Vec<usize>],
    width: usize,
    folds: &'a [usize],
    inverses: Vec<Vec<f64>>,
}

impl<'a> Ready<'a> {
    fn of(own: &'a Circumstance, folds: &'a [usize]) -> Self {
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

    /// For each class, how many of its photos are told, and how many there are.
    fn hits(&self, targets: &[usize], classes: usize) -> Vec<(usize, usize)> {
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
        let mut hits = vec![(0, 0); classes];
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
            hits[target].1 += 1;
            hits[target].0 += usize::from(best.0 == target);
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
