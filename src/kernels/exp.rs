//! eˣ and what is made of it, for the smooth activations: without a branch or a call, so that loops run on vectors, and with the same
//! bytes on each.

use super::simd::clamp;
use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// σ(x).
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Φ(x), the share of a normal distribution below `x`, by Chebyshev's approximation of erfc with a relative error of 1.2e-7
/// (Press et al., "Numerical Recipes", section 6.2).
#[inline(always)]
pub(super) fn normal(x: f32) -> f32 {
    const TERMS: [f32; 10] = [
        -1.265_512_2,
        1.000_023_7,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_204,
        1.488_515_9,
        -0.822_152_2,
        0.170_872_77,
    ];
    let z = x.abs() * FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * z);
    let terms = TERMS.iter().rev().fold(0.0, |sum, term| sum * t + term);
    let below = 0.5 * t * exp(terms - z * z);
    if x > 0.0 { 1.0 - below } else { below }
}

/// eˣ between e⁻⁸⁷ and e⁸⁸, after Moshier's Cephes: without a branch or a call, so that it runs on vectors, and the same on each.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
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
