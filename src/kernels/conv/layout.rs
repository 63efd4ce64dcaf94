//! Weights from PyTorch's order, `[O, I, k, k]`, to those in which the kernels read them, and gradients back.
//!
//! Each output channel's weights are multiplied by its scale on the way, where there is one.

use crate::kernels::frame::blocks;
use rayon::prelude::*;

/// Side of the square that is turned at once, so that both sides of it stay in the cache.
const SQUARE: usize = 16;

/// To `[k, k, I, O]`.
pub(super) fn oihw_to_hwio(outputs: usize, inputs: usize, weight: &[f32], scale: Option<&[f32]>, to: &mut [f32]) {
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
pub(super) fn oihw_to_turned_hwoi(
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
pub(super) fn oihw_to_ohwi(outputs: usize, inputs: usize, weight: &[f32], scale: Option<&[f32]>, to: &mut [f32]) {
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
pub(super) fn ohwi_to_oihw(inputs: usize, taps: usize, from: &[f32], to: &mut [f32]) {
    let depth = inputs * taps;
    to.par_chunks_mut(depth).zip(from.par_chunks(depth)).for_each(|(to, from)| {
        for (tap, from) in from.chunks_exact(inputs).enumerate() {
            for (to, from) in to[tap..].iter_mut().step_by(taps).zip(from) {
                *to = *from;
            }
        }
    });
}

/// From `[k, k, C]`, with `taps` = k², to `[C, k, k]`.
pub(super) fn hwo_to_ohw(channels: usize, taps: usize, from: &[f32], to: &mut [f32]) {
    for (tap, from) in from.chunks_exact(channels).enumerate().take(taps) {
        for (to, from) in to[tap..].iter_mut().step_by(taps).zip(from) {
            *to = *from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::numbers;

    #[test]
    fn weights_are_reordered_and_gradients_back() {
        for (outputs, inputs, taps) in [(1, 1, 1), (19, 35, 9), (16, 32, 1), (40, 1, 25), (33, 17, 4)] {
            let weight = numbers(outputs * inputs * taps, 9);
            let scale = numbers(outputs, 10);
            let at = |o: usize, i: usize, tap: usize| weight[(o * inputs + i) * taps + tap] * scale[o];
            let mut to = vec![f32::NAN; weight.len()];
            oihw_to_hwio(outputs, inputs, &weight, Some(&scale), &mut to);
            let place = |p: usize| (p % outputs, p / outputs % inputs, p / outputs / inputs);
            assert!(to.iter().enumerate().all(|(p, &got)| got == at(place(p).0, place(p).1, place(p).2)));
            oihw_to_turned_hwoi(outputs, inputs, &weight, Some(&scale), &mut to);
            let turned = |p: usize| at(p / inputs % outputs, p % inputs, taps - 1 - p / inputs / outputs);
            assert!(to.iter().enumerate().all(|(p, &got)| got == turned(p)));
            oihw_to_ohwi(outputs, inputs, &weight, None, &mut to);
            let mut back = vec![f32::NAN; weight.len()];
            ohwi_to_oihw(inputs, taps, &to, &mut back);
            assert_eq!(back, weight);
            assert!(
                (0..to.len())
                    .all(|p| to[p] == weight[(p / inputs / taps * inputs + p % inputs) * taps + p / inputs % taps])
            );
        }
    }
}
