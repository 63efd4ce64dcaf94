//! The energy of logits (Liu et al. 2020, arXiv:2010.03759).

/// Minus the logarithm of the sum of the logits' exponentials, at the temperature 1: lower for photos like those that were learned from.
///
/// ```
/// use petal::eval::unknown::energy::energy;
///
/// // -torch.logsumexp(torch.tensor([2., 1., -1.]), 0)
/// assert!((energy(&[2.0, 1.0, -1.0]) + 2.349_012_1).abs() < 1e-6);
/// ```
pub fn energy(logits: &[f32]) -> f32 {
    let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&z| (f64::from(z) - most).exp()).sum();
    -(most + sum.ln()) as f32
}
