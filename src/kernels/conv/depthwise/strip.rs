//! A few neighbouring pixels of a block of channels, which are made together.

use crate::kernels::conv::geometry::Conv;
use crate::kernels::simd::mul_add;

/// Channels in a block.
pub(super) const LANES: usize = 16;

/// Channels in a last block, where so many are left.
pub(super) const FEWER: usize = 8;

/// Neighbouring pixels that are made together.
pub(super) const STRIP: usize = 4;

/// The taps of the kernel that join a pixel to pixels of the other side, along one axis: one after the other, with that pixel.
/// Pixels wrap around: those before the picture are far behind it.
#[derive(Clone, Copy)]
pub(super) struct Taps {
    tap: usize,
    pub(super) pixel: usize,
    count: usize,
    /// From one to the next.
    steps: (usize, usize),
}

impl Taps {
    /// From an output to inputs.
    #[inline(always)]
    pub(super) fn of_output(conv: &Conv, output: usize, pad: usize) -> Self {
        let pixel = (output * conv.stride).wrapping_sub(pad);
        Self { tap: 0, pixel, count: conv.kernel, steps: (1, 1) }
    }

    /// From an input to outputs.
    #[inline(always)]
    pub(super) fn of_input(conv: &Conv, input: usize, pad: usize) -> Self {
        let &Conv { kernel, stride, .. } = conv;
        let (tap, pixel) = ((input + pad) % stride, (input + pad) / stride);
        let count = kernel.saturating_sub(tap).div_ceil(stride);
        Self { tap, pixel, count, steps: (stride, 1_usize.wrapping_neg()) }
    }
}

impl Iterator for Taps {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        let Self { tap, pixel, count, steps } = *self;
        *self = Self { tap: tap + steps.0, pixel: pixel.wrapping_add(steps.1), count: count.checked_sub(1)?, steps };
        Some((tap, pixel))
    }
}

/// Pixels that are made together, and what they are joined to.
pub(super) struct Strip {
    pub(super) rows: Taps,
    /// Of the first of them.
    pub(super) columns: Taps,
    /// How much further on its neighbour is joined.
    pub(super) apart: usize,
    /// How many there are, at most [`STRIP`].
    pub(super) len: usize,
}

impl Strip {
    /// Whether it is whole, and every tap joins each of its pixels to one of a picture of this width.
    #[inline(always)]
    pub(super) fn is_inside(&self, width: usize) -> bool {
        let Taps { pixel, count, steps, .. } = self.columns;
        let last = pixel.wrapping_add(steps.1.wrapping_mul(count.wrapping_sub(1)));
        let end = width.saturating_sub((STRIP - 1) * self.apart);
        self.len == STRIP && pixel < end && last < end
    }

    /// Whether column `x`, to which the pixel `i` of the strip is joined, is in a picture of this width.
    #[inline(always)]
    pub(super) fn holds(&self, i: usize, x: usize, width: usize) -> bool {
        i < self.len && x < width
    }
}

/// The same as [`lanes`](crate::kernels::simd::lanes), unchecked.
///
/// # Safety
/// `from` must hold them.
#[inline(always)]
pub(super) unsafe fn load<const L: usize>(from: &[f32], at: usize) -> &[f32; L] {
    debug_assert!(at + L <= from.len());
    // SAFETY: they are there, as the caller says, and an array is aligned as its elements.
    unsafe { &*from.as_ptr().add(at).cast() }
}

/// As [`load`], to write.
///
/// # Safety
/// `to` must hold them.
#[inline(always)]
pub(super) unsafe fn load_mut<const L: usize>(to: &mut [f32], at: usize) -> &mut [f32; L] {
    debug_assert!(at + L <= to.len());
    // SAFETY: as in `load`; `to` is borrowed mutably.
    unsafe { &mut *to.as_mut_ptr().add(at).cast() }
}

/// `sums[lane] += a[lane] b[lane]`.
#[inline(always)]
pub(super) fn add_products<const FMA: bool, const L: usize>(sums: &mut [f32; L], a: &[f32; L], b: &[f32; L]) {
    for lane in 0..L {
        sums[lane] = mul_add::<FMA>(a[lane], b[lane], sums[lane]);
    }
}
