//! Whether a method's maps can be trusted for a network: two checks that need no one's eye.
//!
//! The first forgets what was learned (Adebayo et al. 2018, arXiv:1810.03292): where the head, or the head and the last stage, have random numbers, the map has to be
//! another one. The second takes the photo's pixels away in the order of the map, and brings them back into a blurred photo (RISE: Petsiuk et al. 2018,
//! arXiv:1806.07421): the class has to go sooner, and to come sooner, than in an order that chance makes of maps of the same size.

use std::path::PathBuf;

use candle_core::Tensor;

use super::cam;
use super::heat_map::HeatMap;
use super::methods::Method;
use super::removal::{STEPS, area, blurred, order, steps};
use super::similarity::{rank_correlation, ssim};
use super::spread::spread;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};
use crate::base::work::{Progress, Unit, Work};
use crate::data::photo;
use crate::eval::Interval;
use crate::models::{Cut, Inference, Model};
use crate::pixels::{Limits, Preprocess};

/// What the checks found.
#[derive(Clone, Debug)]
pub struct CamCheck {
    /// The method's title.
    pub method: &'static str,
    /// Photos that were checked.
    pub photos: usize,
    /// Photos that were asked for, of which these were spread evenly.
    pub of: usize,
    /// Photos that could not be read, and why.
    pub unreadable: Vec<(PathBuf, Error)>,
    /// With the head's numbers random, and with the head's and the last stage's.
    pub randomized: [Randomized; 2],
    /// The class's probability while the warmest pixels go, which become the mean colour.
    pub deletion: Removal,
    /// The class's probability while the warmest pixels come into a blurred photo.
    pub insertion: Removal,
}

/// How like the maps are to those of a network that has forgotten.
#[derive(Clone, Debug)]
pub struct Randomized {
    /// What has random numbers.
    pub what: &'static str,
    /// Spearman's rank correlation of both maps' fields, the mean over photos with its 95 % interval: 0 where they have nothing in common.
    pub correlation: Interval,
    /// The structural similarity of both maps as they are shown, the mean over photos.
    pub ssim: f64,
}

/// A curve of the class's probability, by the map and by chance, [`STEPS`] + 1 points each; means over photos.
#[derive(Clone, Debug)]
pub struct Removal {
    /// In the map's order.
    pub by_map: Vec<f64>,
    /// In an order of chance: that of a map of as many fields with even random values.
    pub by_chance: Vec<f64>,
    /// The area below the first minus that below the second, the mean over photos with its 95 % interval. Below 0 is good where pixels go, above 0 where they come.
    pub gain: Interval,
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The interval lies on the good side.
    Good,
    /// The interval lies on the other side.
    Bad,
    /// The interval holds both.
    Open,
}

/// With fewer photos than this, intervals say little, and no verdict is given.
pub const FEW: usize = 8;

/// Above this mean rank correlation, a map counts as the same: half of one order is that of the other.
pub const SAME: f64 = 0.5;

impl Randomized {
    /// Whether the map has become another one: the interval lies below [`SAME`].
    pub fn verdict(&self) -> Verdict {
        of(self.correlation.high < SAME, self.correlation.low > SAME)
    }
}

impl Removal {
    /// The areas by the map and by chance.
    pub fn areas(&self) -> (f64, f64) {
        (area(&self.by_map), area(&self.by_chance))
    }
}

impl CamCheck {
    /// Whether there are too few photos for any verdict.
    pub fn is_small(&self) -> bool {
        self.photos < FEW
    }

    /// Whether the class goes sooner by the map than by chance.
    pub fn deletes(&self) -> Verdict {
        of(self.deletion.gain.high < 0.0, self.deletion.gain.low > 0.0)
    }

    /// Whether the class comes sooner by the map than by chance.
    pub fn inserts(&self) -> Verdict {
        of(self.insertion.gain.low > 0.0, self.insertion.gain.high < 0.0)
    }
}

fn of(good: bool, bad: bool) -> Verdict {
    match (good, bad) {
        (true, _) => Verdict::Good,
        (_, true) => Verdict::Bad,
        _ => Verdict::Open,
    }
}

/// Checks a method on so many of these photos at most, spread evenly over them. Each map is that of the class that the network predicts. Chance is drawn from the seed.
///
/// It asks the network about a hundred times a photo.
///
/// # Errors
/// [`ErrorKind::Config`] if the network has no maps; [`ErrorKind::Image`] if no photo can be read; [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn check(
    method: &dyn Method,
    model: &Model,
    preprocess: &Preprocess,
    (photos, most): (&[PathBuf], usize),
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<CamCheck> {
    let chosen: Vec<&PathBuf> = spread(photos, most).collect();
    let side = preprocess.size;
    let inference = model.inference(Cut::Images, &[3, side, side])?;
    let forgetful = [model.randomized(0, seed), model.randomized(1, seed)];
    let [no_head, no_stage] = forgetful;
    let forgetful = [no_head?, no_stage?];
    let mut unreadable = Vec::new();
    let mut seen: Vec<Looked> = Vec::new();
    let mut work = Work::new("checking the maps", Unit::Photos, chosen.len() as u64);
    for (number, path) in chosen.into_iter().enumerate() {
        work.at(number as u64, progress)?;
        let read = photo::read(path, &Limits::NONE).and_then(|photo| preprocess.square(&photo));
        match read {
            Ok(square) => {
                let looked = Look { method, model, forgetful: &forgetful, inference: &inference, side };
                seen.push(looked.at(&preprocess.normalize(&square), seed, number as u64)?);
            }
            Err(error) => unreadable.push((path.clone(), error)),
        }
    }
    work.end(progress)?;
    if seen.is_empty() {
        return Err(Error::new(ErrorKind::Image, "no photo can be read, so there is nothing to check a method on")
            .mend("name photos that the network can be asked about"));
    }
    let randomized = |index: usize, what| Randomized {
        what,
        correlation: mean(seen.iter().map(|photo| photo.correlation[index]).collect(), seed, index as u64),
        ssim: seen.iter().map(|photo| photo.ssim[index]).sum::<f64>() / seen.len() as f64,
    };
    let removal = |index: usize| {
        let curve = |by: usize| {
            let sum = |step: usize| seen.iter().map(|photo| photo.curves[index][by][step]).sum::<f64>();
            (0..=STEPS).map(|step| sum(step) / seen.len() as f64).collect::<Vec<_>>()
        };
        let gains = seen.iter().map(|photo| area(&photo.curves[index][0]) - area(&photo.curves[index][1]));
        Removal { by_map: curve(0), by_chance: curve(1), gain: mean(gains.collect(), seed, 2 + index as u64) }
    };
    Ok(CamCheck {
        method: method.title(),
        photos: seen.len(),
        of: photos.len(),
        unreadable,
        randomized: [randomized(0, "the head"), randomized(1, "the head and the last stage")],
        deletion: removal(0),
        insertion: removal(1),
    })
}

/// What one photo is looked at with.
struct Look<'a> {
    method: &'a dyn Method,
    model: &'a Model,
    forgetful: &'a [Model; 2],
    inference: &'a Inference<'a>,
    side: usize,
}

/// What was found of one photo.
struct Looked {
    correlation: [f64; 2],
    ssim: [f64; 2],
    /// Deletion and insertion, each by the map and by chance.
    curves: [[Vec<f64>; 2]; 2],
}

impl Look<'_> {
    fn at(&self, photo: &[f32], seed: Seed, number: u64) -> Result<Looked> {
        let image = self.images(photo.to_vec())?;
        let heat = cam(self.method, self.model, &image, &[None])?.remove(0);
        let (mut correlation, mut alike) = ([0.0; 2], [0.0; 2]);
        for (index, forgetful) in self.forgetful.iter().enumerate() {
            let other = cam(self.method, forgetful, &image, &[Some(heat.class)])?.remove(0);
            correlation[index] = rank_correlation(&heat.values, &other.values);
            alike[index] = ssim(&self.shown(&heat), &self.shown(&other), self.side);
        }
        let mut stream = seed.stream(Purpose::CamCheck, 0, number);
        let values = (0..heat.values.len()).map(|_| stream.uniform() as f32).collect();
        let chance = HeatMap { values, ..heat.clone() };
        let (empty, soft) = (vec![0.0; photo.len()], blurred(photo, self.side));
        let curve = |from: &[f32], to: &[f32], heat_map: &HeatMap| -> Result<Vec<f64>> {
            let images = self.images(steps(from, to, &order(heat_map, &chance, self.side)))?;
            let told = self.inference.probabilities(&images)?;
            Ok(told.iter().map(|row| f64::from(row[heat.class])).collect())
        };
        let deletion = [curve(photo, &empty, &heat)?, curve(photo, &empty, &chance)?];
        let insertion = [curve(&soft, photo, &heat)?, curve(&soft, photo, &chance)?];
        Ok(Looked { correlation, ssim: alike, curves: [deletion, insertion] })
    }

    /// Photos `[N][side, side, 3]` as a network takes them.
    fn images(&self, values: Vec<f32>) -> Result<Tensor> {
        let count = values.len() / (3 * self.side * self.side);
        let shape = (count, self.side, self.side, 3);
        Ok(Tensor::from_vec(values, shape, &self.model.device())?.permute((0, 3, 1, 2))?)
    }

    /// A map as it is shown: as large as the photo, 1 where it is warmest.
    fn shown(&self, heat: &HeatMap) -> Vec<f32> {
        let (side, most) = (self.side, heat.max());
        let place = |at: usize| (at as f32 + 0.5) / side as f32;
        let value =
            |pixel: usize| heat.at(place(pixel % side), place(pixel / side)) / if most > 0.0 { most } else { 1.0 };
        (0..side * side).map(value).collect()
    }
}

/// A mean over photos with the interval of a bootstrap over them.
fn mean(values: Vec<f64>, seed: Seed, which: u64) -> Interval {
    let mut stream = seed.stream(Purpose::CamCheck, 1, which);
    let count = values.len();
    let mean = values.iter().sum::<f64>() / count as f64;
    let mut draw = || (0..count).map(|_| values[stream.below(count)]).sum::<f64>() / count as f64;
    crate::eval::compare::interval(mean, &mut draw)
}
