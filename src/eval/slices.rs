//! Where a model is worse than elsewhere: its accuracy by class, light, size and source.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Evaluation;
use super::metrics::{Interval, wilson};
use crate::base::error::Result;
use crate::base::work::{Progress, Unit, Work};
use crate::data::Facts;

/// Parts of about equal size that lights and sizes are cut into.
const PARTS: usize = 4;
/// A slice of fewer photos is counted, and not compared.
pub const LEAST: usize = 10;
/// Photos that are read between two safe points.
const AT_ONCE: usize = 128;

/// Photos that have something in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// What is looked at: `light`.
    pub by: String,
    /// Which of it: `grey level 0 to 80`.
    pub name: String,
    /// Photos.
    pub photos: usize,
    /// The share that is right, with Wilson's 95 % interval.
    pub accuracy: Interval,
    /// The share that is right of all other photos.
    pub elsewhere: f64,
    /// How probable a difference to all other photos at least as large is, where there is none: Fisher's exact test, corrected for the number of slices (Holm
    /// 1979). None of a slice that has too few photos, or all.
    pub p_value: Option<f64>,
}

impl Slice {
    /// Whether it is shown that the model is worse here than elsewhere, at 5 % for all slices together.
    pub fn is_worse(&self) -> bool {
        self.accuracy.value < self.elsewhere && self.p_value.is_some_and(|p| p < 0.05)
    }
}

/// The accuracy of a model slice by slice.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(learner: &Learner) -> Result<()> {
/// let slices = learner.evaluate(Split::Test)?.slices()?; // as a cell's last line: a table
/// if let Some(weakest) = slices.weakest() {
///     println!("{}: {}", weakest.by, weakest.name);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slices {
    /// Name of the model.
    pub model: String,
    /// The share of all photos that is right.
    pub accuracy: Interval,
    /// All slices, by what is looked at.
    pub slices: Vec<Slice>,
}

impl Slices {
    /// The slice where the model is worst among those where it is shown to be worse than elsewhere; none where that is not shown.
    pub fn weakest(&self) -> Option<&Slice> {
        let worse = self.slices.iter().filter(|slice| slice.is_worse());
        worse.min_by(|a, b| a.accuracy.value.total_cmp(&b.accuracy.value))
    }

    /// From what is known of each photo, in the order of the predictions.
    pub fn new(evaluation: &Evaluation, facts: &[Facts]) -> Self {
        let right: Vec<bool> = evaluation.predictions.iter().map(|one| one.is_right() == Some(true)).collect();
        let class = |place: usize| evaluation.predictions[place].target.unwrap_or(0);
        let mut slices = Slicer { right: &right, slices: Vec::new() };
        for (target, name) in evaluation.classes.iter().enumerate() {
            slices.add("class", name.clone(), &|place| class(place) == target);
        }
        slices.cut("light", "grey level", &facts.iter().map(|one| one.look.lightness).collect::<Vec<_>>());
        let sides: Vec<f64> = facts.iter().map(|one| (one.pixels() as f64).sqrt()).collect();
        slices.cut("size", "side (root of the pixels)", &sides);
        slices.words("format", &facts.iter().map(|one| one.origin.format.name().into()).collect::<Vec<_>>());
        let camera = |one: &Facts| one.origin.camera.clone().unwrap_or("not known".into());
        slices.words("camera", &facts.iter().map(camera).collect::<Vec<_>>());
        let all = wilson(right.iter().filter(|right| **right).count(), right.len());
        Self { model: evaluation.model.clone(), accuracy: all, slices: slices.corrected() }
    }
}

impl Evaluation {
    /// Accuracy by class, light, size and source. The photos are read again for it where nothing but what they show is known of them
    /// ([`Evaluation::facts`]).
    ///
    /// # Errors
    /// What reading a photo can give; [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if `progress` ends it.
    pub fn slices_with(&self, progress: &mut dyn Progress) -> Result<Slices> {
        if self.facts.len() == self.predictions.len() {
            return Ok(Slices::new(self, &self.facts));
        }
        let mut work = Work::new("looking at the photos", Unit::Photos, self.predictions.len() as u64);
        let mut facts = Vec::with_capacity(self.predictions.len());
        for some in self.predictions.chunks(AT_ONCE) {
            work.at(facts.len() as u64, progress)?;
            let own: Vec<Result<Facts>> = some.par_iter().map(|prediction| Facts::of(&prediction.path)).collect();
            for one in own {
                facts.push(one?);
            }
        }
        work.end(progress)?;
        Ok(Slices::new(self, &facts))
    }
}

/// Slices that are being made.
struct Slicer<'a> {
    right: &'a [bool],
    slices: Vec<Slice>,
}

impl Slicer<'_> {
    fn add(&mut self, by: &'static str, name: String, is_in: &dyn Fn(usize) -> bool) {
        let all = self.right.len();
        let (mut hits, mut photos, mut others) = (0, 0, 0);
        for (place, &right) in self.right.iter().enumerate() {
            match (is_in(place), right) {
                (true, right) => (photos, hits) = (photos + 1, hits + usize::from(right)),
                (false, right) => others += usize::from(right),
            }
        }
        if photos == 0 {
            return;
        }
        let is_compared = photos >= LEAST && all > photos;
        self.slices.push(Slice {
            by: by.into(),
            name,
            photos,
            accuracy: wilson(hits, photos),
            elsewhere: others as f64 / (all - photos).max(1) as f64,
            p_value: is_compared.then(|| fisher([hits, photos - hits], [others, all - photos - others])),
        });
    }

    /// Numbers in four parts of about as many photos; equal ones stay together.
    fn cut(&mut self, by: &'static str, what: &str, values: &[f64]) {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) else { return };
        let mut ends: Vec<f64> = (1..PARTS).map(|part| sorted[part * sorted.len() / PARTS]).collect();
        ends.retain(|end| *end > first);
        ends.dedup();
        // All alike: nothing to compare.
        if ends.is_empty() {
            return;
        }
        let edges: Vec<f64> = std::iter::once(first).chain(ends).collect();
        for (part, &from) in edges.iter().enumerate() {
            let to = edges.get(part + 1).copied();
            let name = match to {
                Some(to) => format!("{what} {from:.0} to {to:.0}"),
                None => format!("{what} {from:.0} to {last:.0}"),
            };
            self.add(by, name, &|place| values[place] >= from && to.is_none_or(|to| values[place] < to));
        }
    }

    /// Words, if there are several: each that enough photos have, the most frequent first; the others together.
    fn words(&mut self, by: &'static str, values: &[String]) {
        let mut names: Vec<&String> = values.iter().collect();
        names.sort();
        names.dedup();
        if names.len() < 2 {
            return;
        }
        let count = |name: &String| values.iter().filter(|value| *value == name).count();
        let (mut often, rare): (Vec<&String>, Vec<&String>) = names.into_iter().partition(|name| count(name) >= LEAST);
        often.sort_by_key(|name| std::cmp::Reverse(count(name)));
        for name in often {
            self.add(by, name.clone(), &|place| values[place] == *name);
        }
        let others = format!("{} others", rare.len());
        self.add(by, others, &|place| rare.contains(&&values[place]));
    }

    /// All slices, with probabilities corrected after Holm.
    fn corrected(mut self) -> Vec<Slice> {
        let mut compared: Vec<&mut Slice> = self.slices.iter_mut().filter(|slice| slice.p_value.is_some()).collect();
        compared.sort_by(|a, b| a.p_value.unwrap_or(1.0).total_cmp(&b.p_value.unwrap_or(1.0)));
        let (count, mut most) = (compared.len(), 0.0);
        for (rank, slice) in compared.into_iter().enumerate() {
            most = f64::max(most, slice.p_value.unwrap_or(1.0) * (count - rank) as f64).min(1.0);
            slice.p_value = Some(most);
        }
        self.slices
    }
}

/// Fisher's exact test, two-sided, of two rows of counts: the probabilities of all tables that are no more probable, with the same sums.
fn fisher([a, b]: [usize; 2], [c, d]: [usize; 2]) -> f64 {
    let mut logs = vec![0.0; a + b + c + d + 1];
    (1..logs.len()).for_each(|n| logs[n] = logs[n - 1] + (n as f64).ln());
    let choose = |n: usize, k: usize| logs[n] - logs[k] - logs[n - k];
    let (row, column, all) = (a + b, a + c, a + b + c + d);
    let probable = |hits: usize| choose(row, hits) + choose(all - row, column - hits) - choose(all, column);
    let own = probable(a) + 1e-7;
    let tables = column.saturating_sub(all - row)..=row.min(column);
    tables.map(probable).filter(|log| *log <= own).map(f64::exp).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.fisher_exact([[a, b], [c, d]]).pvalue`
    #[test]
    fn the_test_is_scipys() {
        for ([a, b], [c, d], p) in FISHER {
            let got = fisher([a, b], [c, d]);
            assert!((got - p).abs() <= 1e-7 * p, "{a} {b} {c} {d}: {got} {p}");
        }
    }

    const FISHER: [([usize; 2], [usize; 2], f64); 5] = [
        ([8, 2], [1, 5], 0.034_965_034_965),
        ([40, 10], [190, 8], 5.846_662_270_4e-4),
        ([20, 0], [180, 48], 0.016_849_448_042),
        ([10, 10], [10, 10], 1.0),
        ([0, 12], [230, 6], 2.152_760_638e-16),
    ];

    /// `statsmodels.stats.multitest.multipletests([0.01, 0.04, 0.03, 0.5], method="holm")[1]`
    #[test]
    fn probabilities_are_corrected_as_by_statsmodels() {
        let slice = |p: Option<f64>| Slice {
            by: "class".into(),
            name: String::new(),
            photos: 10,
            accuracy: wilson(5, 10),
            elsewhere: 0.9,
            p_value: p,
        };
        let slices = [Some(0.01), Some(0.04), None, Some(0.03), Some(0.5)].map(slice).to_vec();
        let found = Slicer { right: &[], slices }.corrected();
        let found: Vec<Option<f64>> = found.into_iter().map(|slice| slice.p_value).collect();
        let expected = [Some(0.04), Some(0.09), None, Some(0.09), Some(0.5)];
        assert!(
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| a.is_none() == b.is_none() && (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 1e-12)
        );
    }
}
