//! Maps as a row of tokens, with some of their own before them, and a table added: what a vision transformer begins with.
//!
//! Maps `x` are `[B, places, channels]`; the table is `[before + places, channels]`, and tokens are as the table for each picture.

use super::elementwise::{Add, add};
use super::frame::CHUNK;
use super::simd;
use super::sums::AddRows;
use rayon::prelude::*;

/// The tokens, `y`, overwritten: the table's first `own` numbers as they are, and behind them the maps with the rest of the table added.
///
/// # Panics
/// Where a slice has another length than the others say.
///
/// ```
/// use petal::kernels::tokens;
///
/// // A token of its own, and two pictures of two places and one channel.
/// let mut y = [0.0; 6];
/// tokens::forward(1, &[1.0, 2.0, 3.0, 4.0], &[7.0, 10.0, 20.0], &mut y);
/// assert_eq!(y, [7.0, 11.0, 22.0, 7.0, 13.0, 24.0]);
/// ```
pub fn forward(own: usize, x: &[f32], table: &[f32], y: &mut [f32]) {
    let behind = check(own, table.len(), y, x);
    y.par_chunks_exact_mut(table.len()).zip(x.par_chunks_exact(behind)).for_each(|(y, x)| {
        y.copy_from_slice(table);
        simd::run(Add { a: &mut y[own..], b: x });
    });
}

/// The gradient of the table, summed over the pictures: `table += …` where `accumulate`, else `table = …`.
///
/// # Panics
/// Where `dy` is no whole number of tables.
///
/// ```
/// let mut table = [0.0; 2];
/// petal::kernels::tokens::backward_table(&[1.0, 2.0, 10.0, 20.0], false, &mut table);
/// assert_eq!(table, [11.0, 22.0]);
/// ```
pub fn backward_table(dy: &[f32], accumulate: bool, table: &mut [f32]) {
    let stride = table.len();
    assert!(stride > 0 && dy.len().is_multiple_of(stride), "gradients of tokens and of their table");
    table.par_chunks_mut(CHUNK).enumerate().for_each(|(i, sums)| {
        if !accumulate {
            sums.fill(0.0);
        }
        simd::run(AddRows { rows: dy, stride, from: i * CHUNK, sums });
    });
}

/// The gradient of the maps: `dx += …` where `accumulate`, else `dx = …`. A picture's tokens are `len` numbers, of which the first `own` are not the maps'.
///
/// # Panics
/// Where a slice has another length than the others say.
///
/// ```
/// let mut dx = [1.0; 2];
/// petal::kernels::tokens::backward_input((1, 3), &[5.0, 10.0, 20.0], true, &mut dx);
/// assert_eq!(dx, [11.0, 21.0]);
/// ```
pub fn backward_input((own, len): (usize, usize), dy: &[f32], accumulate: bool, dx: &mut [f32]) {
    let behind = check(own, len, dy, dx);
    dx.par_chunks_exact_mut(behind)
        .zip(dy.par_chunks_exact(len))
        .for_each(|(dx, dy)| if accumulate { add(dx, &dy[own..]) } else { dx.copy_from_slice(&dy[own..]) });
}

/// Numbers of a picture's maps.
fn check(own: usize, len: usize, tokens: &[f32], maps: &[f32]) -> usize {
    assert!(own < len, "tokens of {len} numbers, {own} of them their own");
    let pictures = tokens.len() / len;
    let lengths = (pictures * len, pictures * (len - own));
    assert_eq!((tokens.len(), maps.len()), lengths, "tokens of {len} numbers a picture, and their maps");
    len - own
}
