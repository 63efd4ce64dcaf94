//! Max pooling; and the average over whole pictures, in a file of its own.

mod average;
#[cfg(test)]
mod tests;

pub use average::{average_pool_backward, average_pool_forward};

use crate::kernels::activation::{Activation, is_blocked};
use crate::kernels::simd::{self, Kernel, lanes, lanes_mut};
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
/// gives NaN. Where there are `places`, as many as outputs, they get which pixel of its window each maximum is.
///
/// # Panics
/// Where a slice is not as long as `pool` and the other slice say, or `pool` has a size of zero, a padding of more than half
/// the window, or a window larger than the padded picture.
///
/// ```
/// use petal::kernels::pool::{MaxPool, max_pool_backward, max_pool_forward};
/// use petal::kernels::Activation;
///
/// // One picture of 2×4 pixels and one channel, in windows of 2×2.
/// let pool = MaxPool { in_h: 2, in_w: 4, channels: 1, kernel: 2, stride: 2, pad: 0 };
/// let (mut y, mut places, mut dx) = ([0.0; 2], [0.0; 2], [0.0; 8]);
/// max_pool_forward(&pool, &[1.0, 2.0, 5.0, 0.0, 4.0, 3.0, 0.0, 5.0], &mut y, Some(&mut places));
/// assert_eq!((y, places), ([4.0, 5.0], [2.0, 0.0]));
/// max_pool_backward(&pool, &y, &places, &[1.0, -1.0], Activation::None, &mut dx);
/// assert_eq!(dx, [0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
/// ```
pub fn max_pool_forward(pool: &MaxPool, x: &[f32], y: &mut [f32], places: Option<&mut [f32]>) {
    pool.check(x, y);
    let row = pool.out_w() * pool.channels;
    let make = |i: usize, y: &mut [f32], places: &mut [f32]| {
        let (picture, oy) = (i / pool.out_h(), i % pool.out_h());
        let x = &x[picture * pool.in_len()..][..pool.in_len()];
        simd::run(PoolRow { pool, x, oy, y, places });
    };
    let Some(places) = places else {
        return y.par_chunks_mut(row).enumerate().for_each(|(i, y)| make(i, y, &mut []));
    };
    assert_eq!(places.len(), y.len(), "a place for each output");
    y.par_chunks_mut(row).zip(places.par_chunks_mut(row)).enumerate().for_each(|(i, (y, places))| make(i, y, places));
}

/// The gradient of the input, `dx`, overwritten, from what [`max_pool_forward`] gave. Each window's gradient goes to its first
/// maximum, row by row, as in PyTorch; where it holds NaNs, to the last of them. `dx` is the gradient before the activation
/// `before`, which the input came out of.
///
/// `dx` is `[B, in_h, in_w, C]`; `y`, `places` and `dy` are `[B, out_h, out_w, C]`.
///
/// # Panics
/// As [`max_pool_forward`].
pub fn max_pool_backward(pool: &MaxPool, y: &[f32], places: &[f32], dy: &[f32], before: Activation, dx: &mut [f32]) {
    pool.check(dx, dy);
    assert_eq!((y.len(), places.len()), (dy.len(), dy.len()), "outputs, places and gradients");
    let len = pool.out_len();
    dx.par_chunks_mut(pool.in_len()).enumerate().for_each(|(i, dx)| {
        let [y, places, dy] = [y, places, dy].map(|slice| &slice[i * len..][..len]);
        simd::run(PoolGradient { pool, y, places, dy, mask: before.mask(), dx });
    });
}

/// Whether `new` takes the place of the maximum so far.
#[inline(always)]
fn is_greater(new: f32, old: f32) -> bool {
    new > old || new.is_nan()
}

/// One row of the output, from one picture; `places` may be empty.
struct PoolRow<'a> {
    pool: &'a MaxPool,
    x: &'a [f32],
    oy: usize,
    y: &'a mut [f32],
    places: &'a mut [f32],
}

impl Kernel for PoolRow<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let channels = self.pool.channels;
        for ox in 0..self.pool.out_w() {
            let window = self.pool.window(self.oy, ox);
            let blocks = channels / LANES * LANES;
            for c in (0..blocks).step_by(LANES) {
                self.maxima::<LANES>(&window, ox, c);
            }
            for c in blocks..channels {
                self.maxima::<1>(&window, ox, c);
            }
        }
    }
}

impl PoolRow<'_> {
    /// `L` channels from `c` on.
    #[inline(always)]
    fn maxima<const L: usize>(&mut self, window: &[Range<usize>; 2], ox: usize, c: usize) {
        let &MaxPool { in_w, channels, .. } = self.pool;
        let (mut best, mut place, mut i) = ([f32::NEG_INFINITY; L], [0.0; L], 0.0);
        for row in window[0].clone() {
            for column in window[1].clone() {
                let x = lanes::<L>(self.x, (row * in_w + column) * channels + c);
                for lane in 0..L {
                    let greater = is_greater(x[lane], best[lane]);
                    best[lane] = if greater { x[lane] } else { best[lane] };
                    place[lane] = if greater { i } else { place[lane] };
                }
                i += 1.0;
            }
        }
        *lanes_mut(self.y, ox * channels + c) = best;
        if !self.places.is_empty() {
            *lanes_mut(self.places, ox * channels + c) = place;
        }
    }
}

/// One picture's gradient.
struct PoolGradient<'a> {
    pool: &'a MaxPool,
    y: &'a [f32],
    places: &'a [f32],
    dy: &'a [f32],
    mask: Option<(f32, f32)>,
    dx: &'a mut [f32],
}

impl Kernel for PoolGradient<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let &MaxPool { in_w, channels, kernel, stride, pad, .. } = self.pool;
        // Where windows don't overlap, a pixel of one is written once; zeros are where there is none.
        let alone = kernel == stride && pad == 0;
        let (rows, columns) = (self.pool.out_h() * stride, self.pool.out_w() * stride);
        for (y, row) in self.dx.chunks_exact_mut(in_w * channels).enumerate() {
            let written = if alone && y < rows { columns * channels } else { 0 };
            row[written..].fill(0.0);
        }
        for position in 0..self.dy.len() / channels {
            let window = self.pool.window(position / self.pool.out_w(), position % self.pool.out_w());
            let blocks = channels / LANES * LANES;
            for c in (0..blocks).step_by(LANES) {
                self.spread::<LANES>(&window, position, c, !alone);
            }
            for c in blocks..channels {
                self.spread::<1>(&window, position, c, !alone);
            }
        }
    }
}

impl PoolGradient<'_> {
    /// `L` channels from `c` on.
    #[inline(always)]
    fn spread<const L: usize>(&mut self, window: &[Range<usize>; 2], position: usize, c: usize, accumulate: bool) {
        let &MaxPool { in_w, channels, .. } = self.pool;
        let at = position * channels + c;
        let (place, mut dy, mut i) = (lanes::<L>(self.places, at), *lanes::<L>(self.dy, at), 0.0);
        if let Some(mask) = self.mask {
            let y = lanes::<L>(self.y, at);
            for lane in 0..L {
                dy[lane] = if is_blocked(y[lane], mask) { 0.0 } else { dy[lane] };
            }
        }
        for row in window[0].clone() {
            for column in window[1].clone() {
                let dx = lanes_mut::<L>(self.dx, (row * in_w + column) * channels + c);
                for lane in 0..L {
                    let own = if place[lane] == i { dy[lane] } else { 0.0 };
                    dx[lane] = if accumulate { dx[lane] + own } else { own };
                }
                i += 1.0;
            }
        }
    }
}
