//! Max pooling, and the average over whole pictures.

use super::elementwise::{AddRows, is_blocked, lanes, lanes_mut};
use super::geometry::Activation;
use super::simd::{self, Kernel};
use rayon::prelude::*;
use std::ops::Range;

/// Channels that are taken through a window together.
const LANES: usize = 16;

/// Max pooling of pictures of one size, with a square window. Padding is never the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// Rows of the input.
    pub in_h: usize,
    /// Columns of the input.
    pub in_w: usize,
    /// Channels.
    pub channels: usize,
    /// Rows and columns of the window.
    pub kernel: usize,
    /// Step between neighbouring windows, in input pixels.
    pub stride: usize,
    /// Rows and columns of padding on each side; at most half the window.
    pub pad: usize,
}

impl MaxPool {
    /// Rows of the output.
    pub fn out_h(&self) -> usize {
        (self.in_h + 2 * self.pad - self.kernel) / self.stride + 1
    }

    /// Columns of the output.
    pub fn out_w(&self) -> usize {
        (self.in_w + 2 * self.pad - self.kernel) / self.stride + 1
    }

    /// How many numbers one input picture holds.
    pub fn in_len(&self) -> usize {
        self.in_h * self.in_w * self.channels
    }

    /// How many numbers one output picture holds.
    pub fn out_len(&self) -> usize {
        self.out_h() * self.out_w() * self.channels
    }

    /// The rows and columns of a window that lie on the picture.
    #[inline(always)]
    fn window(&self, oy: usize, ox: usize) -> [Range<usize>; 2] {
        let &Self { in_h, in_w, kernel, stride, pad, .. } = self;
        [(oy, in_h), (ox, in_w)]
            .map(|(o, size)| (o * stride).saturating_sub(pad)..(o * stride + kernel).saturating_sub(pad).min(size))
    }

    fn check(&self, x: &[f32], y: &[f32]) {
        let Self { in_h, in_w, channels, kernel, stride, pad } = *self;
        assert!([in_h, in_w, channels, kernel, stride].iter().all(|&n| n > 0), "a size is zero: {self:?}");
        assert!(2 * pad <= kernel, "the padding is more than half the window: {self:?}");
        assert!(kernel <= in_h.min(in_w) + 2 * pad, "the window is larger than the padded picture: {self:?}");
        let batch = x.len() / self.in_len();
        assert_eq!(x.len(), batch * self.in_len(), "input of {self:?}");
        assert_eq!(y.len(), batch * self.out_len(), "output of {self:?}");
    }
}

/// The maximum of each window: `x` `[B, in_h, in_w, C]` to `y` `[B, out_h, out_w, C]`, overwritten. A window that holds a NaN
/// gives NaN.
///
/// # Panics
/// Where a slice is not as long as `pool` and the other slice say, or `pool` has a size of zero, a padding of more than half
/// the window, or a window larger than the padded picture.
pub fn max_pool_forward(pool: &MaxPool, x: &[f32], y: &mut [f32]) {
    pool.check(x, y);
    y.par_chunks_mut(pool.out_w() * pool.channels).enumerate().for_each(|(i, y)| {
        let (picture, oy) = (i / pool.out_h(), i % pool.out_h());
        let x = &x[picture * pool.in_len()..][..pool.in_len()];
        simd::run(PoolRow { pool, x, oy, y });
    });
}

/// The gradient of the input, `dx`, overwritten. Each window's gradient goes to its first maximum, row by row, as in PyTorch;
/// where it holds NaNs, to the last of them. `dx` is the gradient before the activation `before`, which `x` came out of.
///
/// `x` and `dx` are `[B, in_h, in_w, C]`, `dy` is `[B, out_h, out_w, C]`.
///
/// # Panics
/// As [`max_pool_forward`].
pub fn max_pool_backward(pool: &MaxPool, x: &[f32], dy: &[f32], before: Activation, dx: &mut [f32]) {
    pool.check(x, dy);
    assert_eq!(dx.len(), x.len(), "x and dx");
    let pictures = x.par_chunks(pool.in_len()).zip(dy.par_chunks(pool.out_len()));
    dx.par_chunks_mut(pool.in_len()).zip(pictures).for_each(|(dx, (x, dy))| {
        simd::run(PoolGradient { pool, x, dy, mask: before.mask(), dx });
    });
}

/// Whether `new` takes the place of the maximum so far.
#[inline(always)]
fn is_greater(new: f32, old: f32) -> bool {
    new > old || new.is_nan()
}

/// One row of the output, from one picture.
struct PoolRow<'a> {
    pool: &'a MaxPool,
    x: &'a [f32],
    oy: usize,
    y: &'a mut [f32],
}

impl Kernel for PoolRow<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let channels = self.pool.channels;
        for ox in 0..self.pool.out_w() {
            let window = self.pool.window(self.oy, ox);
            let blocks = channels / LANES * LANES;
            for c in (0..blocks).step_by(LANES) {
                *lanes_mut(self.y, ox * channels + c) = maximum::<LANES>(self.pool, self.x, &window, c).0;
            }
            for c in blocks..channels {
                *lanes_mut(self.y, ox * channels + c) = maximum::<1>(self.pool, self.x, &window, c).0;
            }
        }
    }
}

/// The maxima of a window in `L` channels from `c` on, and which pixel of it each is.
#[inline(always)]
fn maximum<const L: usize>(pool: &MaxPool, x: &[f32], window: &[Range<usize>; 2], c: usize) -> ([f32; L], [u32; L]) {
    let (mut best, mut place) = ([f32::NEG_INFINITY; L], [0; L]);
    let mut i = 0;
    for row in window[0].clone() {
        for column in window[1].clone() {
            let x = lanes::<L>(x, (row * pool.in_w + column) * pool.channels + c);
            for lane in 0..L {
                let greater = is_greater(x[lane], best[lane]);
                best[lane] = if greater { x[lane] } else { best[lane] };
                place[lane] = if greater { i } else { place[lane] };
            }
            i += 1;
        }
    }
    (best, place)
}

/// One picture's gradient.
struct PoolGradient<'a> {
    pool: &'a MaxPool,
    x: &'a [f32],
    dy: &'a [f32],
    mask: Option<(f32, f32)>,
    dx: &'a mut [f32],
}

impl Kernel for PoolGradient<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let &MaxPool { in_h, in_w, channels, kernel, stride, .. } = self.pool;
        // Each pixel is in one window: it is written once.
        let alone = kernel == stride && self.pool.pad == 0 && in_h % kernel == 0 && in_w % kernel == 0;
        if !alone {
            self.dx.fill(0.0);
        }
        for position in 0..self.dy.len() / channels {
            let window = self.pool.window(position / self.pool.out_w(), position % self.pool.out_w());
            let blocks = channels / LANES * LANES;
            for c in (0..blocks).step_by(LANES) {
                self.window::<LANES>(position, &window, c, !alone);
            }
            for c in blocks..channels {
                self.window::<1>(position, &window, c, !alone);
            }
        }
    }
}

impl PoolGradient<'_> {
    /// `L` channels from `c` on of one window.
    #[inline(always)]
    fn window<const L: usize>(&mut self, position: usize, window: &[Range<usize>; 2], c: usize, accumulate: bool) {
        let &MaxPool { in_w, channels, .. } = self.pool;
        let (best, place) = maximum::<L>(self.pool, self.x, window, c);
        let mut dy = *lanes::<L>(self.dy, position * channels + c);
        if let Some(mask) = self.mask {
            for lane in 0..L {
                dy[lane] = if is_blocked(best[lane], mask) { 0.0 } else { dy[lane] };
            }
        }
        let mut i = 0;
        for row in window[0].clone() {
            for column in window[1].clone() {
                let dx = lanes_mut::<L>(self.dx, (row * in_w + column) * channels + c);
                for lane in 0..L {
                    let own = if place[lane] == i { dy[lane] } else { 0.0 };
                    dx[lane] = if accumulate { dx[lane] + own } else { own };
                }
                i += 1;
            }
        }
    }
}

/// The average of each channel over each picture: `x` `[B, positions, C]` to `y` `[B, C]`, overwritten.
///
/// # Panics
/// Where `positions` or `channels` is zero, or the lengths don't fit each other.
pub fn average_pool_forward(positions: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    check_average(positions, channels, x, y);
    y.par_chunks_mut(channels).zip(x.par_chunks(positions * channels)).for_each(|(y, x)| {
        y.fill(0.0);
        simd::run(AddRows { rows: x, stride: channels, from: 0, sums: y });
        y.iter_mut().for_each(|y| *y /= positions as f32);
    });
}

/// The gradient of the input: `dy` `[B, C]` to `dx` `[B, positions, C]`, overwritten.
///
/// # Panics
/// As [`average_pool_forward`].
pub fn average_pool_backward(positions: usize, channels: usize, dy: &[f32], dx: &mut [f32]) {
    check_average(positions, channels, dx, dy);
    dx.par_chunks_mut(positions * channels).zip(dy.par_chunks(channels)).for_each(|(dx, dy)| {
        for dx in dx.chunks_exact_mut(channels) {
            for (dx, &dy) in dx.iter_mut().zip(dy) {
                *dx = dy / positions as f32;
            }
        }
    });
}

fn check_average(positions: usize, channels: usize, x: &[f32], y: &[f32]) {
    assert!(positions > 0 && channels > 0, "a size is zero");
    let batch = y.len() / channels;
    assert_eq!(y.len(), batch * channels, "pictures of {channels} channels");
    assert_eq!(x.len(), batch * positions * channels, "{batch} pictures of {positions} positions, {channels} channels");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::{Level, run_on};
    use crate::kernels::tests::numbers;

    #[test]
    fn every_vector_unit_gives_the_same_bytes() {
        let pool = &MaxPool { in_h: 9, in_w: 7, channels: 37, kernel: 3, stride: 2, pad: 1 };
        let (x, dy) = (&numbers(pool.in_len(), 1)[..], &numbers(pool.out_len(), 2)[..]);
        let all = |level| {
            let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            for (oy, y) in y.chunks_mut(pool.out_w() * pool.channels).enumerate() {
                run_on(level, PoolRow { pool, x, oy, y });
            }
            run_on(level, PoolGradient { pool, x, dy, mask: Some((0.0, 6.0)), dx: &mut dx });
            (y, dx)
        };
        assert!(Level::available().all(|level| all(level) == all(Level::Portable)));
    }
}
