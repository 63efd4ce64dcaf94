//! Convolution as a matrix product: patches times weights. Any geometry, and the only way of pointwise ones, whose picture is already
//! the matrix.

use super::geometry::Conv;
use super::gradient::{InputGradient, WeightGradient};
use super::groups::{Block, Division};
use super::patches::{col2im, im2col};
use super::plan::in_one_pass;
use crate::kernels::activation::Slopes;
use crate::kernels::gemm::Matrix;
use crate::kernels::memory::{Buffer, Memory};
use crate::kernels::product::{Right, multiply, multiply_once};
use crate::kernels::simd;
use crate::kernels::sums::AddRows;
use rayon::prelude::*;
use std::ops::Range;

/// Numbers in a tile of patches: 2 MiB, so that it is still in the cache when it is multiplied.
const TILE: usize = 1 << 19;

/// A tile has at least this many positions, however deep its patches, to be worth reading the weights for.
const MIN_POSITIONS: usize = 256;

/// A tile of a 1×1 convolution has a position more for so many weights: packing them for a product is then a small part of it.
const WEIGHTS_PER_POSITION: usize = 256;

/// Positions that a group of a weight gradient has at least: with fewer, its sums are more work than its products.
const MIN_TERMS: usize = 512;

/// Numbers in a tile of a convolution whose gradients are made together: the input, its gradient and the output's stay in the cache.
const ONE_PASS_TILE: usize = 1 << 16;

/// `y = conv(x)`, or `y += conv(x)` where `accumulate`, with weights `[kernel, kernel, in_c, out_c]`. `finish(start, tile)` is called on
/// each finished part of `y`, which starts at `start`, while it is in the cache.
pub(super) fn forward(
    conv: &Conv,
    x: &[f32],
    packed: &[f32],
    accumulate: bool,
    finish: impl Fn(usize, &mut [f32]) + Sync,
    memory: &Memory,
    y: &mut [f32],
) {
    let (depth, row) = (conv.depth(), conv.out_w() * conv.out_c);
    let rows = even_rows(conv, y.len() / row);
    let weights = Right::new(packed, depth, conv.out_c, conv.precision);
    y.par_chunks_mut(rows * row).enumerate().for_each(|(i, y)| {
        let (start, positions) = (i * rows * conv.out_w(), y.len() / conv.out_c);
        let mut buffer = None;
        let patches = patches(conv, x, start, positions, memory, &mut buffer);
        multiply(Matrix::new(patches, positions, depth), weights, accumulate, memory, y);
        finish(start * conv.out_c, y);
    });
}

/// The gradient of the input for any stride and padding, with weights `[out_c, kernel, kernel, in_c]`: of each patch, then added to where
/// the patch was.
pub(super) fn scatter(conv: &Conv, dy: &[f32], weight: &[f32], accumulate: bool, memory: &Memory, dx: &mut [f32]) {
    let positions = conv.out_h() * conv.out_w();
    let pictures = (MIN_POSITIONS / positions).max(1);
    let weights = Right::new(weight, conv.out_c, conv.depth(), conv.precision);
    let parts = dx.par_chunks_mut(pictures * conv.in_len()).zip(dy.par_chunks(pictures * conv.out_len()));
    parts.for_each(|(dx, dy)| {
        let rows = dy.len() / conv.out_c;
        let mut columns = memory.buffer(rows * conv.depth());
        multiply(Matrix::new(dy, rows, conv.out_c), weights, false, memory, &mut columns);
        if !accumulate {
            dx.fill(0.0);
        }
        for (dx, columns) in dx.chunks_exact_mut(conv.in_len()).zip(columns.chunks_exact(positions * conv.depth())) {
            col2im(conv, columns, dx);
        }
    });
}

/// The gradients of the weights, `[O, k, k, I]`, and the bias behind them.
pub(super) fn backward_weight(conv: &Conv, x: &[f32], dy: &[f32], weight: WeightGradient, memory: &Memory) {
    division(conv, dy).each_block(weight, memory, |rows, block| {
        weight_block(conv, x, dy, rows, memory, block, None);
    });
}

/// Whether [`backward`] gives every thread work. (Where it doesn't, the input's gradient afterwards does: that changes no result.)
pub(super) fn fills_threads(conv: &Conv, dy: &[f32]) -> bool {
    division(conv, dy).fills_threads()
}

/// As [`backward_weight`], and the gradient of the input in the same pass: where that is [possible](in_one_pass).
pub(super) fn backward(
    conv: &Conv,
    x: &[f32],
    dy: &[f32],
    mut input: InputGradient<&[f32]>,
    weight: WeightGradient,
    memory: &Memory,
) {
    let division = division(conv, dy);
    let inputs = division.groups().map(|rows| input.take(rows.len() * conv.in_w * conv.in_c)).collect();
    division.each_group(inputs, weight, memory, |rows, input, block| {
        weight_block(conv, x, dy, rows, memory, block, Some(input));
    });
}

/// The rows of the output in groups.
fn division(conv: &Conv, dy: &[f32]) -> Division {
    Division::new(conv, dy.len() / (conv.out_w() * conv.out_c), MIN_TERMS.div_ceil(conv.out_w()))
}

/// Computes a block over some output rows of the batch, and the gradient of the input there, where it is asked for.
fn weight_block(
    conv: &Conv,
    x: &[f32],
    dy: &[f32],
    rows: Range<usize>,
    memory: &Memory,
    block: Block,
    mut input: Option<InputGradient<&[f32]>>,
) {
    let Block { from, accumulate, dw, db } = block;
    let (in_c, out_c, out_w, depth) = (conv.in_c, conv.out_c, conv.out_w(), conv.depth());
    let mut buffer = None;
    if !accumulate {
        db.fill(0.0);
    }
    if !accumulate && rows.is_empty() {
        dw.fill(0.0);
    }
    let tile = if in_one_pass(conv) { ONE_PASS_TILE.div_ceil(out_w * in_c.max(out_c)) } else { tile_rows(conv) };
    for first in rows.clone().step_by(tile) {
        let (start, positions) = (first * out_w, tile.min(rows.end - first) * out_w);
        let dy = &dy[start * out_c..][..positions * out_c];
        let patches = patches(conv, x, start, positions, memory, &mut buffer);
        let gradient = Matrix::new(dy, positions, out_c).columns(from, from + db.len()).transposed();
        let patches_of = Matrix::new(patches, positions, depth);
        multiply_once(gradient, patches_of, conv.precision, accumulate || first > rows.start, memory, dw);
        simd::run(AddRows { rows: dy, stride: out_c, from, sums: db });
        if let Some(InputGradient { weights, before, accumulate, dx }) = &mut input {
            let dx = &mut dx[(first - rows.start) * out_w * in_c..][..positions * in_c];
            let weights = Right::new(weights, out_c, in_c, conv.precision);
            multiply(Matrix::new(dy, positions, out_c), weights, *accumulate, memory, dx);
            simd::run(Slopes { act: *before, kept: patches, dy: dx });
        }
    }
}

/// How many output rows a tile has: as many as fit, by the geometry alone.
fn tile_rows(conv: &Conv) -> usize {
    let widest = conv.depth().max(conv.out_c);
    (TILE / widest).max(MIN_POSITIONS).div_ceil(conv.out_w())
}

/// Into tiles of how many rows a product of `rows` is divided: of equal size, since a small one would be all reading of weights, and
/// with many weights larger ones, as long as every thread has work. (Rows don't depend on one another, so this changes no result.)
fn even_rows(conv: &Conv, rows: usize) -> usize {
    let mut tile = tile_rows(conv);
    if conv.is_pointwise() {
        let deep = (conv.weights() / WEIGHTS_PER_POSITION).div_ceil(conv.out_w());
        tile = tile.max(deep.min(rows / (rayon::current_num_threads() / 2).max(1)));
    }
    rows.div_ceil(((rows + tile / 2) / tile).max(1))
}

/// The patches of `positions` outputs from `start` on, whole output rows: in `x` itself where it has them, else in `buffer`.
fn patches<'a>(
    conv: &Conv,
    x: &'a [f32],
    start: usize,
    positions: usize,
    memory: &Memory,
    buffer: &'a mut Option<Buffer>,
) -> &'a [f32] {
    if conv.is_pointwise() {
        return &x[start * conv.in_c..][..positions * conv.in_c];
    }
    let columns =
        &mut buffer.get_or_insert_with(|| memory.buffer(positions * conv.depth()))[..positions * conv.depth()];
    im2col(conv, x, start / conv.out_w(), columns);
    columns
}
