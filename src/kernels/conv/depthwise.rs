//! Convolution in which each channel has a kernel of its own: no matrix product, but weighted sums.
//!
//! Neighbouring channels lie next to each other. A few neighbouring pixels of a block of channels are made together: their
//! sums stay in registers, and each weight is read once for all of them. Both gradients read the same numbers, so one
//! pass makes both.

use super::Conv;
use super::layout::oihw_to_hwio;
use super::{InputGradient, WeightGradient};
use crate::kernels::activation::{Activation, Values, clamp, is_blocked};
use crate::kernels::elementwise::{AddRows, add, lanes, lanes_mut, sum_parts};
use crate::kernels::memory::{Buffer, Memory};
use crate::kernels::simd::{self, Kernel, mul_add};
use rayon::prelude::*;
use std::ops::Range;

/// Channels in a block.
const LANES: usize = 16;

/// Neighbouring pixels that are made together.
const STRIP: usize = 4;

/// Rows that one task makes.
const ROWS: usize = 8;

/// Weights as [`forward`] and [`backward`] read them: `[kernel, kernel, C]`.
pub(super) fn pack(conv: &Conv, weight: &[f32], scale: Option<&[f32]>, memory: &Memory) -> Buffer {
    let mut packed = memory.buffer(weight.len());
    oihw_to_hwio(conv.out_c, 1, weight, scale, &mut packed);
    packed
}

/// `y = act(conv(x) + bias + residual)`.
pub(super) fn forward(
    conv: &Conv,
    x: &[f32],
    packed: &[f32],
    bias: &[f32],
    residual: Option<&[f32]>,
    act: Activation,
    y: &mut [f32],
) {
    let (picture, row) = (conv.out_len(), conv.out_w() * conv.out_c);
    let rows = y.par_chunks_mut(picture).enumerate().flat_map(|(i, y)| {
        let rows = y.par_chunks_mut(ROWS * row).enumerate();
        rows.map(move |(j, y)| (i, j * ROWS, y))
    });
    rows.for_each(|(i, first, y)| {
        let x = &x[i * conv.in_len()..][..conv.in_len()];
        let residual = residual.map(|residual| &residual[i * picture + first * row..][..y.len()]);
        simd::run(OutputRows { conv, x, from: 0, packed, bias, residual, act, first, y });
    });
}

/// The gradients that `input` and `weight` ask for, with weights from [`pack`]; the weights' are `[k, k, C]`, and the bias'
/// behind them. `x` may be empty where only the input's is asked for, before no activation.
pub(super) fn backward(
    conv: &Conv,
    x: &[f32],
    dy: &[f32],
    input: Option<InputGradient<&[f32]>>,
    weight: Option<WeightGradient>,
    memory: &Memory,
) {
    let pictures = dy.len() / conv.out_len();
    let (picture, row, tasks) = (conv.in_len(), conv.in_w * conv.in_c, conv.in_h.div_ceil(ROWS));
    let (packed, mask, accumulate, dx) = match input {
        Some(input) => (input.weights, input.before.mask(), input.accumulate, input.dx),
        None => Default::default(),
    };
    // Each task has sums of its own.
    let len = weight.as_ref().map_or(0, |weight| weight.sums.len());
    let mut parts = memory.buffer(pictures * tasks * len);
    let mut sums = parts.chunks_mut(len.max(1));
    let mut dx = dx.chunks_mut(picture).flat_map(|dx| dx.chunks_mut(ROWS * row));
    let mut all = Vec::with_capacity(pictures * tasks);
    for (i, dy) in dy.chunks_exact(conv.out_len()).enumerate() {
        for from in (0..conv.in_h).step_by(ROWS) {
            let rows = from..(from + ROWS).min(conv.in_h);
            let x = if x.is_empty() { x } else { &x[i * picture + from * row..][..rows.len() * row] };
            let (dx, sums) = (dx.next().unwrap_or_default(), sums.next().unwrap_or_default());
            all.push(InputRows { conv, x, dy, packed, mask, accumulate, rows, dx, sums });
        }
    }
    all.into_par_iter().for_each(simd::run);
    if let Some(WeightGradient { accumulate, sums }) = weight {
        sum_parts(&parts, accumulate, sums);
    }
}

/// The taps of the kernel that join a pixel to pixels of the other side, along one axis: one after the other, with that pixel.
/// Pixels wrap around: those before the picture are far behind it.
#[derive(Clone, Copy)]
struct Taps {
    tap: usize,
    pixel: usize,
    count: usize,
    /// From one to the next.
    steps: (usize, usize),
}

impl Taps {
    /// From an output to inputs.
    #[inline(always)]
    fn of_output(conv: &Conv, output: usize, pad: usize) -> Self {
        let pixel = (output * conv.stride).wrapping_sub(pad);
        Self { tap: 0, pixel, count: conv.kernel, steps: (1, 1) }
    }

    /// From an input to outputs.
    #[inline(always)]
    fn of_input(conv: &Conv, input: usize, pad: usize) -> Self {
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
struct Strip {
    rows: Taps,
    /// Of the first of them.
    columns: Taps,
    /// How much further on its neighbour is joined.
    apart: usize,
    /// How many there are, at most [`STRIP`].
    len: usize,
}

impl Strip {
    /// Whether it is whole, and every tap joins each of its pixels to one of a picture of this width.
    #[inline(always)]
    fn is_inside(&self, width: usize) -> bool {
        let Taps { pixel, count, steps, .. } = self.columns;
        let last = pixel.wrapping_add(steps.1.wrapping_mul(count.wrapping_sub(1)));
        let end = width.saturating_sub((STRIP - 1) * self.apart);
        self.len == STRIP && pixel < end && last < end
    }

    /// Whether column `x`, to which the pixel `i` of the strip is joined, is in a picture of this width.
    #[inline(always)]
    fn holds(&self, i: usize, x: usize, width: usize) -> bool {
        i < self.len && x < width
    }
}

/// The rows of the input that rows of the output are made from.
pub(super) fn rows_behind(conv: &Conv, rows: Range<usize>) -> Range<usize> {
    let [start, end] = [rows.start * conv.stride, (rows.end - 1) * conv.stride + conv.kernel];
    let [start, end] = [start, end].map(|row| row.saturating_sub(conv.pad.top).min(conv.in_h));
    start..end
}

/// Rows of the output of one picture, from row `first` on. `x` holds the rows of the input from `from` on, at least those that
/// are read.
pub(super) struct OutputRows<'a> {
    pub(super) conv: &'a Conv,
    pub(super) x: &'a [f32],
    pub(super) from: usize,
    pub(super) packed: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) residual: Option<&'a [f32]>,
    pub(super) act: Activation,
    pub(super) first: usize,
    pub(super) y: &'a mut [f32],
}

impl Kernel for OutputRows<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let (channels, taps) = (self.conv.in_c, self.conv.kernel * self.conv.kernel);
        let &Conv { in_w, stride, pad, .. } = self.conv;
        let width = self.conv.out_w();
        let count = self.y.len() / (width * channels);
        let read = rows_behind(self.conv, self.first..self.first + count);
        assert!(self.from <= read.start && (read.end - self.from) * in_w * channels <= self.x.len());
        assert_eq!(self.packed.len(), taps * channels);
        for row in 0..count {
            let rows = Taps::of_output(self.conv, self.first + row, pad.top);
            let mut columns = Taps::of_output(self.conv, 0, pad.left);
            for column in (0..width).step_by(STRIP) {
                let strip = Strip { rows, columns, apart: stride, len: STRIP.min(width - column) };
                let at = (row * width + column) * channels;
                let (inside, mut c) = (strip.is_inside(in_w), 0);
                while c < channels {
                    c += match (channels - c >= LANES, inside) {
                        (true, true) => self.strip::<FMA, LANES, false>(&strip, c, at + c),
                        (true, false) => self.strip::<FMA, LANES, true>(&strip, c, at + c),
                        (false, _) => self.strip::<FMA, 1, true>(&strip, c, at + c),
                    };
                }
                columns.pixel = columns.pixel.wrapping_add(STRIP * stride);
            }
        }
        Values { act: self.act, y: self.y }.run::<FMA>();
    }
}

impl OutputRows<'_> {
    /// `L` channels of a strip, from `c` on, which start at `at` in `y`. Gives `L`.
    #[inline(always)]
    fn strip<const FMA: bool, const L: usize, const EDGE: bool>(
        &mut self,
        strip: &Strip,
        c: usize,
        at: usize,
    ) -> usize {
        let &Conv { in_h, in_w, in_c, kernel, .. } = self.conv;
        let mut sums = [*lanes::<L>(self.bias, c); STRIP];
        for (ky, y) in strip.rows {
            if y >= in_h {
                continue;
            }
            for (kx, x) in strip.columns {
                // SAFETY: `packed` holds `in_c` numbers a tap, as `run` has seen, and `c + L <= in_c`.
                let weight = unsafe { load::<L>(self.packed, (ky * kernel + kx) * in_c + c) };
                for (i, sum) in sums.iter_mut().enumerate() {
                    let x = x.wrapping_add(i * strip.apart);
                    if !EDGE || strip.holds(i, x, in_w) {
                        // SAFETY: the pixel is one of the picture, in a row that `run` has seen in `x`, and `c + L <= in_c`.
                        let x = unsafe { load(self.x, ((y - self.from) * in_w + x) * in_c + c) };
                        add_products::<FMA, L>(sum, x, weight);
                    }
                }
            }
        }
        let (low, high) = self.act.bounds();
        for (i, mut y) in sums.into_iter().enumerate() {
            if EDGE && i >= strip.len {
                break;
            }
            let at = at + i * in_c;
            if let Some(residual) = self.residual {
                add(&mut y, lanes::<L>(residual, at));
            }
            for y in &mut y {
                *y = clamp(*y, low, high);
            }
            *lanes_mut(self.y, at) = y;
        }
        L
    }
}

/// Rows of the input of one picture, `x`: the gradient of the input there, where `dx` is not empty, and the part of the gradients of
/// weights and bias that comes from there, `[taps + 1, C]`, where `sums` is not empty.
pub(super) struct InputRows<'a> {
    pub(super) conv: &'a Conv,
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    pub(super) packed: &'a [f32],
    pub(super) mask: Option<(f32, f32)>,
    pub(super) accumulate: bool,
    pub(super) rows: Range<usize>,
    pub(super) dx: &'a mut [f32],
    pub(super) sums: &'a mut [f32],
}

impl Kernel for InputRows<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let &Conv { in_h, in_w, in_c, kernel, stride, .. } = self.conv;
        let taps = kernel * kernel;
        let (dx, sums) = (!self.dx.is_empty(), !self.sums.is_empty());
        assert_eq!(self.dy.len(), self.conv.out_len());
        let len = self.rows.len() * in_w * in_c;
        assert!(!dx || (self.dx.len(), self.packed.len()) == (len, taps * in_c));
        assert!(!sums || (self.x.len(), self.sums.len()) == (len, (taps + 1) * in_c));
        self.sums.fill(0.0);
        match (dx, sums) {
            (true, true) => self.gradients::<FMA, true, true>(),
            (true, false) => self.gradients::<FMA, true, false>(),
            (false, _) => self.gradients::<FMA, false, true>(),
        }
        if sums {
            // Every row of the output goes with one row of the input, those behind the last with the last.
            let row =
                |row: usize| if row < in_h { row.div_ceil(stride).min(self.conv.out_h()) } else { self.conv.out_h() };
            let from_row = self.conv.out_w() * in_c;
            let rows = &self.dy[row(self.rows.start) * from_row..row(self.rows.end) * from_row];
            AddRows { rows, stride: in_c, from: 0, sums: &mut self.sums[taps * in_c..] }.run::<FMA>();
        }
    }
}

impl InputRows<'_> {
    /// Strip by strip.
    #[inline(always)]
    fn gradients<const FMA: bool, const DX: bool, const DW: bool>(&mut self) {
        let &Conv { in_w, in_c, stride, pad, .. } = self.conv;
        let out_w = self.conv.out_w();
        for row in self.rows.clone() {
            let rows = Taps::of_input(self.conv, row, pad.top);
            // Pixels that are a stride apart are joined to neighbours.
            for phase in 0..stride.min(in_w) {
                let mut columns = Taps::of_input(self.conv, phase, pad.left);
                let count = (in_w - phase).div_ceil(stride);
                for first in (0..count).step_by(STRIP) {
                    let strip = Strip { rows, columns, apart: 1, len: STRIP.min(count - first) };
                    let at = ((row - self.rows.start) * in_w + phase + first * stride) * in_c;
                    let (inside, mut c) = (strip.is_inside(out_w), 0);
                    while c < in_c {
                        c += match (in_c - c >= LANES, inside) {
                            (true, true) => self.strip::<FMA, LANES, DX, DW, false>(&strip, c, at + c),
                            (true, false) => self.strip::<FMA, LANES, DX, DW, true>(&strip, c, at + c),
                            (false, _) => self.strip::<FMA, 1, DX, DW, true>(&strip, c, at + c),
                        };
                    }
                    columns.pixel = columns.pixel.wrapping_add(STRIP);
                }
            }
        }
    }

    /// `L` channels of a strip, from `c` on, which start at `at` in the rows. Gives `L`.
    #[inline(always)]
    fn strip<const FMA: bool, const L: usize, const DX: bool, const DW: bool, const EDGE: bool>(
        &mut self,
        strip: &Strip,
        c: usize,
        at: usize,
    ) -> usize {
        let &Conv { in_c, kernel, stride, .. } = self.conv;
        let mut x = [[0.0; L]; STRIP];
        if !self.x.is_empty() {
            for (i, x) in x.iter_mut().enumerate() {
                if !EDGE || i < strip.len {
                    *x = *lanes(self.x, at + i * stride * in_c);
                }
            }
        }
        let mut dx = [[0.0; L]; STRIP];
        let (out_h, out_w) = (self.conv.out_h(), self.conv.out_w());
        for (ky, oy) in strip.rows {
            if oy >= out_h {
                continue;
            }
            for (kx, ox) in strip.columns {
                let tap = (ky * kernel + kx) * in_c + c;
                // SAFETY: `packed` holds `in_c` numbers a tap where `dx` is wanted, as `run` has seen, and `c + L <= in_c`.
                let weight = if DX { unsafe { *load(self.packed, tap) } } else { [0.0; L] };
                // SAFETY: so does `sums`.
                let mut sum = if DW { unsafe { *load(self.sums, tap) } } else { [0.0; L] };
                for i in 0..STRIP {
                    let ox = ox.wrapping_add(i);
                    if EDGE && !strip.holds(i, ox, out_w) {
                        continue;
                    }
                    // SAFETY: the pixel is one of the output's picture, where `run` has seen `in_c` numbers a pixel.
                    let dy = unsafe { load(self.dy, (oy * out_w + ox) * in_c + c) };
                    if DX {
                        add_products::<FMA, L>(&mut dx[i], dy, &weight);
                    }
                    if DW {
                        add_products::<FMA, L>(&mut sum, dy, &x[i]);
                    }
                }
                if DW {
                    // SAFETY: as for reading it.
                    unsafe { *load_mut(self.sums, tap) = sum };
                }
            }
        }
        if !DX {
            return L;
        }
        for (i, (mut dx, x)) in dx.into_iter().zip(x).enumerate() {
            if EDGE && i >= strip.len {
                break;
            }
            let to = lanes_mut(self.dx, at + i * stride * in_c);
            if self.accumulate {
                add(&mut dx, to);
            }
            if let Some(mask) = self.mask {
                for lane in 0..L {
                    dx[lane] = if is_blocked(x[lane], mask) { 0.0 } else { dx[lane] };
                }
            }
            *to = dx;
        }
        L
    }
}

/// The same as [`lanes`], unchecked.
///
/// # Safety
/// `from` must hold them.
#[inline(always)]
unsafe fn load<const L: usize>(from: &[f32], at: usize) -> &[f32; L] {
    debug_assert!(at + L <= from.len());
    // SAFETY: they are there, as the caller says, and an array is aligned as its elements.
    unsafe { &*from.as_ptr().add(at).cast() }
}

/// As [`load`], to write.
///
/// # Safety
/// `to` must hold them.
#[inline(always)]
unsafe fn load_mut<const L: usize>(to: &mut [f32], at: usize) -> &mut [f32; L] {
    debug_assert!(at + L <= to.len());
    // SAFETY: as in `load`; `to` is borrowed mutably.
    unsafe { &mut *to.as_mut_ptr().add(at).cast() }
}

/// `sums[lane] += a[lane] b[lane]`.
#[inline(always)]
fn add_products<const FMA: bool, const L: usize>(sums: &mut [f32; L], a: &[f32; L], b: &[f32; L]) {
    for lane in 0..L {
        sums[lane] = mul_add::<FMA>(a[lane], b[lane], sums[lane]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Padding;
    use crate::kernels::simd::{Level, run_on};
    use crate::kernels::tests::{distance, numbers};

    /// Output, gradient of the input and of the weights, on one vector unit.
    fn all(conv: &Conv, level: Level) -> [Vec<f32>; 3] {
        let (x, dy) = (&numbers(conv.in_len(), 1)[..], &numbers(conv.out_len(), 2)[..]);
        let (packed, bias) = (&numbers(conv.weights(), 3)[..], &numbers(conv.out_c, 4)[..]);
        let mut y = vec![0.0; dy.len()];
        let act = Activation::Relu6;
        run_on(level, OutputRows { conv, x, from: 0, packed, bias, residual: None, act, first: 0, y: &mut y });
        let (mut dx, mut sums) = (vec![0.0; x.len()], vec![0.0; packed.len() + conv.out_c]);
        let (mask, rows) = (act.mask(), 0..conv.in_h);
        let (accumulate, to) = (false, &mut sums);
        run_on(level, InputRows { conv, x, dy, packed, mask, accumulate, rows, dx: &mut dx, sums: to });
        [y, dx, sums]
    }

    #[test]
    fn every_vector_unit_agrees() {
        for (kernel, stride) in [(3, 1), (3, 2), (4, 1), (5, 1), (5, 2)] {
            let pad = Padding::same(14, 11, kernel, stride);
            let conv = Conv { in_h: 14, in_w: 11, in_c: 53, out_c: 53, kernel, stride, pad, depthwise: true };
            let portable = all(&conv, Level::Portable).map(|v| v.iter().map(|&v| v as f64).collect::<Vec<_>>());
            for level in Level::available() {
                for (got, expected) in all(&conv, level).iter().zip(&portable) {
                    // They differ in whether a product is rounded before it is added.
                    assert!(distance(got, expected) < 5e-7, "{level:?}, {conv:?}");
                }
            }
        }
    }
}
