//! Weights from PyTorch's order, `[O, I, k, k]`, to those in which the kernels read them, and gradients back.
//!
//! Each output channel's weights are multiplied by its scale on the way, where there is one.

use rayon::prelude::*;

/// Side of the square that is turned at once, so that both sides of it stay in the cache.
const SQUARE: usize = 16;

/// To `[k, k, I, O]`.
pub(in crate::kernels) fn oihw_to_hwio(
    outputs: usize,
    inputs: usize,
    weight: &[f32],
    scale: Option<&[f32]>,
    to: &mut [f32],
) {
    let depth = weight.len() / outputs;
    let taps = depth / inputs;
    blocks(to, taps, SQUARE * outputs).into_par_iter().enumerate().for_each(|(block, mut to)| {
        let first = block * SQUARE;
        for o in (0..outputs).step_by(SQUARE) {
            let width = SQUARE.min(outputs - o);
            let mut square = [[0.0; SQUARE]; SQUARE];
            for (tap, to) in to.iter_mut().enumerate() {
                let rows = to.len() / outputs;
                for (column, weight) in weight[o * depth..].chunks(depth).take(width).enumerate() {
                    let scale = scale.map_or(1.0, |scale| scale[o + column]);
                    for (row, square) in square.iter_mut().enumerate().take(rows) {
                        square[column] = weight[(first + row) * taps + tap] * scale;
                    }
                }
                for (to, square) in to.chunks_exact_mut(outputs).zip(&square) {
                    to[o..o + width].copy_from_slice(&square[..width]);
                }
            }
        }
    });
}

/// To `[k, k, O, I]`, the kernel turned by half a turn: the weights of the transposed convolution.
pub(in crate::kernels) fn oihw_to_turned_hwoi(
    outputs: usize,
    inputs: usize,
    weight: &[f32],
    scale: Option<&[f32]>,
    to: &mut [f32],
) {
    let depth = weight.len() / outputs;
    let taps = depth / inputs;
    blocks(to, taps, inputs).into_par_iter().zip(weight.par_chunks(depth)).enumerate().for_each(|(o, (to, weight))| {
        let scale = scale.map_or(1.0, |scale| scale[o]);
        for (tap, to) in to.into_iter().rev().enumerate() {
            for (to, weight) in to.iter_mut().zip(weight[tap..].iter().step_by(taps)) {
                *to = weight * scale;
            }
        }
    });
}

/// To `[O, k, k, I]`.
pub(in crate::kernels) fn oihw_to_ohwi(
    outputs: usize,
    inputs: usize,
    weight: &[f32],
    scale: Option<&[f32]>,
    to: &mut [f32],
) {
    let depth = weight.len() / outputs;
    let taps = depth / inputs;
    to.par_chunks_mut(depth).zip(weight.par_chunks(depth)).enumerate().for_each(|(o, (to, weight))| {
        let scale = scale.map_or(1.0, |scale| scale[o]);
        for (tap, to) in to.chunks_exact_mut(inputs).enumerate() {
            for (to, weight) in to.iter_mut().zip(weight[tap..].iter().step_by(taps)) {
                *to = weight * scale;
            }
        }
    });
}

/// From `[O, k, k, I]`, with `taps` = k², to `[O, I, k, k]`.
pub(in crate::kernels) fn ohwi_to_oihw(inputs: usize, taps: usize, from: &[f32], to: &mut [f32]) {
    let depth = inputs * taps;
    to.par_chunks_mut(depth).zip(from.par_chunks(depth)).for_each(|(to, from)| {
        for (tap, from) in from.chunks_exact(inputs).enumerate() {
            for (to, from) in to[tap..].iter_mut().step_by(taps).zip(from) {
                *to = *from;
            }
        }
    });
}

/// Divides each of `count` equal parts of a slice into blocks of `len`; gives the first block of each part, then the second, …
pub(in crate::kernels) fn blocks(slice: &mut [f32], count: usize, len: usize) -> Vec<Vec<&mut [f32]>> {
    let part = slice.len() / count;
    let mut parts: Vec<_> = slice.chunks_mut(part).map(|part| part.chunks_mut(len)).collect();
    (0..part.div_ceil(len)).map(|_| parts.iter_mut().filter_map(Iterator::next).collect()).collect()
}

/// From `[k, k, C]`, with `taps` = k², to `[C, k, k]`.
pub(in crate::kernels) fn hwo_to_ohw(channels: usize, taps: usize, from: &[f32], to: &mut [f32]) {
    for (tap, from) in from.chunks_exact(channels).enumerate().take(taps) {
        for (to, from) in to[tap..].iter_mut().step_by(taps).zip(from) {
            *to = *from;
        }
    }
}
