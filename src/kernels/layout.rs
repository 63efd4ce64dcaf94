//! PyTorch's memory layouts and ours.

use rayon::prelude::*;

/// Side of the square that is turned at once, so that both sides of it stay in the cache.
const SQUARE: usize = 16;

/// Dense weights from PyTorch's `[O, I, H, W]` to `[O, H, W, I]`. `shape` is `[O, I, H, W]`.
///
/// # Panics
/// Where `weight` isn't as long as `shape` says.
pub fn oihw_to_ohwi(shape: [usize; 4], weight: &[f32]) -> Vec<f32> {
    let [o, i, h, w] = shape;
    transpose_each(o, i, h * w, weight)
}

/// Dense weights from `[O, H, W, I]` to PyTorch's `[O, I, H, W]`. `shape` is `[O, I, H, W]`.
///
/// # Panics
/// Where `weight` isn't as long as `shape` says.
pub fn ohwi_to_oihw(shape: [usize; 4], weight: &[f32]) -> Vec<f32> {
    let [o, i, h, w] = shape;
    transpose_each(o, h * w, i, weight)
}

/// Pictures from `[B, C, H, W]` to `[B, H, W, C]`. `shape` is `[B, C, H, W]`.
///
/// # Panics
/// Where `pictures` isn't as long as `shape` says.
pub fn nchw_to_nhwc(shape: [usize; 4], pictures: &[f32]) -> Vec<f32> {
    oihw_to_ohwi(shape, pictures)
}

/// Pictures from `[B, H, W, C]` to `[B, C, H, W]`. `shape` is `[B, C, H, W]`.
///
/// # Panics
/// Where `pictures` isn't as long as `shape` says.
pub fn nhwc_to_nchw(shape: [usize; 4], pictures: &[f32]) -> Vec<f32> {
    ohwi_to_oihw(shape, pictures)
}

/// Turns each of `count` matrices `[rows, columns]` into `[columns, rows]`.
fn transpose_each(count: usize, rows: usize, columns: usize, from: &[f32]) -> Vec<f32> {
    let len = rows * columns;
    assert_eq!(from.len(), count * len, "{count} matrices of {rows} by {columns}");
    let mut to = vec![0.0; from.len()];
    if !to.is_empty() {
        to.par_chunks_mut(len).zip(from.par_chunks(len)).for_each(|(to, from)| transpose(rows, columns, from, to));
    }
    to
}

/// `to[j, i] = from[i, j]`, where `from` is `[rows, columns]`.
pub(super) fn transpose(rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
    assert_eq!(from.len(), rows * columns, "a matrix of {rows} by {columns}");
    assert_eq!(to.len(), from.len(), "the matrix and its transpose");
    to.par_chunks_mut(SQUARE * rows).enumerate().for_each(|(strip, to)| {
        let first = strip * SQUARE;
        let width = SQUARE.min(columns - first);
        for (i0, from) in from.chunks(SQUARE * columns).enumerate() {
            for (j, to) in to.chunks_exact_mut(rows).enumerate().take(width) {
                for (to, from) in to[i0 * SQUARE..].iter_mut().zip(from.chunks_exact(columns)) {
                    *to = from[first + j];
                }
            }
        }
    });
}
