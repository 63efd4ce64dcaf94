//! The way forward: a tile of queries over all tiles of keys.

use super::softmax::{Finish, Online};
use super::{Attention, Part};
use crate::kernels::frame::{parts_in_order, picture_parts};
use crate::kernels::gemm::{Matrix, multiply};
use crate::kernels::memory::Memory;
use crate::kernels::simd;
use rayon::prelude::*;

/// The values that each token takes: `y`, `[B, tokens, channels]`, overwritten, from `qkv`, `[B, tokens, 3 · channels]`.
///
/// `statistics`, where they are wanted, are as long as [`Attention::statistics`] says for each picture.
///
/// # Panics
/// Where a size is zero, the heads do not divide the channels, or a slice has another length than the others say.
pub fn forward(attention: &Attention, qkv: &[f32], y: &mut [f32], statistics: Option<&mut [f32]>, memory: &Memory) {
    attention.check(qkv, y, statistics.as_deref());
    let &Attention { tokens, channels, heads } = attention;
    let pictures = y.len() / (tokens * channels);
    let mut own = statistics.is_none().then(|| memory.buffer(pictures * attention.statistics()));
    let statistics = statistics.or(own.as_deref_mut()).unwrap_or_default();
    let queries = attention.queries();
    let known: Vec<_> = parts_in_order(statistics, attention.statistics(), 2 * heads * queries)
        .take(pictures * tokens.div_ceil(queries))
        .collect();
    let parts: Vec<_> = picture_parts(y, tokens * channels, queries * channels).collect();
    parts.into_par_iter().zip(known).for_each(|((picture, start, y), known)| {
        let qkv = &qkv[picture * 3 * tokens * channels..][..3 * tokens * channels];
        tile(attention, qkv, start / channels, y, known, memory);
    });
}

/// The tokens from `first` on, as many as `y` has, of one picture.
fn tile(attention: &Attention, qkv: &[f32], first: usize, y: &mut [f32], known: &mut [f32], memory: &Memory) {
    let &Attention { tokens, channels, heads } = attention;
    let (rows, width, keys, stride) = (y.len() / channels, attention.width(), attention.keys(), 2 * heads);
    let (mut scores, mut sums) = (memory.buffer(rows * keys), memory.buffer(rows * width));
    for head in 0..heads {
        let [q, k, v] = [Part::Query, Part::Key, Part::Value].map(|part| attention.of(qkv, part, head));
        let q = q.rows(first, first + rows);
        let known = &mut known[2 * head..];
        for from in (0..tokens).step_by(keys) {
            let to = tokens.min(from + keys);
            let scores = &mut scores[..rows * (to - from)];
            multiply(q, k.rows(from, to).transposed(), false, scores);
            let (columns, scale) = (to - from, attention.scale());
            simd::run(Online { scores, columns, scale, first: from == 0, known, stride, sums: &mut sums, width });
            multiply(Matrix::new(scores, rows, columns), v.rows(from, to), from > 0, &mut sums);
        }
        simd::run(Finish { sums: &sums, width, known, stride, y: &mut y[head * width..], channels });
    }
}
