//! Max pooling, and the average over whole pictures.

use super::elementwise::AddRows;
use super::simd::{self, Kernel};
use rayon::prelude::*;

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

    /// Where the pixels of a window are in a picture, row by row.
    #[inline(always)]
    fn window(&self, oy: usize, ox: usize) -> impl Iterator<Item = usize> + use<> {
        let Self { in_h, in_w, channels, kernel, stride, pad } = *self;
        let range = move |o: usize, size: usize| {
            (o * stride).saturating_sub(pad)..(o * stride + kernel).saturating_sub(pad).min(size)
        };
        range(oy, in_h).flat_map(move |y| range(ox, in_w).map(move |x| (y * in_w + x) * channels))
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
/// where it holds NaNs, to the last of them.
///
/// `x` and `dx` are `[B, in_h, in_w, C]`, `dy` is `[B, out_h, out_w, C]`.
///
/// # Panics
/// As [`max_pool_forward`].
pub fn max_pool_backward(pool: &MaxPool, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    pool.check(x, dy);
    assert_eq!(dx.len(), x.len(), "x and dx");
    let pictures = x.par_chunks(pool.in_len()).zip(dy.par_chunks(pool.out_len()));
    dx.par_chunks_mut(pool.in_len()).zip(pictures).for_each(|(dx, (x, dy))| {
        simd::run(PoolGradient { pool, x, dy, dx });
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
        for (ox, y) in self.y.chunks_exact_mut(channels).enumerate() {
            for (i, pixel) in self.pool.window(self.oy, ox).enumerate() {
                let x = &self.x[pixel..pixel + channels];
                if i == 0 {
                    y.copy_from_slice(x);
                    continue;
                }
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = if is_greater(x, *y) { x } else { *y };
                }
            }
        }
    }
}

/// One picture's gradient.
struct PoolGradient<'a> {
    pool: &'a MaxPool,
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for PoolGradient<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (channels, out_w) = (self.pool.channels, self.pool.out_w());
        let (mut best, mut place) = (vec![0.0; channels], vec![0_u32; channels]);
        self.dx.fill(0.0);
        for (position, dy) in self.dy.chunks_exact(channels).enumerate() {
            let (oy, ox) = (position / out_w, position % out_w);
            for (i, pixel) in (0_u32..).zip(self.pool.window(oy, ox)) {
                let x = &self.x[pixel..pixel + channels];
                if i == 0 {
                    best.copy_from_slice(x);
                    place.fill(0);
                    continue;
                }
                for ((best, place), &x) in best.iter_mut().zip(&mut place).zip(x) {
                    let greater = is_greater(x, *best);
                    *best = if greater { x } else { *best };
                    *place = if greater { i } else { *place };
                }
            }
            for (i, pixel) in (0_u32..).zip(self.pool.window(oy, ox)) {
                let dx = &mut self.dx[pixel..pixel + channels];
                for ((dx, &place), &dy) in dx.iter_mut().zip(&place).zip(dy) {
                    *dx += if place == i { dy } else { 0.0 };
                }
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
            run_on(level, PoolGradient { pool, x, dy, dx: &mut dx });
            (y, dx)
        };
        assert!(Level::available().all(|level| all(level) == all(Level::Portable)));
    }
}
