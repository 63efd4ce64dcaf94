//! 3×3 convolution with a quarter of the multiplications.
//!
//! F(4×4, 3×3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016): 4×4 outputs are made from 6×6
//! inputs by 36 products a channel instead of 144. Inputs, weights and products each go through a small linear transform,
//! which costs some of the precision: against exact arithmetic a layer's relative error (L2) is at most 3e-6 instead of 5e-7.
//! The gradient of the weights is the same the other way round: 36 products of transformed inputs and gradients, whose sums over all
//! tiles are taken back to weights once.

mod tiles;
mod transforms;

use super::geometry::Conv;
use super::gradient::WeightGradient;
use super::groups::{Block, Division};
use crate::kernels::frame::picture_parts;
use crate::kernels::gemm::{Matrix, multiply};
use crate::kernels::memory::{Buffer, Memory};
use crate::kernels::simd;
use crate::kernels::sums::AddRows;
use rayon::prelude::*;
use std::ops::Range;
use tiles::{IN, OUT, PANEL, PLACES, first_tile, picture_tiles, plane_len};
use transforms::{G, TransformGradient, TransformInput, TransformOutput, TransformSums, TransformWeights};

/// Tiles that one task takes through, about: a multiple of the six rows that the matrix product makes at once.
const TILES: usize = 48;

/// A task takes a tile more for so many weights of a place: it reads all of them.
const WEIGHTS_PER_TILE: usize = 512;

/// Numbers in the transformed inputs and gradients that are multiplied together, about: they stay in the cache.
const PART: usize = 1 << 18;

/// The fewest tiles that are multiplied together.
const MIN_TILES: usize = 64;

/// The place where the transformed gradient is its tile's sum.
const SUM: usize = IN + 1;

/// The transformed weights from `[3, 3, in_c, out_c]`: 36 matrices `[in_c, out_c]`, each cut into panels of columns.
pub(super) fn pack(conv: &Conv, weight: &[f32], memory: &Memory) -> Buffer {
    let plane = conv.in_c * conv.out_c;
    let mut packed = memory.buffer(PLACES * plane);
    let rows = packed.par_chunks_mut(IN * plane).zip(G);
    rows.for_each(|(packed, factors)| simd::run(TransformWeights { conv, weight, factors, packed }));
    packed
}

/// As [`im2col::forward`](super::im2col::forward), of 3×3 kernels, with weights from [`pack`].
pub(super) fn forward(
    conv: &Conv,
    x: &[f32],
    packed: &[f32],
    accumulate: bool,
    finish: impl Fn(usize, &mut [f32]) + Sync,
    memory: &Memory,
    y: &mut [f32],
) {
    let (row, picture) = (conv.out_w() * conv.out_c, conv.out_len());
    let (across, down) = (conv.out_w().div_ceil(OUT), conv.out_h().div_ceil(OUT));
    let plane = conv.in_c * conv.out_c;
    // A task takes several small pictures, or some rows of tiles of a large one.
    let tiles = TILES.max(plane / WEIGHTS_PER_TILE);
    let pictures = (tiles / (across * down)).max(1);
    let parts = (across * down).div_ceil(tiles);
    let part = if parts > 1 { down.div_ceil(parts) * OUT * row } else { pictures * picture };
    picture_parts(y, pictures * picture, part).for_each(|(i, start, y)| {
        let start = i * pictures * picture + start;
        let tiles: usize = y.chunks(picture).map(|y| y.len().div_ceil(OUT * row) * across).sum();
        let (inputs, products) = (plane_len(tiles, conv.in_c), plane_len(tiles, conv.out_c));
        let mut buffer = memory.buffer(PLACES * (inputs + products));
        let (input, product) = buffer.split_at_mut(PLACES * inputs);
        let first = first_tile(conv, start);
        simd::run(TransformInput { conv, x, tiles: first..first + tiles, input });
        for (place, product) in product.chunks_exact_mut(products).enumerate() {
            let product = &mut product[..tiles * conv.out_c];
            let input = Matrix::new(&input[place * inputs..][..tiles * conv.in_c], tiles, conv.in_c);
            let panels = packed[place * plane..][..plane].chunks(conv.in_c * PANEL);
            for (product, panel) in product.chunks_mut(tiles * PANEL).zip(panels) {
                multiply(input, Matrix::new(panel, conv.in_c, panel.len() / conv.in_c), false, product);
            }
        }
        simd::run(TransformOutput { conv, start, tiles, product, accumulate, y });
        finish(start, y);
    });
}

/// As [`im2col::backward_weight`](super::im2col::backward_weight).
pub(super) fn backward_weight(conv: &Conv, x: &[f32], dy: &[f32], weight: WeightGradient, memory: &Memory) {
    let tiles = dy.len() / conv.out_len() * picture_tiles(conv);
    Division::new(conv, tiles, MIN_TILES).each_block(weight, memory, |tiles, block| {
        weight_block(conv, x, dy, tiles, memory, block);
    });
}

/// The gradients of a block of weights, `[O, 3, 3, I]`, and bias over some tiles, counted through the batch.
fn weight_block(conv: &Conv, x: &[f32], dy: &[f32], tiles: Range<usize>, memory: &Memory, block: Block) {
    let Block { from, accumulate, dw, db } = block;
    let (in_c, channels) = (conv.in_c, db.len());
    if !accumulate {
        db.fill(0.0);
    }
    let some = (PART / (PLACES * (in_c + channels))).max(MIN_TILES);
    let len = PLACES * (plane_len(some, in_c) + plane_len(some, channels));
    let mut buffer = memory.buffer(len + PLACES * channels * in_c);
    let (parts, sums) = buffer.split_at_mut(len);
    for first in tiles.clone().step_by(some) {
        let some = first..(first + some).min(tiles.end);
        let (count, accumulate) = (some.len(), first > tiles.start);
        let (inputs, gradients) = (plane_len(count, in_c), plane_len(count, channels));
        let (input, gradient) = parts.split_at_mut(PLACES * inputs);
        let gradient = &mut gradient[..PLACES * gradients];
        simd::run(TransformInput { conv, x, tiles: some.clone(), input });
        simd::run(TransformGradient { conv, dy, tiles: some, from, channels, gradient });
        let places = input.chunks_exact(inputs).zip(gradient.chunks_exact(gradients));
        for ((input, gradient), sums) in places.zip(sums.chunks_exact_mut(channels * in_c)) {
            let gradient = Matrix::new(&gradient[..count * channels], count, channels).transposed();
            multiply(gradient, Matrix::new(&input[..count * in_c], count, in_c), accumulate, sums);
        }
        let rows = &gradient[SUM * gradients..][..count * channels];
        simd::run(AddRows { rows, stride: channels, from: 0, sums: db });
    }
    if tiles.is_empty() {
        sums.fill(0.0);
    }
    simd::run(TransformSums { in_c, sums, accumulate, dw });
}
