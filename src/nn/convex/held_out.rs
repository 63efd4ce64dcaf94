//! Photos dealt into folds, and what classifiers say of those that they have not learned from.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::folds::solve;
use super::rows::Rows;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};

/// The fold of each photo: class by class, groups in a drawn order, each into the fold that has fewest of the class; all of a group go into one.
/// `groups` names for each photo its group; a group belongs to the class of its first photo.
///
/// ```
/// use petal::Seed;
/// use petal::nn::convex::deal;
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

/// The probability of each class, row by row, by a classifier that has learned neither from the row's fold nor from its group; the fold of each row is
/// given first. Each classifier is the logistic regression of the other folds, with a strength that is found among those alone ([`solve`]).
///
/// ```
/// use petal::Seed;
/// use petal::nn::convex::{Rows, out_of_fold};
///
/// let rows = Rows { width: 1, values: (0..20).map(|i| f64::from(i % 2)).collect() };
/// let targets: Vec<usize> = (0..20).map(|i| i % 2).collect();
/// let (folds, told) = out_of_fold(&rows, &targets, &(0..20).collect::<Vec<_>>(), 2, 5, Seed(1))?;
/// assert_eq!(folds.iter().max(), Some(&4));
/// assert!(told.iter().zip(&targets).all(|(p, &target)| p[target] > 0.5));
/// # Ok::<(), petal::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] for fewer than 2 folds, or more than there are groups.
pub fn out_of_fold(
    rows: &Rows,
    targets: &[usize],
    groups: &[usize],
    classes: usize,
    folds: usize,
    seed: Seed,
) -> Result<(Vec<usize>, Vec<Vec<f64>>)> {
    let distinct = groups.iter().collect::<BTreeSet<_>>().len();
    if folds < 2 || folds > distinct {
        return Err(Error::config("the number of folds", folds, &format!("2 to {distinct}")));
    }
    let dealt = deal(targets, groups, folds, seed);
    let parts: Vec<Vec<(usize, Vec<f64>)>> = (0..folds)
        .into_par_iter()
        .map(|fold| {
            let (left_out, kept): (Vec<usize>, Vec<usize>) =
                (0..targets.len()).partition(|&photo| dealt[photo] == fold);
            let pick = |of: &[usize]| kept.iter().map(|&photo| of[photo]).collect::<Vec<usize>>();
            let (own, own_groups) = (pick(targets), pick(groups));
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
    Ok((dealt, told))
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
