//! The way back: tile by tile, the weights made again.

use super::softmax::{Again, Products};
use super::{Attention, Part};
use crate::kernels::elementwise::add;
use crate::kernels::frame::picture_parts;
use crate::kernels::gemm::{Matrix, multiply};
use crate::kernels::memory::Memory;
use crate::kernels::simd;
use rayon::prelude::*;

/// The gradient of queries, keys and values: `dqkv += …` where `accumulate`, else `dqkv = …`.
///
/// `qkv` and `dqkv` are `[B, tokens, 3 · channels]`; `y`, `[B, tokens, channels]`, and `statistics` are what [`forward`](super::forward) gave; `dy` is the
/// gradient of `y`.
///
/// # Panics
/// Where a size is zero, the heads do not divide the channels, or a slice has another length than the others say.
///
/// ```
/// use petal::kernels::{Attention, Memory, attention};
///
/// let (among, memory) = (Attention { tokens: 2, channels: 1, heads: 1 }, Memory::default());
/// let (qkv, mut y, mut statistics) = ([0.0, 5.0, 1.0, 0.0, -7.0, 3.0], [0.0; 2], [0.0; 4]);
/// attention::forward(&among, &qkv, &mut y, Some(&mut statistics), &memory);
/// let mut dqkv = [0.0; 6];
/// attention::backward(&among, &qkv, (&y, &[1.0, 0.0]), &statistics, false, &memory, &mut dqkv);
/// // Of the first token's output: a larger query would take more of the first value, which is smaller; each value counts half.
/// assert_eq!(dqkv, [-6.0, 0.0, 0.5, 0.0, 0.0, 0.5]);
/// ```
pub fn backward(
    attention: &Attention,
    qkv: &[f32],
    (y, dy): (&[f32], &[f32]),
    statistics: &[f32],
    accumulate: bool,
    memory: &Memory,
    dqkv: &mut [f32],
) {
    attention.check(qkv, y, Some(statistics));
    assert_eq!((dy.len(), dqkv.len()), (y.len(), qkv.len()), "gradients of {attention:?}");
    let &Attention { tokens, channels, heads } = attention;
    let (len, width, own) = (tokens * channels, attention.width(), attention.statistics());
    // Head by head first, where each task has memory of its own; then into the tokens' rows.
    let mut by_head = memory.buffer(dqkv.len());
    by_head.par_chunks_mut(3 * tokens * width).enumerate().for_each(|(task, gradients)| {
        let (picture, head) = (task / heads, task % heads);
        let left = Left {
            qkv: &qkv[picture * 3 * len..][..3 * len],
            y: &y[picture * len..][..len],
            dy: &dy[picture * len..][..len],
            known: &statistics[picture * own..][..own],
        };
        one_head(attention, left, head, memory, gradients);
    });
    let rows = attention.queries();
    picture_parts(dqkv, 3 * len, rows * 3 * channels).for_each(|(picture, start, dqkv)| {
        let by_head = &by_head[picture * 3 * len..][..3 * len];
        for (row, dqkv) in dqkv.chunks_exact_mut(3 * channels).enumerate() {
            let token = start / (3 * channels) + row;
            for (index, dqkv) in dqkv.chunks_exact_mut(width).enumerate() {
                let (part, head) = (index / heads, index % heads);
                let from = &by_head[((head * 3 + part) * tokens + token) * width..][..width];
                if accumulate { add(dqkv, from) } else { dqkv.copy_from_slice(from) }
            }
        }
    });
}

/// What the way forward left of one picture, and the gradient of what came out.
#[derive(Clone, Copy)]
struct Left<'a> {
    qkv: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    known: &'a [f32],
}

/// The gradients of one head's queries, keys and values, `[3, tokens, width]`, overwritten.
fn one_head(attention: &Attention, Left { qkv, y, dy, known }: Left, head: usize, memory: &Memory, to: &mut [f32]) {
    let &Attention { tokens, channels, heads } = attention;
    let (width, stride, scale) = (attention.width(), 2 * heads, attention.scale());
    let (queries, keys) = (attention.queries(), attention.keys());
    let [q, k, v] = [Part::Query, Part::Key, Part::Value].map(|part| attention.of(qkv, part, head));
    let of_output = attention.of_output(dy, head);
    let (d_query, rest) = to.split_at_mut(tokens * width);
    let (d_key, d_value) = rest.split_at_mut(tokens * width);
    let [mut scores, mut gradients] = [(); 2].map(|()| memory.buffer(queries * keys));
    let mut products = memory.buffer(queries);
    for first in (0..tokens).step_by(queries) {
        let last = tokens.min(first + queries);
        let (rows, start) = (last - first, first * channels + head * width);
        let (q, dy_rows) = (q.rows(first, last), of_output.rows(first, last));
        let products = &mut products[..rows];
        simd::run(Products { a: &dy[start..], b: &y[start..], channels, width, products });
        for from in (0..tokens).step_by(keys) {
            let to = tokens.min(from + keys);
            let (columns, place) = (to - from, from * width..to * width);
            let (scores, gradients) = (&mut scores[..rows * columns], &mut gradients[..rows * columns]);
            multiply(q, k.rows(from, to).transposed(), false, scores);
            multiply(dy_rows, v.rows(from, to).transposed(), false, gradients);
            let known = &known[first * stride + 2 * head..];
            simd::run(Again { scores, gradients, columns, scale, known, stride, products });
            let (weights, slopes) = (Matrix::new(scores, rows, columns), Matrix::new(gradients, rows, columns));
            multiply(weights.transposed(), dy_rows, first > 0, &mut d_value[place.clone()]);
            multiply(slopes.transposed(), q, first > 0, &mut d_key[place]);
            multiply(slopes, k.rows(from, to), from > 0, &mut d_query[first * width..last * width]);
        }
    }
}
