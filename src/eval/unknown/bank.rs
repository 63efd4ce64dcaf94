//! The training photos whose features a model file carries.

use super::neighbours::unit;
use crate::base::seed::{Purpose, Seed};
use crate::models::Bank;

/// Photos whose features a model file carries at most.
pub const MOST_IN_BANK: usize = 2_000;
/// Numbers a photo that such features have at most: the baseline's, which are no features but maps, have more.
pub const MOST_FEATURES: usize = 4_096;

/// Which photos' features are kept, of so many photos of these classes: all, or as many of each class as there is room for, drawn from the seed. In order.
///
/// ```
/// use petal::Seed;
/// use petal::eval::unknown::bank::kept_in_bank;
///
/// assert_eq!(kept_in_bank(&[0, 1, 0], 5, Seed(1)), [0, 1, 2]);
/// let kept = kept_in_bank(&[0, 0, 0, 0, 0, 1], 4, Seed(1));
/// assert!(kept.len() == 4 && kept.contains(&5));
/// ```
pub fn kept_in_bank(targets: &[usize], most: usize, seed: Seed) -> Vec<usize> {
    let classes = targets.iter().max().map_or(0, |most| most + 1);
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
    targets.iter().enumerate().for_each(|(photo, &target)| by_class[target].push(photo));
    for (class, photos) in by_class.iter_mut().enumerate() {
        seed.stream(Purpose::Bank, 0, class as u64).shuffle(photos);
    }
    let mut kept = Vec::new();
    // One of each class, then another, until there is no more room, or no more photo.
    while kept.len() < most && by_class.iter().any(|photos| !photos.is_empty()) {
        for photos in &mut by_class {
            kept.extend(photos.pop().filter(|_| kept.len() < most));
        }
    }
    kept.sort_unstable();
    kept
}

/// The features of these photos, ready to be compared with.
pub fn bank(features: &[Vec<f32>]) -> Option<Bank> {
    let width = features.first()?.len();
    let rows = features.iter().map(|row| unit(row));
    // A photo without any feature lies nowhere.
    let values: Vec<f32> = rows.filter(|row| row.iter().any(|v| *v != 0.0)).flatten().collect();
    (!values.is_empty()).then(|| Bank { width, values: values.into() })
}
