//! `f32` to `f16` and back, for stored activations: half the memory, relative error at most 2⁻¹¹ between 6.1e-5 and 65504.

use super::elementwise::CHUNK;
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

/// Rounds each number to the nearest `f16`, ties to even. What is larger than 65504 becomes infinite.
///
/// # Panics
/// Where the two lengths differ.
pub fn to_f16(from: &[f32], to: &mut [f16]) {
    assert_eq!(from.len(), to.len(), "from and to");
    to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| to.convert_from_f32_slice(from));
}

/// Widens each number, without loss.
///
/// # Panics
/// Where the two lengths differ.
pub fn from_f16(from: &[f16], to: &mut [f32]) {
    assert_eq!(from.len(), to.len(), "from and to");
    to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| from.convert_to_f32_slice(to));
}
