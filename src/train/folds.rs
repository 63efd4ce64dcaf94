//! Photos dealt into folds, and what classifiers say of those that they have not learned from.
//!
//! A network that has learned from a photo in the wrong class knows it by heart, and its loss says nothing. What a classifier says that has not seen the
//! photo, nor one that shows the same, are the out-of-sample probabilities of confident learning (Northcutt et al. 2021, arXiv:1911.00068).

use std::path::Path;

use super::event::Event;
use super::inputs::{self, Inputs};
use super::instant::features;
use crate::base::config::Config;
use crate::base::error::Result;
use crate::base::seed::Seed;
use crate::base::work::{Progress, Unit, Work};
use crate::data::Loader;
use crate::models::{Cut, Model};
use crate::nn::convex::{Rows, out_of_fold};

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
/// What reading photos can give; [`ErrorKind::Config`](crate::ErrorKind::Config) for fewer than 2 folds, or more than there are groups; [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if `progress` ends it.
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
    let (dealt, told) = out_of_fold(&rows, &targets, groups, classes, folds, Seed(config.seed))?;
    Ok(Folds { folds: dealt, told })
}
