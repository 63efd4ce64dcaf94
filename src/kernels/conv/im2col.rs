//! Convolution in which every output channel sees every input channel: patches times weights.

use super::Conv;
use super::layout::{oihw_to_hwio, oihw_to_ohwi, oihw_to_turned_hwoi};
use super::patches::{col2im, im2col};
use super::{InputGradient, WeightGradient};
use super::{direct, winograd};
use crate::kernels::activation::{Slopes, backward_activation};
use crate::kernels::elementwise::{AddRows, sum_parts};
use crate::kernels::gemm::{Matrix, multiply};
use crate::kernels::memory::{Buffer, Memory};
use crate::kernels::simd;
use rayon::prelude::*;
use std::ops::Range;

/// Numbers in a tile of patches: 2 MiB, so that it is still in the cache when it is multiplied.
const TILE: usize = 1 << 19;

/// A tile has at least this many positions, however deep its patches, to be worth reading the weights for.
const MIN_POSITIONS: usize = 256;

/// A tile of a 1×1 convolution has a position more for so many weights: packing them for a product is then a small part of it.
const WEIGHTS_PER_POSITION: usize = 256;

/// Numbers in all the partial sums of a weight gradient together.
const PARTIAL_SUMS: usize = 1 << 21;

/// Into how many tasks a weight gradient is divided.
const WEIGHT_TASKS: usize = 8;

/// Positions that a group of a weight gradient has at least: with fewer, its sums are more work than its products.
const MIN_TERMS: usize = 512;

/// Output channels in a block of a weight gradient, at least: each block reads all the patches.
const MIN_BLOCK: usize = 128;

/// The most weights of a pointwise convolution whose gradients are made together: sums so small stay in the cache as well.
const ONE_PASS: usize = 1 << 16;

/// Numbers in a tile of such a convolution: the input, its gradient and the output's stay in the cache.
const ONE_PASS_TILE: usize = 1 << 16;

/// Weights as [`forward`] reads them.
pub(super) fn pack_forward(conv: &Conv, weight: &[f32], scale: Option<&[f32]>, memory: &Memory) -> Buffer {
    pack(conv, memory, |to| oihw_to_hwio(conv.out_c, conv.in_c, weight, scale, to))
}

/// Weights as [`backward_input`] reads them.
pub(super) fn pack_backward(conv: &Conv, weight: &[f32], scale: Option<&[f32]>, memory: &Memory) -> Buffer {
    let (outputs, inputs) = (conv.out_c, conv.in_c);
    if let Some(transposed) = conv.transposed() {
        // The kernel of the transposed convolution is turned by half a turn.
        return pack(&transposed, memory, |to| oihw_to_turned_hwoi(outputs, inputs, weight, scale, to));
    }
    let mut packed = memory.buffer(weight.len());
    oihw_to_ohwi(outputs, inputs, weight, scale, &mut packed);
    packed
}

/// Packs the weights that `write` gives as `[kernel, kernel, in_c, out_c]`.
fn pack(conv: &Conv, memory: &Memory, write: impl FnOnce(&mut [f32])) -> Buffer {
    let mut weight = memory.buffer(conv.weights());
    write(&mut weight);
    if winograd::suits(conv) { winograd::pack(conv, &weight, memory) } else { weight }
}

/// `y = conv(x)`, or `y += conv(x)` where `accumulate`. `finish(start, tile)` is called on each finished part of `y`, which
/// starts at `start`, while it is in the cache.
pub(super) fn forward(
    conv: &Conv,
    x: &[f32],
    packed: &[f32],
    accumulate: bool,
    finish: impl Fn(usize, &mut [f32]) + Sync,
    memory: &Memory,
    y: &mut [f32],
) {
    if winograd::suits(conv) {
        return winograd::forward(conv, x, packed, accumulate, finish, memory, y);
    }
    if direct::suits(conv) {
        return direct::forward(conv, x, packed, accumulate, finish, y);
    }
    let (depth, row) = (conv.depth(), conv.out_w() * conv.out_c);
    let rows = even_rows(conv, y.len() / row);
    let weights = Matrix::new(packed, depth, conv.out_c);
    y.par_chunks_mut(rows * row).enumerate().for_each(|(i, y)| {
        let (start, positions) = (i * rows * conv.out_w(), y.len() / conv.out_c);
        let mut buffer = None;
        let patches = patches(conv, x, start, positions, memory, &mut buffer);
        multiply(Matrix::new(patches, positions, depth), weights, accumulate, y);
        finish(start * conv.out_c, y);
    });
}

/// `dx = ` or `dx += ` the gradient of the input, with weights from [`pack_backward`].
pub(super) fn backward_input(
    conv: &Conv,
    dy: &[f32],
    packed: &[f32],
    accumulate: bool,
    memory: &Memory,
    dx: &mut [f32],
) {
    match conv.transposed() {
        Some(transposed) => forward(&transposed, dy, packed, accumulate, |_, _| (), memory, dx),
        None => scatter(conv, dy, packed, accumulate, memory, dx),
    }
}

/// The gradient of the input for any stride and padding: of each patch, then added to where the patch was.
fn scatter(conv: &Conv, dy: &[f32], weight: &[f32], accumulate: bool, memory: &Memory, dx: &mut [f32]) {
    let positions = conv.out_h() * conv.out_w();
    let pictures = (MIN_POSITIONS / positions).max(1);
    let weights = Matrix::new(weight, conv.out_c, conv.depth());
    let parts = dx.par_chunks_mut(pictures * conv.in_len()).zip(dy.par_chunks(pictures * conv.out_len()));
    parts.for_each(|(dx, dy)| {
        let rows = dy.len() / conv.out_c;
        let mut columns = memory.buffer(rows * conv.depth());
        multiply(Matrix::new(dy, rows, conv.out_c), weights, false, &mut columns);
        if !accumulate {
            dx.fill(0.0);
        }
        for (dx, columns) in dx.chunks_exact_mut(conv.in_len()).zip(columns.chunks_exact(positions * conv.depth())) {
            col2im(conv, columns, dx);
        }
    });
}

/// Whether [`backward`] makes both gradients in one pass.
pub(super) fn in_one_pass(conv: &Conv) -> bool {
    conv.is_pointwise() && conv.weights() <= ONE_PASS && conv.out_c <= MIN_BLOCK
}

/// The gradients of the weights, `[O, k, k, I]`, and the bias behind them; and that of the input where it is asked for, which must
/// be possible [in one pass](in_one_pass).
///
/// The batch is divided into groups of output rows, each with sums of its own where these are small; and the weights into
/// blocks of output channels.
pub(super) fn backward(
    conv: &Conv,
    x: &[f32],
    dy: &[f32],
    input: Option<InputGradient<&[f32]>>,
    WeightGradient { accumulate, sums }: WeightGradient,
    memory: &Memory,
) {
    // In the same order as forward.
    let winograd = winograd::suits(conv);
    if !winograd && direct::suits(conv) {
        return direct::backward_weight(conv, x, dy, accumulate, memory, sums);
    }
    // What a group is made of, and the fewest of them.
    let (rows, least) = if winograd {
        (winograd::tiles(conv, dy.len() / conv.out_len()), winograd::MIN_TILES)
    } else {
        (dy.len() / (conv.out_w() * conv.out_c), MIN_TERMS.div_ceil(conv.out_w()))
    };
    let groups = (rows / least).min(PARTIAL_SUMS / sums.len()).clamp(1, WEIGHT_TASKS);
    let block = conv.out_c.div_ceil(WEIGHT_TASKS / groups).max(MIN_BLOCK).min(conv.out_c);
    // With few groups, more threads have work where the input's gradient comes afterwards. (That changes no result.)
    let (mut with_it, mut afterwards) = (input, None);
    if 2 * groups < rayon::current_num_threads() {
        afterwards = with_it.take();
    }
    let group = |i: usize, accumulate: bool, sums: &mut [f32], mut input: Option<InputGradient<&[f32]>>| {
        let rows = i * rows / groups..(i + 1) * rows / groups;
        let (dw, db) = sums.split_at_mut(conv.weights());
        if let Some(input) = &mut input {
            let block = Block { from: 0, accumulate, dw, db };
            return weight_block(conv, x, dy, rows, memory, block, Some(input));
        }
        let blocks = dw.par_chunks_mut(block * conv.depth()).zip(db.par_chunks_mut(block));
        blocks.enumerate().for_each(|(j, (dw, db))| {
            let block = Block { from: j * block, accumulate, dw, db };
            match winograd {
                true => winograd::backward_weight(conv, x, dy, rows.clone(), memory, block),
                false => weight_block(conv, x, dy, rows.clone(), memory, block, None),
            }
        });
    };
    if groups == 1 {
        group(0, accumulate, sums, with_it);
    } else {
        let len = |i: usize| ((i + 1) * rows / groups - i * rows / groups) * conv.in_w * conv.in_c;
        let inputs: Vec<_> = (0..groups).map(|i| with_it.as_mut().map(|input| input.take(len(i)))).collect();
        let mut parts = memory.buffer(groups * sums.len());
        let parts_of_groups = parts.par_chunks_mut(sums.len()).zip(inputs).enumerate();
        parts_of_groups.for_each(|(i, (sums, input))| group(i, false, sums, input));
        sum_parts(&parts, accumulate, sums);
    }
    if let Some(InputGradient { weights, before, accumulate, dx }) = afterwards {
        backward_input(conv, dy, weights, accumulate, memory, dx);
        backward_activation(before, x, dx);
    }
}

/// The gradients of some output channels, `from` and those that follow.
pub(super) struct Block<'a> {
    pub(super) from: usize,
    pub(super) accumulate: bool,
    pub(super) dw: &'a mut [f32],
    pub(super) db: &'a mut [f32],
}

/// Computes a block over some output rows of the batch, and the gradient of the input there, where it is asked for.
fn weight_block(
    conv: &Conv,
    x: &[f32],
    dy: &[f32],
    rows: Range<usize>,
    memory: &Memory,
    block: Block,
    mut input: Option<&mut InputGradient<&[f32]>>,
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
        multiply(gradient, Matrix::new(patches, positions, depth), accumulate || first > rows.start, dw);
        simd::run(AddRows { rows: dy, stride: out_c, from, sums: db });
        if let Some(InputGradient { weights, before, accumulate, dx }) = input.as_deref_mut() {
            let dx = &mut dx[(first - rows.start) * out_w * in_c..][..positions * in_c];
            multiply(Matrix::new(dy, positions, out_c), Matrix::new(weights, out_c, in_c), *accumulate, dx);
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
