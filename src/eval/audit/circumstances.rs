//! Facts about photos in classes of their own: ranges of numbers, or words. What a small probe learns from.

use crate::data::Facts;
use std::collections::BTreeMap;

/// Ranges that a number's values are cut into, as many photos in each.
const RANGES: usize = 8;
/// Words that are told apart, the most frequent ones; the rest is one.
const WORDS: usize = 24;
/// A word that fewer photos have is among the rest.
const LEAST: usize = 3;

/// Some facts about photos that belong together, such as all of a border's colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Circumstance {
    /// What it is, as people say it: `border`.
    pub name: &'static str,
    /// What exactly.
    pub what: &'static str,
    /// For each photo, its column of each fact.
    pub(super) columns: Vec<Vec<usize>>,
    /// Columns in all.
    pub(super) width: usize,
}

impl Circumstance {
    /// Whether all photos are alike in it, so that it cannot tell anything.
    pub fn is_constant(&self) -> bool {
        self.columns.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// All circumstances of photos that are known of their files, none of which is about what a photo shows.
pub fn circumstances(facts: &[Facts]) -> Vec<Circumstance> {
    let number = |value: &dyn Fn(&Facts) -> Option<f64>| ranges(&facts.iter().map(value).collect::<Vec<_>>());
    let word = |value: &dyn Fn(&Facts) -> Option<String>| words(&facts.iter().map(value).collect::<Vec<_>>());
    let days = |one: &Facts| one.origin.taken.map(|taken| taken as f64);
    let hours = |one: &Facts| one.origin.taken.map(|taken| taken.rem_euclid(86_400) as f64);
    vec![
        joined(
            "border",
            "the colours of the outermost pixels, and how even they are",
            [
                number(&|one| Some(one.look.border[0])),
                number(&|one| Some(one.look.border[1])),
                number(&|one| Some(one.look.border[2])),
                number(&|one| Some(one.look.border_spread)),
            ],
        ),
        joined(
            "size",
            "width and height in pixels",
            [number(&|one| Some(one.size.0 as f64)), number(&|one| Some(one.size.1 as f64))],
        ),
        joined("shape", "width over height", [number(&|one| Some(one.size.0 as f64 / one.size.1.max(1) as f64))]),
        joined("format", "JPEG, PNG and so on", [word(&|one| Some(one.origin.format.name().into()))]),
        joined("quality", "how strongly JPEGs are compressed", [number(&|one| one.origin.quality.map(f64::from))]),
        joined("camera", "make and model in the EXIF data", [word(&|one| one.origin.camera.clone())]),
        joined("date", "when the photo was taken: day and hour", [number(&days), number(&hours)]),
        joined(
            "bytes a pixel",
            "the file's bytes over its pixels",
            [number(&|one| Some(one.bytes as f64 / one.pixels().max(1) as f64))],
        ),
    ]
}

/// For each photo its class in one fact, and how many there are.
type Classed = (Vec<usize>, usize);

fn joined<const N: usize>(name: &'static str, what: &'static str, facts: [Classed; N]) -> Circumstance {
    let count = facts.first().map_or(0, |(classes, _)| classes.len());
    let mut columns = vec![Vec::with_capacity(N); count];
    let mut width = 0;
    for (classes, own) in facts {
        columns.iter_mut().zip(classes).for_each(|(columns, class)| columns.push(width + class));
        width += own;
    }
    Circumstance { name, what, columns, width }
}

/// Numbers by ranges that hold about as many photos each, equal ones together; what is not known is a class of its own.
fn ranges(values: &[Option<f64>]) -> Classed {
    let mut known: Vec<f64> = values.iter().flatten().copied().collect();
    known.sort_by(f64::total_cmp);
    let mut ends: Vec<f64> = (1..RANGES).filter_map(|range| known.get(range * known.len() / RANGES).copied()).collect();
    ends.dedup();
    // A range that begins with the smallest number would have nothing below it.
    ends.retain(|end| known.first().is_some_and(|first| end > first));
    let class = |value: &Option<f64>| value.map_or(0, |value| 1 + ends.iter().filter(|end| value >= **end).count());
    (values.iter().map(class).collect(), ends.len() + 2)
}

/// Words by themselves, the most frequent ones; what is not known, and the rest, are classes of their own.
fn words(values: &[Option<String>]) -> Classed {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    values.iter().flatten().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut order: Vec<(&str, usize)> = counts.into_iter().filter(|(_, count)| *count >= LEAST).collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    order.truncate(WORDS);
    let class = |value: &Option<String>| match value {
        None => 0,
        Some(word) => order.iter().position(|(known, _)| known == word).map_or(1, |place| place + 2),
    };
    (values.iter().map(class).collect(), order.len() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_evenly_and_equal_ones_stay_together() {
        let (classes, width) = ranges(&(0..80).map(|i| Some(f64::from(i))).collect::<Vec<_>>());
        assert_eq!((width, classes[0], classes[79]), (9, 1, 8));
        assert!((1..=8).all(|class| classes.iter().filter(|own| **own == class).count() == 10));
        let (classes, width) = ranges(&[Some(5.0), Some(5.0), None, Some(5.0), Some(7.0)]);
        assert_eq!((classes, width), (vec![1, 1, 0, 1, 2], 3));
        assert_eq!(ranges(&[None, None]), (vec![0, 0], 2));
    }

    #[test]
    fn rare_words_are_one() {
        let word = |text: &str| Some(text.to_string());
        let values = [word("a"), word("a"), word("a"), word("b"), word("c"), None];
        assert_eq!(words(&values), (vec![2, 2, 2, 1, 1, 0], 3));
        let constant = joined("format", "", [words(&[word("a"), word("a")])]);
        assert!(constant.is_constant());
    }
}
