//! Convolution in which each channel has a kernel of its own: no matrix product, but weighted sums.
//!
//! Neighbouring channels lie next to each other. A few neighbouring pixels of a block of channels are made together: their
//! sums stay in registers, and each weight is read once for all of them. Both gradients read the same numbers, so one
//! pass makes both. Weights are `[kernel, kernel, C]` for all of it.

mod input;
mod output;
mod strip;

pub(super) use input::InputRows;
pub(super) use output::{OutputRows, rows_behind};

use super::geometry::Conv;
use super::gradient::{InputGradient, WeightGradient, asked};
use crate::kernels::activation::Activation;
use crate::kernels::frame::{parts_in_order, picture_parts};
use crate::kernels::memory::Memory;
use crate::kernels::simd;
use crate::kernels::sums::PartialSums;
use rayon::prelude::*;

/// Rows that one task makes.
const ROWS: usize = 8;

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
    picture_parts(y, picture, ROWS * row).for_each(|(i, start, y)| {
        let x = &x[i * conv.in_len()..][..conv.in_len()];
        let residual = residual.map(|residual| &residual[i * picture + start..][..y.len()]);
        simd::run(OutputRows { conv, x, from: 0, packed, bias, residual, act, first: start / row, y });
    });
}

/// The gradients that `input` and `weight` ask for; the weights' are `[k, k, C]`, and the bias' behind them. `x` may be empty where
/// only the input's is asked for, before no activation.
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
    let mut partial = PartialSums::new(pictures * tasks, asked(&weight), memory);
    let (mut sums, mut dx) = (partial.of_tasks().into_iter(), parts_in_order(dx, picture, ROWS * row));
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
        partial.add_up(accumulate, sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;
    use crate::kernels::{Padding, Precision};

    #[test]
    fn every_vector_unit_agrees() {
        for (kernel, stride) in [(3, 1), (3, 2), (4, 1), (5, 1), (5, 2), (7, 1)] {
            let pad = Padding::same(14, 11, kernel, stride);
            let conv = &Conv {
                in_h: 14,
                in_w: 11,
                in_c: 61,
                out_c: 61,
                kernel,
                stride,
                pad,
                depthwise: true,
                precision: Precision::F32,
            };
            let (x, dy) = (&numbers(conv.in_len(), 1)[..], &numbers(conv.out_len(), 2)[..]);
            let (packed, bias) = (&numbers(conv.weights(), 3)[..], &numbers(conv.out_c, 4)[..]);
            every_unit::agrees(5e-7, |unit| {
                let (act, rows, accumulate) = (Activation::Relu6, 0..conv.in_h, false);
                let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
                let mut sums = vec![0.0; packed.len() + conv.out_c];
                unit.run(OutputRows { conv, x, from: 0, packed, bias, residual: None, act, first: 0, y: &mut y });
                let (mask, dx_rows) = (act.mask(), &mut dx[..]);
                unit.run(InputRows { conv, x, dy, packed, mask, accumulate, rows, dx: dx_rows, sums: &mut sums });
                [y, dx, sums]
            });
        }
    }
}
