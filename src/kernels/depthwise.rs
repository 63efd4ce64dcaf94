//! Convolution in which each channel has a kernel of its own: no matrix product, but a weighted sum of rows of channels.
//!
//! Neighbouring channels lie next to each other, so that every inner loop runs over contiguous channels.

use super::elementwise::{add, clamp, sum_parts};
use super::geometry::{Activation, Conv};
use super::layout::{oihw_to_hwio, oihw_to_turned_hwoi};
use super::memory::{Buffer, Memory};
use super::simd::{self, Kernel, mul_add};
use rayon::prelude::*;

/// Products that are added at once, so that a sum is loaded and stored once for all of them. With more, the compiler no
/// longer makes vectors of the loop.
const TERMS: usize = 3;

/// Weights as [`forward`] reads them: `[kernel, kernel, C]`.
pub(super) fn pack_forward(conv: &Conv, weight: &[f32], scale: Option<&[f32]>, memory: &Memory) -> Buffer {
    let mut packed = memory.buffer(weight.len());
    oihw_to_hwio(conv.out_c, 1, weight, scale, &mut packed);
    packed
}

/// Weights as [`backward_input`] reads them: turned by half a turn where the transposed convolution does it.
pub(super) fn pack_backward(conv: &Conv, weight: &[f32], scale: Option<&[f32]>, memory: &Memory) -> Buffer {
    if conv.transposed().is_none() {
        return pack_forward(conv, weight, scale, memory);
    }
    let mut packed = memory.buffer(weight.len());
    oihw_to_turned_hwoi(conv.out_c, 1, weight, scale, &mut packed);
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

/// `dx = ` or `dx += ` the gradient of the input, with weights from [`pack_backward`].
pub(super) fn backward_input(conv: &Conv, dy: &[f32], packed: &[f32], accumulate: bool, _: &Memory, dx: &mut [f32]) {
    let rows = dx.par_chunks_mut(conv.in_w * conv.in_c).enumerate();
    let Some(transposed) = &conv.transposed() else {
        return rows.for_each(|(row, dx)| simd::run(InputRow { conv, dy, packed, row, accumulate, dx }));
    };
    rows.for_each(|(row, y)| {
        let (conv, x, bounds) = (transposed, dy, Activation::None.bounds());
        simd::run(OutputRow { conv, x, packed, row, bias: None, residual: None, bounds, accumulate, y });
    });
}

/// The gradients of the weights, `[k, k, C]`, and the bias behind them: one partial sum a picture.
pub(super) fn backward_weight(conv: &Conv, x: &[f32], dy: &[f32], accumulate: bool, memory: &Memory, sums: &mut [f32]) {
    let mut parts = memory.buffer(dy.len() / conv.out_len() * sums.len());
    parts.fill(0.0);
    let pictures = x.par_chunks(conv.in_len()).zip(dy.par_chunks(conv.out_len()));
    parts.par_chunks_mut(sums.len()).zip(pictures).for_each(|(sums, (x, dy))| {
        simd::run(WeightSums { conv, x, dy, sums });
    });
    sum_parts(&parts, accumulate, sums);
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
    fn run<const FMA: bool>(self) {
        let &Conv { in_h, in_w, in_c, kernel, stride, pad, .. } = self.conv;
        let (picture, oy) = (self.row / self.conv.out_h(), self.row % self.conv.out_h());
        let (top, bottom) = self.conv.on_picture(oy, pad.top, in_h);
        for (ox, y) in self.y.chunks_exact_mut(in_c).enumerate() {
            match self.bias {
                Some(bias) => y.copy_from_slice(bias),
                None if !self.accumulate => y.fill(0.0),
                None => (),
            }
            let (left, right) = self.conv.on_picture(ox, pad.left, in_w);
            for ky in top..bottom {
                let pixel = (picture * in_h + oy * stride + ky - pad.top) * in_w + ox * stride + left - pad.left;
                let x = &self.x[pixel * in_c..][..(right - left) * in_c];
                let weight = &self.packed[(ky * kernel + left) * in_c..][..x.len()];
                for (x, weight) in x.chunks(TERMS * in_c).zip(weight.chunks(TERMS * in_c)) {
                    match x.len() / in_c {
                        TERMS => add_products::<FMA, TERMS>(y, x, weight),
                        2 => add_products::<FMA, 2>(y, x, weight),
                        _ => add_products::<FMA, 1>(y, x, weight),
                    }
                }
            }
            if let Some(residual) = self.residual {
                add(y, &residual[ox * in_c..]);
            }
            y.iter_mut().for_each(|y| *y = clamp(*y, self.bounds.0, self.bounds.1));
        }
    }
}

/// `y[c] += Σ x[t, c] weight[t, c]`, with `T` terms.
#[inline(always)]
fn add_products<const FMA: bool, const T: usize>(y: &mut [f32], x: &[f32], weight: &[f32]) {
    let len = y.len();
    let x: [&[f32]; T] = std::array::from_fn(|t| &x[t * len..][..len]);
    let weight: [&[f32]; T] = std::array::from_fn(|t| &weight[t * len..][..len]);
    for c in 0..len {
        let mut sum = y[c];
        for t in 0..T {
            sum = mul_add::<FMA>(x[t][c], weight[t][c], sum);
        }
        y[c] = sum;
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
    fn run<const FMA: bool>(self) {
        let &Conv { in_h, in_w, in_c, kernel, stride, pad, .. } = self.conv;
        let out_w = self.conv.out_w();
        let (weight_sums, bias_sums) = self.sums.split_at_mut(kernel * kernel * in_c);
        for (position, dy) in self.dy.chunks_exact(in_c).enumerate() {
            let (oy, ox) = (position / out_w, position % out_w);
            let (top, bottom) = self.conv.on_picture(oy, pad.top, in_h);
            let (left, right) = self.conv.on_picture(ox, pad.left, in_w);
            add(bias_sums, dy);
            for ky in top..bottom {
                let pixel = (oy * stride + ky - pad.top) * in_w + ox * stride + left - pad.left;
                let x = self.x[pixel * in_c..].chunks_exact(in_c);
                let sums = weight_sums[(ky * kernel + left) * in_c..].chunks_exact_mut(in_c);
                for (sums, x) in sums.zip(x).take(right - left) {
                    for ((sum, &x), &dy) in sums.iter_mut().zip(x).zip(dy) {
                        *sum = mul_add::<FMA>(dy, x, *sum);
                    }
                }
            }
        }
    }
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
