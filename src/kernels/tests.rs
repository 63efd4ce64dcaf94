//! What the tests of kernels share: numbers, and how far results are from those in `f64`.

use super::Memory;

/// Largest difference allowed, relative to the norm (both L2), of f32 sums of up to some thousand terms.
pub(super) const TOLERANCE: f64 = 1e-6;

/// `len` numbers in -1..1 that look random: the top bits of a multiplicative hash.
pub(super) fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let hash = |i: u64| (i ^ (seed << 32)).wrapping_add(0x9e37_79b9).wrapping_mul(0xd129_0d3c_9a3c_6c4b);
    (0..len as u64).map(|i| (hash(hash(i)) >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// Memory that was used before: what is read before it is written shows.
pub(super) fn memory() -> Memory {
    let memory = Memory::default();
    let mut used: Vec<_> = (0..24).map(|i| memory.buffer(1 << i)).collect();
    used.iter_mut().for_each(|buffer| buffer.fill(f32::NAN));
    memory
}

/// ‖got − expected‖ / ‖expected‖.
pub(super) fn distance(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let difference: f64 = got.iter().zip(expected).map(|(&a, b)| (a as f64 - b).powi(2)).sum();
    let norm: f64 = expected.iter().map(|v| v * v).sum();
    assert!(norm > 0.0, "nothing to compare with");
    (difference / norm).sqrt()
}

#[track_caller]
pub(super) fn assert_close(got: &[f32], expected: &[f64], what: &str) {
    let distance = distance(got, expected);
    assert!(distance < TOLERANCE, "{what}: {distance:e}");
}
