//! A pointwise convolution and the depthwise one behind it as one operation: the first two of an inverted residual (Sandler et al.
//! 2018, <https://arxiv.org/abs/1801.04381>).
//!
//! What lies between them is the largest thing that a network of such blocks makes, and cheap to make. So it is made some rows at a time,
//! which stay in the cache until they are used, and made again on the way back instead of being kept.

pub use super::plan::suits;

use super::depthwise::{InputRows, OutputRows, rows_behind};
use super::geometry::Conv;
use super::gradient::{InputGradient, WeightGradient, asked};
use super::weights::{BackwardWeights, ForwardWeights};
use crate::kernels::activation::{Activation, Keeps, Slopes};
use crate::kernels::elementwise::Epilogue;
use crate::kernels::frame::{parts_in_order, picture_parts};
use crate::kernels::gemm::Matrix;
use crate::kernels::memory::Memory;
use crate::kernels::product::{Right, multiply, multiply_once};
use crate::kernels::simd;
use crate::kernels::sums::{AddRows, PartialSums};
use rayon::prelude::*;
use std::ops::Range;

/// Numbers between the two that are made together, about: with their gradients they stay in the cache.
const STRIP: usize = 1 << 17;

/// A convolution with what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Its weights.
    pub weights: &'a ForwardWeights,
    /// `[out_c]`.
    pub bias: &'a [f32],
    /// The activation behind it.
    pub act: Activation,
}

/// `y = act₂(depthwise(act₁(pointwise(x) + bias₁)) + bias₂ + residual)`.
///
/// `x` is `[B, in_h, in_w, in_c]`; `y`, overwritten, and `residual` are `[B, out_h, out_w, channels]`.
///
/// # Panics
/// Where the layers are not such a pair ([`suits`]), or a slice is not as long as they say.
///
/// ```
/// use petal::kernels::conv::{ForwardWeights, pair};
/// use petal::kernels::{Activation, Conv, Memory, Padding, Precision};
///
/// // One channel to two, itself and its negative, cut off at 0; then each times a number of its own.
/// let row = |in_c, out_c, depthwise| Conv { in_h: 1, in_w: 2, in_c, out_c, kernel: 1, stride: 1, pad: Padding::NONE, depthwise, precision: Precision::F32 };
/// let (first, second, memory) = (row(1, 2, false), row(2, 2, true), Memory::default());
/// let expand = ForwardWeights::pack(&first, &[1.0, -1.0], None, &memory);
/// let scale = ForwardWeights::pack(&second, &[10.0, 100.0], None, &memory);
/// let pointwise = pair::Layer { weights: &expand, bias: &[0.0; 2], act: Activation::Relu };
/// let depthwise = pair::Layer { weights: &scale, bias: &[0.0, 5.0], act: Activation::None };
/// let mut y = [0.0; 4];
/// pair::forward([pointwise, depthwise], &[1.0, -2.0], None, &memory, &mut y);
/// assert_eq!(y, [10.0, 5.0, 0.0, 205.0]);
/// ```
pub fn forward(
    [pointwise, depthwise]: [Layer; 2],
    x: &[f32],
    residual: Option<&[f32]>,
    memory: &Memory,
    y: &mut [f32],
) {
    let (first, second) = (&pointwise.weights.conv, &depthwise.weights.conv);
    check([pointwise.weights.conv, *second], x, y);
    assert!(pointwise.bias.len() == second.in_c && depthwise.bias.len() == second.out_c, "biases of {second:?}");
    assert!(residual.is_none_or(|residual| residual.len() == y.len()), "residual of {second:?}");
    let (picture, row) = (second.out_len(), second.out_w() * second.out_c);
    let rows = strip_rows(second.out_h(), second.in_len());
    picture_parts(y, picture, rows * row).for_each(|(i, start, y)| {
        let from = start / row;
        let between = rows_behind(second, from..from + y.len() / row);
        let mut wide = memory.buffer(between.len() * second.in_w * second.in_c);
        make_rows(&pointwise, &x[i * first.in_len()..][..first.in_len()], between.clone(), memory, &mut wide);
        simd::run(OutputRows {
            conv: second,
            x: &wide,
            from: between.start,
            packed: &depthwise.weights.data,
            bias: depthwise.bias,
            residual: residual.map(|residual| &residual[i * picture + start..][..y.len()]),
            act: depthwise.act,
            first: from,
            y,
        });
    });
}

/// What is asked for of [`backward`].
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// The depthwise weights to go back through, wherever one of the next two is asked for.
    pub depthwise: Option<&'a BackwardWeights>,
    /// The gradient of the input.
    pub input: Option<InputGradient<'a>>,
    /// The sums of the pointwise convolution.
    pub pointwise_sums: Option<WeightGradient<'a>>,
    /// The sums of the depthwise one.
    pub depthwise_sums: Option<WeightGradient<'a>>,
}

/// The gradients of a pair: of its input, and of the weights and biases of both, as [`conv::backward`](super::backward) gives them.
///
/// `dy`, the gradient before the second activation, is `[B, out_h, out_w, channels]`.
///
/// # Panics
/// As [`forward`].
///
/// ```
/// use petal::kernels::conv::{BackwardWeights, ForwardWeights, InputGradient, pair};
/// use petal::kernels::{Activation, Conv, Memory, Padding, Precision};
///
/// // The pair of [`forward`]: of each pixel, the channel that was cut off gives no gradient.
/// let row = |in_c, out_c, depthwise| Conv { in_h: 1, in_w: 2, in_c, out_c, kernel: 1, stride: 1, pad: Padding::NONE, depthwise, precision: Precision::F32 };
/// let (first, second, memory) = (row(1, 2, false), row(2, 2, true), Memory::default());
/// let expand = ForwardWeights::pack(&first, &[1.0, -1.0], None, &memory);
/// let (expand_back, scale_back) =
///     (BackwardWeights::pack(&first, &[1.0, -1.0], None, &memory), BackwardWeights::pack(&second, &[10.0, 100.0], None, &memory));
/// let pointwise = pair::Layer { weights: &expand, bias: &[0.0; 2], act: Activation::Relu };
/// let mut dx = [0.0; 2];
/// let input = InputGradient { weights: &expand_back, before: Activation::None, accumulate: false, dx: &mut dx };
/// let wanted = pair::Gradients { depthwise: Some(&scale_back), input: Some(input), ..Default::default() };
/// pair::backward(pointwise, &second, &[1.0, -2.0], &[1.0; 4], wanted, &memory);
/// assert_eq!(dx, [10.0, -100.0]);
/// ```
pub fn backward(pointwise: Layer, second: &Conv, x: &[f32], dy: &[f32], wanted: Gradients, memory: &Memory) {
    let first = &pointwise.weights.conv;
    check([*first, *second], x, dy);
    let Gradients { depthwise, input, pointwise_sums, depthwise_sums } = wanted;
    assert!(depthwise.is_none_or(|weights| weights.conv == *second), "weights of {second:?}");
    assert!(depthwise.is_some() || (input.is_none() && pointwise_sums.is_none()), "a gradient through no weights");
    let packed = depthwise.map_or(&[][..], |weights| &weights.data);
    let (before, accumulate, weights, dx) = match input {
        Some(InputGradient { weights, before, accumulate, dx }) => (before, accumulate, &weights.data[..], dx),
        None => (Activation::None, false, &[][..], &mut [][..]),
    };
    assert_eq!(before.keeps(), Keeps::Output, "activation before {first:?}");
    let rows = strip_rows(second.in_h, second.in_len());
    let strips = x.len() / first.in_len() * second.in_h.div_ceil(rows);
    let [mut narrow, mut wide] =
        [&pointwise_sums, &depthwise_sums].map(|sums| PartialSums::new(strips, asked(sums), memory));
    let mut sums = narrow.of_tasks().into_iter().zip(wide.of_tasks());
    let narrow_row = first.in_w * first.in_c;
    let mut dx = parts_in_order(dx, first.in_len(), rows * narrow_row);
    let mut all = Vec::with_capacity(strips);
    for (x, dy) in x.chunks_exact(first.in_len()).zip(dy.chunks_exact(second.out_len())) {
        for from in (0..second.in_h).step_by(rows) {
            let rows = from..(from + rows).min(second.in_h);
            all.push((x, dy, rows, dx.next().unwrap_or_default(), sums.next().unwrap_or_default()));
        }
    }
    // The mask of what only cuts off is taken with the depthwise gradient; the others' slope behind it, from what went in.
    let smooth = pointwise.act.keeps() == Keeps::Input;
    let (made, mask) =
        if smooth { (Layer { act: Activation::None, ..pointwise }, None) } else { (pointwise, pointwise.act.mask()) };
    all.into_par_iter().for_each(|(x, dy, rows, dx, (narrow_sums, wide_sums))| {
        let len = rows.len() * second.in_w * second.in_c;
        let mut wide = memory.buffer(len);
        make_rows(&made, x, rows.clone(), memory, &mut wide);
        let mut went_in = memory.buffer(if smooth { len } else { 0 });
        if smooth {
            went_in.copy_from_slice(&wide);
            pointwise.act.finish(&mut wide);
        }
        let mut gradient = memory.buffer(if packed.is_empty() { 0 } else { len });
        simd::run(InputRows {
            conv: second,
            x: &wide,
            dy,
            packed,
            mask,
            accumulate: false,
            rows: rows.clone(),
            dx: &mut gradient,
            sums: wide_sums,
        });
        if smooth && !gradient.is_empty() {
            simd::run(Slopes { act: pointwise.act, kept: &went_in, dy: &mut gradient });
        }
        let (positions, in_c, out_c) = (rows.len() * first.in_w, first.in_c, first.out_c);
        let x = &x[rows.start * narrow_row..][..positions * in_c];
        if !narrow_sums.is_empty() {
            let (dw, db) = narrow_sums.split_at_mut(first.weights());
            // The wide side is the one that the product runs along fast.
            let x = Matrix::new(x, positions, in_c).transposed();
            multiply_once(x, Matrix::new(&gradient, positions, out_c), first.precision, false, memory, dw);
            db.fill(0.0);
            simd::run(AddRows { rows: &gradient, stride: out_c, from: 0, sums: db });
        }
        if !dx.is_empty() {
            let weights = Right::new(weights, out_c, in_c, first.precision);
            multiply(Matrix::new(&gradient, positions, out_c), weights, accumulate, memory, dx);
            simd::run(Slopes { act: before, kept: x, dy: dx });
        }
    });
    if let Some(WeightGradient { accumulate, sums }) = pointwise_sums {
        narrow.add_up_turned(first.out_c, accumulate, memory, sums);
    }
    if let Some(WeightGradient { accumulate, sums }) = depthwise_sums {
        wide.add_up(accumulate, sums);
    }
}

/// Rows `rows` of what lies between the two, of one picture.
fn make_rows(pointwise: &Layer, x: &[f32], rows: Range<usize>, memory: &Memory, to: &mut [f32]) {
    let &Layer { weights: ForwardWeights { conv, data, .. }, bias, act } = pointwise;
    let (positions, start) = (rows.len() * conv.in_w, rows.start * conv.in_w);
    let x = Matrix::new(&x[start * conv.in_c..][..positions * conv.in_c], positions, conv.in_c);
    multiply(x, Right::new(data, conv.in_c, conv.out_c, conv.precision), false, memory, to);
    simd::run(Epilogue { bias, residual: None, act, y: to });
}

/// Into strips of how many rows, of equal size, `rows` are divided, which are made from, or belong to, `between` numbers.
fn strip_rows(rows: usize, between: usize) -> usize {
    rows.div_ceil(between.div_ceil(STRIP))
}

fn check([first, second]: [Conv; 2], x: &[f32], y: &[f32]) {
    assert!(first.is_pointwise() && !first.depthwise && second.depthwise, "a pointwise and a depthwise convolution");
    let between = [(first.in_h, first.in_w, first.out_c), (second.in_h, second.in_w, second.in_c)];
    assert_eq!(between[0], between[1], "what lies between {first:?} and {second:?}");
    let batch = x.len() / first.in_len();
    assert_eq!(x.len(), batch * first.in_len(), "input of {first:?}");
    assert_eq!(y.len(), batch * second.out_len(), "output of {second:?}");
}
