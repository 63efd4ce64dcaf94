//! Convolution in which each channel has a kernel of its own: no matrix product, but a weighted sum of rows of channels.
//!
//! Neighbouring channels lie next to each other, so one vector holds several of them; a few positions are summed at once,
//! so that each weight is read once for all.

use super::elementwise::{add, clamp, sum_parts};
use super::geometry::{Activation, Conv};
use super::layout::transpose;
use super::simd::{self, Kernel, mul_add};
use rayon::prelude::*;
use std::ops::Range;

/// Channels that go through a position together.
const LANES: usize = 16;

/// Positions that are summed at once where the whole kernel lies on the picture.
const POSITIONS: usize = 4;

/// Weights as the loops read them: `[kernel, kernel, C]`.
pub(super) fn pack(conv: &Conv, weight: &[f32]) -> Vec<f32> {
    let mut packed = vec![0.0; weight.len()];
    transpose(conv.out_c, conv.depth(), weight, &mut packed);
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
    let (bounds, len) = (act.bounds(), conv.out_w() * conv.out_c);
    y.par_chunks_mut(len).enumerate().for_each(|(i, y)| {
        let residual = residual.map(|r| &r[i * len..][..len]);
        simd::run(OutputRow { conv, x, packed, row: i, bias: Some(bias), residual, bounds, accumulate: false, y });
    });
}

/// `dx = ` or `dx += ` the gradient of the input.
pub(super) fn backward_input(conv: &Conv, dy: &[f32], weight: &[f32], accumulate: bool, dx: &mut [f32]) {
    let mut packed = pack(conv, weight);
    let len = conv.in_w * conv.in_c;
    let Some(transposed) = conv.transposed() else {
        let rows = dx.par_chunks_mut(len).enumerate();
        return rows.for_each(|(i, dx)| simd::run(InputRow { conv, dy, packed: &packed, row: i, accumulate, dx }));
    };
    let taps: Vec<_> = packed.chunks_exact(conv.in_c).rev().flatten().copied().collect();
    packed.copy_from_slice(&taps);
    dx.par_chunks_mut(len).enumerate().for_each(|(i, y)| {
        let (conv, x, bounds) = (&transposed, dy, Activation::None.bounds());
        let packed = &packed;
        simd::run(OutputRow { conv, x, packed, row: i, bias: None, residual: None, bounds, accumulate, y });
    });
}

/// The gradients of the weights and the bias, overwritten: one partial sum a picture, `[taps + 1, C]` with the bias last.
pub(super) fn backward_weight(conv: &Conv, x: &[f32], dy: &[f32], dw: &mut [f32], db: &mut [f32]) {
    let len = dw.len() + db.len();
    let mut parts = vec![0.0; dy.len() / conv.out_len() * len];
    let pictures = x.par_chunks(conv.in_len()).zip(dy.par_chunks(conv.out_len()));
    parts.par_chunks_mut(len).zip(pictures).for_each(|(sums, (x, dy))| {
        simd::run(WeightSums { conv, x, dy, sums });
    });
    let mut total = vec![0.0; len];
    sum_parts(&parts, &mut total);
    let (taps, bias) = total.split_at(dw.len());
    transpose(conv.depth(), conv.out_c, taps, dw);
    db.copy_from_slice(bias);
}

/// One row of the output; `row` counts through the batch. `x` is the whole input.
struct OutputRow<'a> {
    conv: &'a Conv,
    x: &'a [f32],
    packed: &'a [f32],
    row: usize,
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
    bounds: (f32, f32),
    accumulate: bool,
    y: &'a mut [f32],
}

impl Kernel for OutputRow<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let channels = self.conv.out_c;
        let whole = channels / LANES * LANES;
        for c in (0..whole).step_by(LANES) {
            self.channels::<FMA, LANES>(c);
        }
        for c in whole..channels {
            self.channels::<FMA, 1>(c);
        }
    }
}

impl OutputRow<'_> {
    /// The row for `L` channels from `c` on.
    #[inline(always)]
    fn channels<const FMA: bool, const L: usize>(&mut self, c: usize) {
        let (conv, inner) = (self.conv, inner(self.conv));
        let mut ox = 0;
        while ox < conv.out_w() {
            if inner.contains(&ox) && ox + POSITIONS <= inner.end {
                self.tile::<FMA, L, POSITIONS>(c, ox, (0, conv.kernel));
                ox += POSITIONS;
            } else {
                self.tile::<FMA, L, 1>(c, ox, conv.on_picture(ox, conv.pad.left, conv.in_w));
                ox += 1;
            }
        }
    }

    /// `T` positions from `ox` on; columns `left..right` of the kernel lie on the picture for all of them.
    #[inline(always)]
    fn tile<const FMA: bool, const L: usize, const T: usize>(
        &mut self,
        c: usize,
        ox: usize,
        (left, right): (usize, usize),
    ) {
        let &Conv { in_h, in_w, in_c, kernel, stride, pad, .. } = self.conv;
        let (picture, oy) = (self.row / self.conv.out_h(), self.row % self.conv.out_h());
        let (top, bottom) = self.conv.on_picture(oy, pad.top, in_h);
        let mut sums = [[0.0; L]; T];
        if let Some(bias) = self.bias {
            sums.fill(*lanes(bias, c));
        }
        for ky in top..bottom {
            let row = picture * in_h + oy * stride + ky - pad.top;
            for kx in left..right {
                let weight: &[f32; L] = lanes(self.packed, (ky * kernel + kx) * in_c + c);
                let start = (row * in_w + ox * stride + kx - pad.left) * in_c + c;
                for (t, sums) in sums.iter_mut().enumerate() {
                    let x: &[f32; L] = lanes(self.x, start + t * stride * in_c);
                    for l in 0..L {
                        sums[l] = mul_add::<FMA>(x[l], weight[l], sums[l]);
                    }
                }
            }
        }
        for (t, sums) in sums.iter().enumerate() {
            let at = (ox + t) * in_c + c;
            let mut sums = *sums;
            if self.accumulate {
                add(&mut sums, &self.y[at..]);
            }
            if let Some(residual) = self.residual {
                add(&mut sums, &residual[at..]);
            }
            for (y, sum) in self.y[at..at + L].iter_mut().zip(sums) {
                *y = clamp(sum, self.bounds.0, self.bounds.1);
            }
        }
    }
}

/// One row of the input's gradient, for any stride; `row` counts through the batch. `dy` is the whole output's gradient.
struct InputRow<'a> {
    conv: &'a Conv,
    dy: &'a [f32],
    packed: &'a [f32],
    row: usize,
    accumulate: bool,
    dx: &'a mut [f32],
}

impl Kernel for InputRow<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let &Conv { in_h, in_w, in_c, kernel, stride, pad, .. } = self.conv;
        let (out_h, out_w) = (self.conv.out_h(), self.conv.out_w());
        let (picture, iy) = (self.row / in_h, self.row % in_h);
        if !self.accumulate {
            self.dx.fill(0.0);
        }
        for ky in (0..kernel).filter(|ky| iy + pad.top >= *ky && (iy + pad.top - ky).is_multiple_of(stride)) {
            let oy = (iy + pad.top - ky) / stride;
            if oy >= out_h {
                continue;
            }
            let dy = &self.dy[(picture * out_h + oy) * out_w * in_c..][..out_w * in_c];
            for (ox, dy) in dy.chunks_exact(in_c).enumerate() {
                let (left, right) = self.conv.on_picture(ox, pad.left, in_w);
                for kx in left..right {
                    let dx = &mut self.dx[(ox * stride + kx - pad.left) * in_c..][..in_c];
                    let weight = &self.packed[(ky * kernel + kx) * in_c..][..in_c];
                    for ((dx, &dy), &weight) in dx.iter_mut().zip(dy).zip(weight) {
                        *dx = mul_add::<FMA>(dy, weight, *dx);
                    }
                }
            }
        }
    }
}

/// The gradients of weights and bias of one picture: `sums`, zero before, is `[taps + 1, C]`.
struct WeightSums<'a> {
    conv: &'a Conv,
    x: &'a [f32],
    dy: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for WeightSums<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        match self.conv.kernel {
            3 => self.all_channels::<FMA, 3>(),
            5 => self.all_channels::<FMA, 5>(),
            _ => self.all_channels::<FMA, 0>(),
        }
    }
}

impl WeightSums<'_> {
    /// `K` is the kernel's size where the compiler is to know it, else 0.
    #[inline(always)]
    fn all_channels<const FMA: bool, const K: usize>(&mut self) {
        let channels = self.conv.out_c;
        let whole = channels / LANES * LANES;
        for c in (0..whole).step_by(LANES) {
            self.channels::<FMA, K, LANES>(c);
        }
        for c in whole..channels {
            self.channels::<FMA, K, 1>(c);
        }
    }

    #[inline(always)]
    fn channels<const FMA: bool, const K: usize, const L: usize>(&mut self, c: usize) {
        let (channels, kernel) = (self.conv.out_c, self.conv.kernel);
        for ky in 0..kernel {
            self.kernel_row::<FMA, K, L>(c, ky);
        }
        let mut sum = [0.0; L];
        for dy in self.dy.chunks_exact(channels) {
            add(&mut sum, &dy[c..]);
        }
        self.sums[kernel * kernel * channels + c..][..L].copy_from_slice(&sum);
    }

    /// Row `ky` of the kernel, for `L` channels from `c` on.
    #[inline(always)]
    fn kernel_row<const FMA: bool, const K: usize, const L: usize>(&mut self, c: usize, ky: usize) {
        let &Conv { in_h, in_w, in_c, kernel, stride, pad, .. } = self.conv;
        let (out_h, out_w) = (self.conv.out_h(), self.conv.out_w());
        let inner = if K == 0 { 0..0 } else { inner(self.conv) };
        let mut sums = [[0.0; L]; K];
        for oy in (0..out_h).filter(|oy| (pad.top..in_h + pad.top).contains(&(oy * stride + ky))) {
            let row = (oy * stride + ky - pad.top) * in_w;
            for ox in inner.clone() {
                let dy: &[f32; L] = lanes(self.dy, (oy * out_w + ox) * in_c + c);
                let start = (row + ox * stride - pad.left) * in_c + c;
                for (kx, sums) in sums.iter_mut().enumerate() {
                    let x: &[f32; L] = lanes(self.x, start + kx * in_c);
                    for l in 0..L {
                        sums[l] = mul_add::<FMA>(dy[l], x[l], sums[l]);
                    }
                }
            }
            for ox in (0..inner.start).chain(inner.end..out_w) {
                let dy: &[f32; L] = lanes(self.dy, (oy * out_w + ox) * in_c + c);
                let (left, right) = self.conv.on_picture(ox, pad.left, in_w);
                for kx in left..right {
                    let x: &[f32; L] = lanes(self.x, (row + ox * stride + kx - pad.left) * in_c + c);
                    let sums = &mut self.sums[(ky * kernel + kx) * in_c + c..][..L];
                    for l in 0..L {
                        sums[l] = mul_add::<FMA>(dy[l], x[l], sums[l]);
                    }
                }
            }
        }
        for (kx, sums) in sums.iter().enumerate() {
            add(&mut self.sums[(ky * kernel + kx) * in_c + c..][..L], sums);
        }
    }
}

/// The columns of the output for which the whole kernel lies between the left and the right edge of the picture.
#[inline(always)]
fn inner(conv: &Conv) -> Range<usize> {
    let from = conv.pad.left.div_ceil(conv.stride).min(conv.out_w());
    let last = (conv.in_w + conv.pad.left).checked_sub(conv.kernel);
    let to = last.map_or(0, |last| last / conv.stride + 1).min(conv.out_w());
    from..to.max(from)
}

/// `L` numbers of `slice` from `at` on.
#[inline(always)]
fn lanes<const L: usize>(slice: &[f32], at: usize) -> &[f32; L] {
    // The slice is `L` long, so this can't fail; an array is what lets the compiler keep it in a register.
    slice[at..at + L].first_chunk().unwrap_or(&[0.0; L])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::geometry::Padding;
    use crate::kernels::simd::{Level, run_on};
    use crate::kernels::tests::{distance, numbers};

    /// Output, gradient of the input and of the weights, on one vector unit.
    fn all(conv: &Conv, level: Level) -> [Vec<f32>; 3] {
        let (x, dy) = (&numbers(conv.in_len(), 1)[..], &numbers(conv.out_len(), 2)[..]);
        let packed = &numbers(conv.weights(), 3)[..];
        let mut y = vec![0.0; dy.len()];
        for (row, y) in y.chunks_mut(conv.out_w() * conv.out_c).enumerate() {
            let (bounds, accumulate) = (Activation::Relu6.bounds(), false);
            run_on(level, OutputRow { conv, x, packed, row, bias: None, residual: None, bounds, accumulate, y });
        }
        let mut dx = vec![0.0; x.len()];
        for (row, dx) in dx.chunks_mut(conv.in_w * conv.in_c).enumerate() {
            run_on(level, InputRow { conv, dy, packed, row, accumulate: false, dx });
        }
        let mut sums = vec![0.0; packed.len() + conv.out_c];
        run_on(level, WeightSums { conv, x, dy, sums: &mut sums });
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
