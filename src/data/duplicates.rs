//! Photos that show the same: copies, and copies that were resized, encoded again or recoloured.
//!
//! The bounds were set by hand on 2,493 photos of flowers: they find 3 copies and 5 recoloured ones there, and no two photos that
//! only resemble each other (those have correlations up to 0.90).

use super::verify::Checked;
use crate::pixels::hash;

/// Hashes of photos that show the same differ in at most so many of 64 bits …
const NEAR_BITS: u32 = 8;
/// … and their small grey copies have at least this correlation.
const NEAR_GREY: f64 = 0.92;

/// For each photo, the first one that it is (nearly) the same as: itself for most.
pub fn groups(photos: &[Checked]) -> Vec<usize> {
    let mut first: Vec<usize> = (0..photos.len()).collect();
    let root = |first: &[usize], mut index: usize| {
        while first[index] != index {
            index = first[index];
        }
        index
    };
    for a in 0..photos.len() {
        for b in a + 1..photos.len() {
            if is_near(&photos[a], &photos[b]) {
                let (low, high) = (root(&first, a), root(&first, b));
                first[low.max(high)] = low.min(high);
            }
        }
    }
    (0..photos.len()).map(|index| root(&first, index)).collect()
}

/// Whether two photos show the same.
pub fn is_near(a: &Checked, b: &Checked) -> bool {
    let look_alike = || correlation(&a.thumbnail, &b.thumbnail) >= NEAR_GREY;
    a.sha256 == b.sha256 || (hash::distance(a.dhash, b.dhash) <= NEAR_BITS && look_alike())
}

/// Pearson's correlation; of pictures of one grey, whether they are equal.
fn correlation(a: &[u8], b: &[u8]) -> f64 {
    let mean = |values: &[u8]| values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut only_a, mut only_b) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        both += a * b;
        only_a += a * a;
        only_b += b * b;
    }
    if only_a == 0.0 || only_b == 0.0 { f64::from(u8::from(a == b)) } else { both / (only_a * only_b).sqrt() }
}
