//! Each channel of a picture times a number of its own, and the gradients of both.

use super::frame::CHUNK;
use super::simd::{self, Kernel, lanes, lanes_mut};
use rayon::prelude::*;

/// Channels that are summed together.
const LANES: usize = 16;

/// Each channel times its factor: `x` `[B, positions, C]` and `factors` `[B, C]` to `y` `[B, positions, C]`, overwritten.
///
/// # Panics
/// Where `channels` is zero, or the lengths don't fit each other.
///
/// ```
/// use petal::kernels::scale;
///
/// // One picture of two pixels and two channels.
/// let (x, factors, mut y) = ([1.0, 2.0, 3.0, 4.0], [10.0, 0.5], [0.0; 4]);
/// scale::forward(&x, &factors, 2, &mut y);
/// assert_eq!(y, [10.0, 1.0, 30.0, 2.0]);
///
/// let (mut dx, mut df) = ([0.0; 4], [0.0; 2]);
/// scale::backward_factors(&x, &[1.0, 1.0, 1.0, 0.0], 2, &mut df);
/// assert_eq!(df, [4.0, 2.0]);
/// scale::backward_input(&factors, &[100.0, 100.0], &[1.0, 1.0, 1.0, 0.0], 2, false, &mut dx);
/// assert_eq!(dx, [110.0, 100.5, 110.0, 100.0]);
/// ```
pub fn forward(x: &[f32], factors: &[f32], channels: usize, y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "x and y");
    let picture = picture_len(x, factors, channels);
    let part = part_len(picture, channels);
    let pictures = y.par_chunks_mut(picture).zip(x.par_chunks(picture)).zip(factors.par_chunks(channels));
    pictures.for_each(|((y, x), factors)| {
        y.par_chunks_mut(part).zip(x.par_chunks(part)).for_each(|(y, x)| simd::run(Scale { x, factors, y }));
    });
}

/// The gradient of the factors, overwritten: of each channel, `Σ dy · x` over the picture. `df` is `[B, C]`.
///
/// # Panics
/// As [`forward`].
pub fn backward_factors(x: &[f32], dy: &[f32], channels: usize, df: &mut [f32]) {
    assert_eq!(x.len(), dy.len(), "x and dy");
    let picture = picture_len(x, df, channels);
    let pictures = df.par_chunks_mut(channels).zip(x.par_chunks(picture)).zip(dy.par_chunks(picture));
    pictures.for_each(|((df, x), dy)| simd::run(Products { x, dy, df }));
}

/// The gradient of the input: `dx += …` where `accumulate`, else `dx = …`, of `dy · factor + more`. `more` `[B, C]` is what each pixel of a channel gets
/// besides.
///
/// # Panics
/// As [`forward`].
pub fn backward_input(factors: &[f32], more: &[f32], dy: &[f32], channels: usize, accumulate: bool, dx: &mut [f32]) {
    assert_eq!((dx.len(), more.len()), (dy.len(), factors.len()), "dx and dy, factors and more");
    let picture = picture_len(dy, factors, channels);
    let part = part_len(picture, channels);
    let each = factors.par_chunks(channels).zip(more.par_chunks(channels));
    dx.par_chunks_mut(picture).zip(dy.par_chunks(picture)).zip(each).for_each(|((dx, dy), (factors, more))| {
        let parts = dx.par_chunks_mut(part).zip(dy.par_chunks(part));
        parts.for_each(|(dx, dy)| simd::run(Back { factors, more, dy, accumulate, dx }));
    });
}

/// Numbers of a picture.
fn picture_len(x: &[f32], factors: &[f32], channels: usize) -> usize {
    assert!(channels > 0 && !factors.is_empty(), "a size is zero");
    let batch = factors.len() / channels;
    let picture = x.len() / batch;
    assert!(picture > 0 && picture.is_multiple_of(channels), "pictures of {channels} channels");
    assert_eq!(
        (x.len(), factors.len()),
        (batch * picture, batch * channels),
        "{batch} pictures of {channels} channels"
    );
    picture
}

/// Numbers that one task takes: whole pixels.
fn part_len(picture: usize, channels: usize) -> usize {
    CHUNK.next_multiple_of(channels).min(picture)
}

struct Scale<'a> {
    x: &'a [f32],
    factors: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Scale<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let channels = self.factors.len();
        for (y, x) in self.y.chunks_exact_mut(channels).zip(self.x.chunks_exact(channels)) {
            y.iter_mut().zip(x).zip(self.factors).for_each(|((y, x), factor)| *y = x * factor);
        }
    }
}

/// `df = Σ x · dy` over one picture, channel by channel.
struct Products<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    df: &'a mut [f32],
}

impl Kernel for Products<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let channels = self.df.len();
        let blocks = channels / LANES * LANES;
        for c in (0..blocks).step_by(LANES) {
            column::<LANES>(self.x, self.dy, channels, c, lanes_mut(self.df, c));
        }
        for c in blocks..channels {
            column::<1>(self.x, self.dy, channels, c, lanes_mut(self.df, c));
        }
    }
}

/// Channels `c` and on of the sums.
#[inline(always)]
fn column<const L: usize>(x: &[f32], dy: &[f32], channels: usize, c: usize, df: &mut [f32; L]) {
    let mut sums = [0.0; L];
    for (x, dy) in x.chunks_exact(channels).zip(dy.chunks_exact(channels)) {
        let (x, dy) = (lanes::<L>(x, c), lanes::<L>(dy, c));
        (0..L).for_each(|lane| sums[lane] += x[lane] * dy[lane]);
    }
    *df = sums;
}

struct Back<'a> {
    factors: &'a [f32],
    more: &'a [f32],
    dy: &'a [f32],
    accumulate: bool,
    dx: &'a mut [f32],
}

impl Kernel for Back<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { factors, more, dy, accumulate, dx } = self;
        let channels = factors.len();
        for (dx, dy) in dx.chunks_exact_mut(channels).zip(dy.chunks_exact(channels)) {
            let each = dx.iter_mut().zip(dy).zip(factors.iter().zip(more));
            if accumulate {
                each.for_each(|((dx, dy), (factor, more))| *dx += dy * factor + more);
            } else {
                each.for_each(|((dx, dy), (factor, more))| *dx = dy * factor + more);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::{assert_close, numbers};

    #[test]
    fn matches_sums_in_f64_under_odd_sizes() {
        for (batch, positions, channels) in [(1, 2, 3), (3, 49, 37), (2, 35, 64), (1, 1200, 24)] {
            let len = batch * positions * channels;
            let (x, dy) = (numbers(len, 1), numbers(len, 2));
            let (factors, more) = (numbers(batch * channels, 3), numbers(batch * channels, 4));
            let of = |i: usize| i / (positions * channels) * channels + i % channels;
            let at = |values: &[f32], i: usize| f64::from(values[i]);
            let mut y = vec![9.0; len];
            forward(&x, &factors, channels, &mut y);
            let expected: Vec<f64> = (0..len).map(|i| at(&x, i) * at(&factors, of(i))).collect();
            assert_close(&y, &expected, "forward");
            let mut df = vec![9.0; factors.len()];
            backward_factors(&x, &dy, channels, &mut df);
            let mut expected = vec![0.0; df.len()];
            (0..len).for_each(|i| expected[of(i)] += at(&x, i) * at(&dy, i));
            assert_close(&df, &expected, "factors");
            let back = |i: usize| at(&dy, i) * at(&factors, of(i)) + at(&more, of(i));
            for accumulate in [false, true] {
                let mut dx = x.clone();
                backward_input(&factors, &more, &dy, channels, accumulate, &mut dx);
                let before = |i: usize| if accumulate { at(&x, i) } else { 0.0 };
                let expected: Vec<f64> = (0..len).map(|i| before(i) + back(i)).collect();
                assert_close(&dx, &expected, "input");
            }
        }
    }

    #[test]
    fn every_vector_unit_gives_the_same_bytes() {
        let (x, dy, factors, more) = (numbers(5 * 37, 5), numbers(5 * 37, 6), numbers(37, 7), numbers(37, 8));
        every_unit::gives_the_same_bytes(|unit| {
            let (mut y, mut dx, mut df) = (vec![0.0; x.len()], x.clone(), vec![0.0; 37]);
            unit.run(Scale { x: &x, factors: &factors, y: &mut y });
            unit.run(Products { x: &x, dy: &dy, df: &mut df });
            unit.run(Back { factors: &factors, more: &more, dy: &dy, accumulate: true, dx: &mut dx });
            (y, dx, df)
        });
    }
}
