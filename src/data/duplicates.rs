//! Photos that show the same: copies, and copies that were resized or encoded again.

use super::verify::Checked;
use crate::pixels::hash;

/// Hashes of photos that show the same differ in at most so many of 64 bits …
const NEAR_BITS: u32 = 6;
/// … and their 16 × 16 greys by at most this on average, of 255.
const NEAR_GREY: f32 = 8.0;

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
    if hash::distance(a.dhash, b.dhash) > NEAR_BITS {
        return false;
    }
    let grey: f32 = a.thumbnail.iter().zip(&b.thumbnail).map(|(a, b)| (a - b).abs()).sum();
    a.sha256 == b.sha256 || grey / a.thumbnail.len() as f32 <= NEAR_GREY
}
