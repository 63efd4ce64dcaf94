//! Which photo goes into which part: by chance from the seed, evenly over the classes, duplicates together.

use std::collections::BTreeMap;

use super::sample::Split;
use super::verify::Checked;
use crate::base::config::SplitConfig;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};

/// The part of each photo; a part whose fraction is 0 gets none. `groups` names for each photo the first one that shows the same.
///
/// Class by class, groups in a random order fill test, then val, then train, so that each class has its share of each part within
/// one photo (where groups are not larger than that share).
///
/// # Errors
/// [`ErrorKind::Dataset`] for a class of fewer photos than parts, usually three. Where copies make it so, [`split_up`] comes first.
pub fn partition(
    photos: &[&Checked],
    groups: &[usize],
    classes: &[String],
    config: &SplitConfig,
    seed: Seed,
) -> Result<Vec<Split>> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut total = vec![0; classes.len()];
    for (photo, &group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(photo);
        total[photos[photo].sample.target] += 1;
    }
    let target = |photo: usize| photos[photo].sample.target;
    let needed = fractions(config).iter().filter(|fraction| **fraction > 0.0).count();
    let of = |group: &[usize], class: usize| group.iter().filter(|&&photo| target(photo) == class).count();
    let counts: Vec<[usize; 3]> = total.iter().map(|&total| counts(total, config)).collect();
    let mut parts = vec![Split::Train; photos.len()];
    // Photos that each class may still give to test and to val.
    let mut room = [(Split::Test, 2), (Split::Val, 1)]
        .map(|(split, index)| (split, counts.iter().map(|counts| counts[index]).collect::<Vec<_>>()));
    for (class, name) in classes.iter().enumerate() {
        // A group belongs to the class of its first photo.
        let mut own: Vec<&Vec<usize>> = members.values().filter(|group| target(group[0]) == class).collect();
        if own.len() < needed {
            let what = format!("class {name:?} has {} photos that can be read; a split needs {needed}", total[class]);
            return Err(Error::new(ErrorKind::Dataset, what).mend("add photos, or remove the class's folder"));
        }
        // The order must come from what the photos are, not from how the files are called.
        own.sort_by_key(|group| &photos[group[0]].sha256);
        seed.stream(Purpose::Split, 0, class as u64).shuffle(&mut own);
        for &group in &own {
            let fits = |room: &Vec<usize>| (0..classes.len()).all(|class| of(group, class) <= room[class]);
            if let Some((split, room)) = room.iter_mut().find(|(_, room)| fits(room)) {
                (0..classes.len()).for_each(|class| room[class] -= of(group, class));
                group.iter().for_each(|&photo| parts[photo] = *split);
            }
        }
        // Where all groups are larger than a part's share, the smallest still goes there: no class is without a test.
        for split in Split::ALL
            .into_iter()
            .rev()
            .filter(|split| *split != Split::Train && fractions(config)[*split as usize] > 0.0)
        {
            if !own.iter().any(|group| parts[group[0]] == split) {
                let rest = own.iter().filter(|group| parts[group[0]] == Split::Train);
                let smallest = rest.min_by_key(|group| group.len());
                smallest.into_iter().flat_map(|group| group.iter()).for_each(|&photo| parts[photo] = split);
            }
        }
    }
    Ok(parts)
}

/// Where a class has too few groups to be in every part, each of its photos becomes a group of its own. Gives for each such class how many
/// photos are no longer with all that show the same.
pub fn split_up(
    photos: &[&Checked],
    groups: &mut [usize],
    classes: &[String],
    config: &SplitConfig,
) -> BTreeMap<String, usize> {
    let needed = fractions(config).iter().filter(|fraction| **fraction > 0.0).count();
    let target = |photo: usize| photos[photo].sample.target;
    let mut said = BTreeMap::new();
    for (class, name) in classes.iter().enumerate() {
        let own: Vec<usize> = (0..photos.len()).filter(|&photo| target(photo) == class).collect();
        // A group belongs to the class of its first photo.
        let led = own.iter().filter(|&&photo| groups[photo] == photo).count();
        if led >= needed || own.len() < needed {
            continue;
        }
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        groups.iter().enumerate().for_each(|(photo, &group)| members.entry(group).or_default().push(photo));
        members.retain(|_, members| members.len() > 1 && members.iter().any(|&photo| target(photo) == class));
        said.insert(name.clone(), members.values().flatten().filter(|&&photo| target(photo) == class).count());
        for members in members.values() {
            let (own, rest): (Vec<usize>, Vec<usize>) = members.iter().partition(|&&photo| target(photo) == class);
            own.into_iter().for_each(|photo| groups[photo] = photo);
            rest.iter().for_each(|&photo| groups[photo] = rest[0]);
        }
    }
    said
}

/// The fractions of train, val and test.
pub fn fractions(split: &SplitConfig) -> [f64; 3] {
    [split.train, split.val, split.test]
}

/// How many of `total` go into train, val and test: by largest remainder, and at least one into each.
fn counts(total: usize, config: &SplitConfig) -> [usize; 3] {
    let exact = fractions(config).map(|fraction| fraction * total as f64);
    let mut counts = exact.map(|n| (n + 1e-9).floor() as usize);
    while counts.iter().sum::<usize>() < total {
        let left = |i: usize| exact[i] - counts[i] as f64;
        let most = (0..3).max_by(|&a, &b| left(a).total_cmp(&left(b)).then(b.cmp(&a))).unwrap_or(0);
        counts[most] += 1;
    }
    for part in [1, 2] {
        if counts[part] == 0 && exact[part] > 0.0 && counts[0] > 1 {
            counts[part] = 1;
            counts[0] -= 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_the_fractions_within_one_and_never_nothing() {
        let config = SplitConfig::default();
        assert_eq!(counts(100, &config), [80, 10, 10]);
        assert_eq!(counts(3, &config), [1, 1, 1]);
        for total in 3..2000 {
            let counts = counts(total, &config);
            assert_eq!(counts.iter().sum::<usize>(), total);
            for (count, fraction) in counts.iter().zip(fractions(&config)) {
                let off = (*count as f64 - fraction * total as f64).abs();
                assert!(*count > 0 && (off < 1.0 || total < 10), "{counts:?} of {total}");
            }
        }
    }
}
