//! eˣ and what is made of it, for the smooth activations: without a branch or a call, so that loops run on vectors, and with the same
//! bytes on each.

use crate::kernels::simd::clamp;
use std::f32::consts::LOG2_E;

/// σ(x).
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// e^(−x²/2), the shape of a normal distribution.
#[inline(always)]
pub(super) fn bell(x: f32) -> f32 {
    exp(-0.5 * x * x)
}

/// Φ(x), the share of a normal distribution below `x`, from [`bell`] of `x`: erf and erfc are it in other units.
///
/// What lies beyond |x| is the bell times a polynomial in 1 / (1 + 0.285 |x|), as in Hastings' approximation (Abramowitz and Stegun, 7.1.26), with one term
/// more, and fitted so that x · Φ(x) is within 1.2e-8 (minimax, by Lawson's weights); rounded to f32 on the way, Φ is within 2.5e-7 of the truth, and
/// x · Φ(x) within 1.5e-7, or that part of itself where it is above 1.
#[inline(always)]
pub(super) fn normal(x: f32, bell: f32) -> f32 {
    const TERMS: [f32; 6] = [0.116_643_62, 0.084_109_33, 0.225_156, -0.167_714_13, 0.340_516_88, -0.098_711_74];
    let t = 1.0 / (1.0 + 0.285 * x.abs());
    let terms = TERMS.iter().rev().fold(0.0, |sum, term| sum * t + term);
    let beyond = terms * t * bell;
    if x > 0.0 { 1.0 - beyond } else { beyond }
}

/// eˣ between e⁻⁸⁷ and e⁸⁸, after Moshier's Cephes: without a branch or a call, so that it runs on vectors, and the same on each.
#[inline(always)]
pub(in crate::kernels) fn exp(x: f32) -> f32 {
    const TERMS: [f32; 6] = [0.5, 0.166_666_65, 4.166_579_6e-2, 8.333_452e-3, 1.398_2e-3, 1.987_569_1e-4];
    /// 1.5 · 2²³: the last bits of a sum with it are the other number, rounded.
    const ROUND: f32 = 12_582_912.0;
    let x = clamp(x, -87.0, 88.0);
    // x = n ln 2 + rest, with ln 2 in two parts, the first short enough for exact products.
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let rest = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let terms = TERMS.iter().rev().fold(0.0, |sum, term| sum * rest + term);
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    (terms * rest * rest + rest + 1.0) * power
}
