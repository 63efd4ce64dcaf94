//! Some of many, spread evenly.

/// So many of these at most: the middle of each of as many equal stretches.
pub(crate) fn spread<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let count = most.clamp(1, all.len().max(1));
    (0..count).filter_map(move |i| all.get((2 * i + 1) * all.len() / (2 * count)))
}
