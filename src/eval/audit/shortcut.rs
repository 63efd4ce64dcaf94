//! Whether classes can be told by what is not their content: by a border, a size, a format, a camera.

use rayon::prelude::*;

use super::circumstances::Circumstance;
use super::ridge::{Hits, Ready};
use crate::base::seed::{Purpose, Seed};
use crate::eval::Interval;
use crate::eval::compare::interval;
use crate::eval::metrics::wilson;

/// Times that the labels are drawn anew.
const DRAWINGS: u64 = 999;

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
    /// How many standard deviations it lies above what it gives with labels that are drawn anew: the mean recall, or the class that is told best (the share of
    /// its photos that are told so, less that of all others; Youden 1950), whichever is more. One class alone can be told where the mean is not above chance.
    pub deviations: f64,
    /// How probable a probe as good or better is, of any circumstance, where none tells anything (Westfall & Young 1993): one in a thousand at least.
    pub p_value: f64,
    /// The recall of each class, with Wilson's interval.
    pub recalls: Vec<Interval>,
    /// The share of all other photos that are told as this class, with Wilson's interval.
    pub alarms: Vec<Interval>,
}

impl Probe {
    /// Whether it is shown that the circumstance tells classes: better than all 999 drawings of labels, and the interval is above chance.
    pub fn is_shown(&self) -> bool {
        let tells = self.told.low > self.chance || !self.classes().is_empty();
        self.p_value <= 1.0 / (DRAWINGS + 1) as f64 && tells
    }

    /// The classes that it tells, best first: those of which more photos are told so than of all others, at the near ends of both intervals. A class that
    /// everything is taken for is told as little as one that nothing is.
    pub fn classes(&self) -> Vec<usize> {
        let more = |class: usize| self.recalls[class].value - self.alarms[class].value;
        let mut found: Vec<usize> =
            (0..self.recalls.len()).filter(|&class| self.recalls[class].low > self.alarms[class].high).collect();
        found.sort_by(|&a, &b| more(b).total_cmp(&more(a)).then(a.cmp(&b)));
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
    let share = |hits: &[Hits]| {
        let shares: Vec<f64> =
            hits.iter().filter(|own| own.all > 0).map(|own| own.hits as f64 / own.all as f64).collect();
        shares.iter().sum::<f64>() / shares.len().max(1) as f64
    };
    let best = |hits: &[Hits]| {
        let more = |own: &Hits| {
            let others = targets.len() - own.all;
            own.hits as f64 / own.all as f64 - own.alarms as f64 / others.max(1) as f64
        };
        hits.iter().filter(|own| own.all > 0).map(more).fold(-1.0, f64::max)
    };
    let both = |hits: &[Hits]| [share(hits), best(hits)];
    let drawing = |number: u64| -> Vec<[f64; 2]> {
        let mut drawn = targets.to_vec();
        seed.stream(Purpose::Audit, number, 0).shuffle(&mut drawn);
        ready.iter().map(|ready| both(&ready.hits(&drawn, classes))).collect()
    };
    let drawn: Vec<Vec<[f64; 2]>> = (0..DRAWINGS).into_par_iter().map(drawing).collect();
    let count = DRAWINGS as f64;
    let norm = |own: usize, which: usize| {
        let mean = drawn.iter().map(|each| each[own][which]).sum::<f64>() / count;
        let square: f64 = drawn.iter().map(|each| (each[own][which] - mean).powi(2)).sum();
        (mean, (square / (count - 1.0)).sqrt())
    };
    let norms: Vec<[(f64, f64); 2]> = (0..ready.len()).map(|own| [0, 1].map(|which| norm(own, which))).collect();
    let above = |own: usize, found: [f64; 2]| {
        let one = |which: usize| match norms[own][which] {
            (mean, spread) if spread > 0.0 => (found[which] - mean) / spread,
            _ => 0.0,
        };
        one(0).max(one(1))
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
            let deviations = above(own, both(&hits));
            let as_good = most.iter().filter(|most| **most >= deviations).count();
            Probe {
                name: one.name,
                what: one.what,
                told: bootstrapped(share(&hits), &hits),
                chance: 1.0 / with_photos.max(1) as f64,
                deviations,
                p_value: (1 + as_good) as f64 / (count + 1.0),
                recalls: hits.iter().map(|own| wilson(own.hits, own.all)).collect(),
                alarms: hits.iter().map(|own| wilson(own.alarms, targets.len() - own.all)).collect(),
            }
        })
        .collect();
    found.sort_by(|a, b| b.deviations.total_cmp(&a.deviations));
    found
}

/// The mean recall with its bootstrap, which draws as many photos of each class as there are.
fn bootstrapped(share: f64, hits: &[Hits]) -> Interval {
    let mut stream = Seed(0).stream(Purpose::Bootstrap, 1, 0);
    let there: Vec<&Hits> = hits.iter().filter(|own| own.all > 0).collect();
    interval(share, &mut || {
        let recall =
            |own: &&Hits| (0..own.all).filter(|_| stream.below(own.all) < own.hits).count() as f64 / own.all as f64;
        there.iter().map(recall).sum::<f64>() / there.len().max(1) as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A circumstance of so many columns, drawn; where `planted`, the last class has a column of its own.
    fn drawn(name: &'static str, targets: &[usize], width: usize, planted: bool, seed: u64) -> Circumstance {
        let mut stream = Seed(seed).stream(Purpose::Examples, width as u64, 0);
        let last = targets.iter().max().copied().unwrap_or(0);
        let columns = targets.iter().map(|&target| {
            let column = stream.below(width - 1);
            vec![if planted && target == last { width - 1 } else { column }]
        });
        Circumstance { name, what: "", columns: columns.collect(), width }
    }

    /// Sets of 40 and 90 photos in classes of unequal sizes: 1 in 1,000 would be told by chance.
    #[test]
    fn f92_by_chance_no_circumstance_is_told_of_hundreds_of_sets() {
        for seed in 0..200 {
            let count = if seed % 2 == 0 { 40 } else { 90 };
            let targets: Vec<usize> = (0..count).map(|photo| [0, 0, 0, 1, 1, 2][photo % 6]).collect();
            let folds: Vec<usize> = (0..count).map(|photo| photo / 6 % 5).collect();
            let both = [drawn("one", &targets, 9, false, seed), drawn("other", &targets, 4, false, seed)];
            let found = probes(&both, &targets, &folds, 3, Seed(seed));
            assert!(found.iter().all(|probe| !probe.is_shown()), "seed {seed}: {found:?}");
            assert!(found.iter().all(|probe| (probe.told.value - probe.chance).abs() < 0.35));
        }
    }

    #[test]
    fn a_planted_circumstance_is_told_and_names_its_class_and_one_thread_gives_the_same() {
        let targets: Vec<usize> = (0..90).map(|photo| photo % 3).collect();
        let folds: Vec<usize> = (0..90).map(|photo| photo / 3 % 5).collect();
        let all = [drawn("noise", &targets, 6, false, 1), drawn("planted", &targets, 6, true, 1)];
        let found = probes(&all, &targets, &folds, 3, Seed(1));
        assert_eq!((found[0].name, found[0].is_shown(), found[0].classes()[0]), ("planted", true, 2));
        assert_eq!((found[0].recalls[2].value, found[0].alarms[2].value, found[0].p_value), (1.0, 0.0, 0.001));
        assert!(!found[1].is_shown() && found[0].told.low > found[0].chance);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one.install(|| probes(&all, &targets, &folds, 3, Seed(1))), found);
        // Where the other classes share the columns exactly, their recall is below chance, since what is left to learn from is what is not asked about: the mean
        // is hardly above chance, and the one class is told all the same.
        let class = |photo: usize| photo % 5;
        let targets: Vec<usize> = (0..195).map(class).collect();
        let folds: Vec<usize> =
            (0..195).map(|photo| (photo / 5 * [1, 2, 3, 4, 1][class(photo)] + class(photo)) % 5).collect();
        let columns = (0..195).map(|photo| vec![if class(photo) == 2 { 0 } else { photo / 5 % 3 }]).collect();
        let date = Circumstance { name: "date", what: "", columns, width: 3 };
        let found = probes(&[date], &targets, &folds, 5, Seed(1));
        assert!(found[0].is_shown() && found[0].classes().contains(&2), "{found:?}");
        assert!(found[0].told.low < 0.3, "{found:?}");
        // What is the same in all photos cannot tell anything.
        let constant = Circumstance { name: "constant", what: "", columns: vec![vec![0]; 90], width: 1 };
        assert_eq!(probes(&[constant], &targets, &folds, 3, Seed(1)), []);
    }
}
