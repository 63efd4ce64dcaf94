//! Both gradients of a depthwise convolution, from rows of its input.

use super::strip::{FEWER, LANES, STRIP, Strip, Taps, add_products, load, load_mut};
use crate::kernels::activation::is_blocked;
use crate::kernels::conv::geometry::Conv;
use crate::kernels::elementwise::add;
use crate::kernels::simd::{Kernel, lanes, lanes_mut};
use crate::kernels::sums::AddRows;
use std::ops::Range;

/// Rows of the input of one picture, `x`: the gradient of the input there, where `dx` is not empty, and the part of the gradients of
/// weights and bias that comes from there, `[taps + 1, C]`, where `sums` is not empty.
pub(in crate::kernels::conv) struct InputRows<'a> {
    pub(in crate::kernels::conv) conv: &'a Conv,
    pub(in crate::kernels::conv) x: &'a [f32],
    pub(in crate::kernels::conv) dy: &'a [f32],
    pub(in crate::kernels::conv) packed: &'a [f32],
    pub(in crate::kernels::conv) mask: Option<(f32, f32)>,
    pub(in crate::kernels::conv) accumulate: bool,
    pub(in crate::kernels::conv) rows: Range<usize>,
    pub(in crate::kernels::conv) dx: &'a mut [f32],
    pub(in crate::kernels::conv) sums: &'a mut [f32],
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
                        c += match (in_c - c, inside) {
                            (LANES.., true) => self.strip::<FMA, LANES, DX, DW, false>(&strip, c, at + c),
                            (LANES.., false) => self.strip::<FMA, LANES, DX, DW, true>(&strip, c, at + c),
                            (FEWER.., true) => self.strip::<FMA, FEWER, DX, DW, false>(&strip, c, at + c),
                            (FEWER.., false) => self.strip::<FMA, FEWER, DX, DW, true>(&strip, c, at + c),
                            _ => self.strip::<FMA, 1, DX, DW, true>(&strip, c, at + c),
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
