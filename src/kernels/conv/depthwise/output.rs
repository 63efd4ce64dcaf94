//! Rows of the output of a depthwise convolution.

use super::strip::{FEWER, LANES, STRIP, Strip, Taps, add_products, load};
use crate::kernels::activation::Activation;
use crate::kernels::conv::geometry::Conv;
use crate::kernels::elementwise::add;
use crate::kernels::simd::{Kernel, clamp, lanes, lanes_mut};
use std::ops::Range;

/// The rows of the input that rows of the output are made from.
pub(in crate::kernels::conv) fn rows_behind(conv: &Conv, rows: Range<usize>) -> Range<usize> {
    let [start, end] = [rows.start * conv.stride, (rows.end - 1) * conv.stride + conv.kernel];
    let [start, end] = [start, end].map(|row| row.saturating_sub(conv.pad.top).min(conv.in_h));
    start..end
}

/// Rows of the output of one picture, from row `first` on. `x` holds the rows of the input from `from` on, at least those that
/// are read.
pub(in crate::kernels::conv) struct OutputRows<'a> {
    pub(in crate::kernels::conv) conv: &'a Conv,
    pub(in crate::kernels::conv) x: &'a [f32],
    pub(in crate::kernels::conv) from: usize,
    pub(in crate::kernels::conv) packed: &'a [f32],
    pub(in crate::kernels::conv) bias: &'a [f32],
    pub(in crate::kernels::conv) residual: Option<&'a [f32]>,
    pub(in crate::kernels::conv) act: Activation,
    pub(in crate::kernels::conv) first: usize,
    pub(in crate::kernels::conv) y: &'a mut [f32],
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
                    c += match (channels - c, inside) {
                        (LANES.., true) => self.strip::<FMA, LANES, false>(&strip, c, at + c),
                        (LANES.., false) => self.strip::<FMA, LANES, true>(&strip, c, at + c),
                        (FEWER.., true) => self.strip::<FMA, FEWER, false>(&strip, c, at + c),
                        (FEWER.., false) => self.strip::<FMA, FEWER, true>(&strip, c, at + c),
                        _ => self.strip::<FMA, 1, true>(&strip, c, at + c),
                    };
                }
                columns.pixel = columns.pixel.wrapping_add(STRIP * stride);
            }
        }
        self.act.finish(self.y);
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
