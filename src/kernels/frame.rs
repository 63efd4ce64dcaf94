//! How work is cut into tasks: by sizes alone, so that the number of threads changes no byte.

use rayon::prelude::*;

/// Numbers that one task goes through where nothing else sets the size.
pub(super) const CHUNK: usize = 1 << 16;

/// Cuts each picture of `picture` numbers (the last may be shorter) into parts of `part`, each a task: which picture, where in it the
/// part starts, and the part.
pub(super) fn picture_parts(
    y: &mut [f32],
    picture: usize,
    part: usize,
) -> impl ParallelIterator<Item = (usize, usize, &mut [f32])> {
    y.par_chunks_mut(picture).enumerate().flat_map(move |(i, y)| {
        let parts = y.par_chunks_mut(part).enumerate();
        parts.map(move |(j, y)| (i, j * part, y))
    })
}

/// The parts of [`picture_parts`] one after the other. Without end where there are no pictures at all: then each is empty.
pub(super) fn parts_in_order(y: &mut [f32], picture: usize, part: usize) -> impl Iterator<Item = &mut [f32]> {
    let parts = y.chunks_mut(picture).flat_map(move |y| y.chunks_mut(part));
    parts.chain(std::iter::repeat_with(Default::default))
}

/// Divides each of `count` equal parts of a slice into blocks of `len`; gives the first block of each part, then the second, …
pub(super) fn blocks(slice: &mut [f32], count: usize, len: usize) -> Vec<Vec<&mut [f32]>> {
    let part = slice.len() / count;
    let mut parts: Vec<_> = slice.chunks_mut(part).map(|part| part.chunks_mut(len)).collect();
    (0..part.div_ceil(len)).map(|_| parts.iter_mut().filter_map(Iterator::next).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_their_picture() {
        let mut y: Vec<f32> = (0..11).map(|i| i as f32).collect();
        let all: Vec<_> = picture_parts(&mut y, 6, 4).map(|(i, start, part)| (i, start, part[0], part.len())).collect();
        assert_eq!(all, [(0, 0, 0.0, 4), (0, 4, 4.0, 2), (1, 0, 6.0, 4), (1, 4, 10.0, 1)]);
        let lens: Vec<_> = parts_in_order(&mut y, 6, 4).map(|part| part.len()).take(6).collect();
        assert_eq!(lens, [4, 2, 4, 1, 0, 0]);
    }

    #[test]
    fn blocks_of_all_parts_come_together() {
        let mut y: Vec<f32> = (0..10).map(|i| i as f32).collect();
        assert_eq!(blocks(&mut y, 2, 3), [[&[0.0, 1.0, 2.0][..], &[5.0, 6.0, 7.0]], [&[3.0, 4.0], &[8.0, 9.0]]]);
    }
}
