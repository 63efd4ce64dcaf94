//! Photos dealt into folds, and what classifiers say of those that they have not learned from.
//!
//! A network that has learned from a photo in the wrong class knows it by heart, and its loss says nothing. What a classifier says that has not seen the
//! photo, nor one that shows the same, are the out-of-sample probabilities of confident learning (Northcutt et al. 2021, arXiv:1911.00068).

use std::path::Path;

use rayon::prelude::*;

use super::event::Event;
use super::inputs::{self, Inputs};
use super::instant::features;
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};
use crate::base::work::{Progress, Unit, Work};
use crate::data::Loader;
use crate::models::{Cut, Model};
use crate::nn::convex::{Rows, solve};

/// The fold of each photo: class by class, groups in a drawn order, each into the fold that has fewest of the class; all of a group go into one.
/// `groups` names for each photo its group; a group belongs to the class of its first photo.
///
/// ```
/// use petal::Seed;
/// use petal::train::folds::deal;
///
/// // Photos 0 and 3 show the same.
/// let folds = deal(&[0, 0, 0, 0, 1, 1], &[0, 1, 2, 0, 4, 5], 2, Seed(1));
/// assert_eq!(folds[0], folds[3]);
/// assert_ne!(folds[4], folds[5]);
/// ```
pub fn deal(targets: &[usize], groups: &[usize], folds: usize, seed: Seed) -> Vec<usize> {
    let folds = folds.max(1);
    let classes = targets.iter().max().map_or(0, |most| most + 1);
    let mut members: Vec<(usize, Vec<usize>)> = Vec::new();
    for (photo, group) in groups.iter().enumerate() {
        match members.iter_mut().find(|(other, _)| other == group) {
            Some((_, photos)) => photos.push(photo),
            None => members.push((*group, vec![photo])),
        }
    }
    let mut dealt = vec![0; targets.len()];
    let mut whole = vec![0usize; folds];
    for class in 0..classes {
        let mut own: Vec<&Vec<usize>> =
            members.iter().map(|(_, photos)| photos).filter(|photos| targets[photos[0]] == class).collect();
        seed.stream(Purpose::Folds, 0, class as u64).shuffle(&mut own);
        let mut filled = vec![0usize; folds];
        for photos in own {
            let fewest = (0..folds).min_by_key(|&fold| (filled[fold], whole[fold], fold)).unwrap_or(0);
            filled[fewest] += photos.len();
            whole[fewest] += photos.len();
            photos.iter().for_each(|&photo| dealt[photo] = fewest);
        }
    }
    dealt
}

/// What a cross-validation has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Folds {
    /// The fold of each photo, those of the loaders one after the other.
    pub folds: Vec<usize>,
    /// The probability of each class, photo by photo, by a classifier that has not learned from the photo's fold.
    pub told: Vec<Vec<f64>>,
}

/// Cross-validation of the head that is solved for ([`instant`](super::instant)): for each fold, a classifier of the others' features, with a strength that
/// is found among those alone. The network's head is not touched.
///
/// # Errors
/// What reading photos can give; [`ErrorKind::Config`] for fewer than 2 folds, or more than there are groups; [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn cross_validate(
    model: &Model,
    loaders: &[&Loader],
    groups: &[usize],
    folds: usize,
    config: &Config,
    cache: &Path,
    progress: &mut dyn Progress,
) -> Result<Folds> {
    let (mut rows, mut targets) = (Rows::new(model.features(), &[]), Vec::new());
    for loader in loaders {
        let inputs = if config.cache {
            // Features are few; older files of the cache make room for them only where the disk is full.
            let mut work = Work::new("computing features", Unit::Photos, loader.len() as u64);
            let mut tell = |event: &Event| match event {
                Event::Caching { done, .. } => work.at(*done as u64, progress),
                _ => Ok(()),
            };
            let [inputs] = inputs::cached(model, Cut::Features, [(*loader, vec![0])], cache, u64::MAX, &mut tell)?;
            inputs
        } else {
            Inputs::direct(model, Cut::Features, loader)?
        };
        let (own, classes) = features(&inputs)?;
        rows.values.extend(own.values);
        targets.extend(classes);
    }
    let classes = loaders.first().map_or(0, |loader| loader.subset().classes.len());
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if folds < 2 || folds > distinct.len() {
        return Err(Error::config("the number of folds", folds, &format!("2 to {}", distinct.len())));
    }
    let seed = Seed(config.seed);
    let dealt = deal(&targets, groups, folds, seed);
    let parts: Vec<Vec<(usize, Vec<f64>)>> = (0..folds)
        .into_par_iter()
        .map(|fold| {
            let (left_out, kept): (Vec<usize>, Vec<usize>) =
                (0..targets.len()).partition(|&photo| dealt[photo] == fold);
            let pick = |of: &[usize]| kept.iter().map(|&photo| of[photo]).collect::<Vec<usize>>();
            let (own, own_groups) = (pick(&targets), pick(groups));
            let inner = deal(&own, &own_groups, folds, seed);
            let solved = solve(&rows.pick(&kept), &own, &vec![1.0; own.len()], classes, &inner);
            let told = solved.linear.probabilities(&rows.pick(&left_out));
            left_out.into_iter().zip(told).collect()
        })
        .collect();
    let mut told = vec![Vec::new(); targets.len()];
    parts.into_iter().flatten().for_each(|(photo, probabilities)| told[photo] = probabilities);
    if told.iter().any(|p| p.len() != classes) {
        return Err(Error::new(ErrorKind::Bug, "a photo was in no fold of a cross-validation"));
    }
    Ok(Folds { folds: dealt, told })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_even_by_class_and_keep_groups_together() {
        let targets: Vec<usize> = (0..103).map(|photo| photo % 3).collect();
        // Groups of two: each photo and the one three places on, of the same class.
        let groups: Vec<usize> = (0..103).map(|photo| photo / 6 * 6 + photo % 3).collect();
        let folds = deal(&targets, &groups, 5, Seed(3));
        for (photo, group) in groups.iter().enumerate() {
            assert_eq!(folds[photo], folds[*group]);
        }
        for class in 0..3 {
            let of = |fold: usize| (0..103).filter(|&photo| targets[photo] == class && folds[photo] == fold).count();
            let counts: Vec<usize> = (0..5).map(of).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 2, "{counts:?}");
        }
        assert_eq!(folds, deal(&targets, &groups, 5, Seed(3)));
        assert_ne!(folds, deal(&targets, &groups, 5, Seed(4)));
    }
}
