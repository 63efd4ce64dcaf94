//! Photos that show the same: copies, and copies that were resized, encoded again, recoloured, mirrored or cropped a little.
//!
//! docs/DUPLICATES.md tells how it is decided, and on what its bounds were measured.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::verify::Checked;
use crate::pixels::Fingerprint;
use crate::pixels::candidates::candidates;
use crate::pixels::fingerprint::Small;
use crate::pixels::likeness::Comparable;

/// Two photos that show the same, by their places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The one.
    pub one: usize,
    /// The other, a later one.
    pub other: usize,
    /// How alike they are where they differ most, 0 to 1; 1 for equal ones.
    pub likeness: f32,
}

/// What was found among some photos.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// All pairs, in the order of the photos. Of many that are equal, only the first is paired with each of the others.
    pub pairs: Vec<Pair>,
    /// For each photo, the first one of its group: itself for most. All of a group are like each other.
    pub groups: Vec<usize>,
}

impl Found {
    /// What there is where nothing is looked for: each photo for itself.
    pub fn nothing(photos: usize) -> Self {
        Self { pairs: Vec::new(), groups: (0..photos).collect() }
    }
}

/// Finds photos that are equal, or alike by this much at least where they differ most.
pub fn find(photos: &[Checked], threshold: f64) -> Found {
    let equals = equals(photos);
    let near = near(photos, &equals, threshold as f32);
    let mut found = Found::nothing(photos.len());
    for members in &equals {
        found.add(members[0], &members[1..], 1.0);
    }
    for &(a, b, likeness) in &near {
        let (a, b) = (&equals[a], &equals[b]);
        found.add(a[0], b, likeness);
        found.add(b[0], &a[1..], likeness);
    }
    found.pairs.sort_by_key(|pair| (pair.one, pair.other));
    for members in grouped(equals.len(), near) {
        let members: BTreeSet<usize> = members.iter().flat_map(|&unit| &equals[unit]).copied().collect();
        let first = members.first().copied().unwrap_or(0);
        members.into_iter().for_each(|photo| found.groups[photo] = first);
    }
    found
}

impl Found {
    fn add(&mut self, one: usize, others: &[usize], likeness: f32) {
        let pair = |&other: &usize| Pair { one: one.min(other), other: one.max(other), likeness };
        self.pairs.extend(others.iter().map(pair));
    }
}

/// The photos, those together that are equal: byte for byte, or as pictures are compared. In an order that comes from what they are, not from
/// what they are called.
fn equals(photos: &[Checked]) -> Vec<Vec<usize>> {
    // The first photo of each content, of each flat picture, of each small one.
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut small: BTreeMap<(&[u8], &[Vec<u8>; 2]), usize> = BTreeMap::new();
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, photo) in photos.iter().enumerate() {
        let by_pixels = match &photo.fingerprint {
            Fingerprint::Flat(sha256) => *first.entry(sha256).or_insert(index),
            Fingerprint::Small(own) => *small.entry((&own.grey, &own.colour)).or_insert(index),
        };
        members.entry(by_pixels).or_default().push(index);
    }
    let mut equals: Vec<_> = members.into_values().collect();
    equals.sort_by_cached_key(|members| members.iter().map(|&photo| &photos[photo].sha256).min().cloned());
    equals
}

/// All pairs of these that are alike, and how much.
fn near(photos: &[Checked], equals: &[Vec<usize>], threshold: f32) -> Vec<(usize, usize, f32)> {
    let (mut units, mut small): (Vec<usize>, Vec<&Small>) = (Vec::new(), Vec::new());
    for (unit, members) in equals.iter().enumerate() {
        if let Fingerprint::Small(own) = &photos[members[0]].fingerprint {
            units.push(unit);
            small.push(own);
        }
    }
    let compared: Vec<_> = candidates(&small)
        .into_par_iter()
        .map(|found| {
            let (one, other) =
                (Comparable::of(small[found.one], false), Comparable::of(small[found.other], found.mirrored));
            ((units[found.one], units[found.other]), one.likeness(&other, found.lay))
        })
        .collect();
    // Straight and mirrored are two candidates.
    let mut best: BTreeMap<(usize, usize), f32> = BTreeMap::new();
    for (pair, likeness) in compared.into_iter().filter(|(_, likeness)| *likeness >= threshold) {
        let known = best.entry(pair).or_insert(likeness);
        *known = known.max(likeness);
    }
    best.into_iter().map(|((a, b), likeness)| (a, b, likeness)).collect()
}

/// Groups in which every two are alike (complete linkage): the likest pairs first, two groups become one where all their pairs are alike.
fn grouped(count: usize, mut near: Vec<(usize, usize, f32)>) -> Vec<Vec<usize>> {
    let alike: BTreeSet<(usize, usize)> = near.iter().map(|&(a, b, _)| (a, b)).collect();
    near.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    let mut group: Vec<usize> = (0..count).collect();
    let mut members: Vec<Vec<usize>> = (0..count).map(|unit| vec![unit]).collect();
    for (a, b, _) in near {
        let (a, b) = (group[a], group[b]);
        let all_alike =
            || members[a].iter().all(|&x| members[b].iter().all(|&y| alike.contains(&(x.min(y), x.max(y)))));
        if a != b && all_alike() {
            let moved = std::mem::take(&mut members[b]);
            moved.iter().for_each(|&unit| group[unit] = a);
            members[a].extend(moved);
        }
    }
    members.retain(|members| !members.is_empty());
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_group_are_alike_and_the_likest_come_first() {
        // 0 – 1 – 2 is a chain; 3, 4 and 5 are all alike.
        let near = vec![(0, 1, 0.8), (1, 2, 0.9), (3, 4, 0.8), (3, 5, 0.9), (4, 5, 0.85)];
        assert_eq!(grouped(7, near), [vec![0], vec![1, 2], vec![4, 3, 5], vec![6]]);
    }
}
