//! `f32` to `f16` and back, for stored activations: half the memory, relative error at most 2⁻¹¹ between 6.1e-5 and 65504.

use super::frame::CHUNK;
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

/// Rounds each number to the nearest `f16`, ties to even. What is larger than 65504 becomes infinite.
///
/// # Panics
/// Where the two lengths differ.
///
/// ```
/// use half::f16;
/// use petal::kernels::half_floats;
///
/// let (mut halves, mut back) = ([f16::ZERO; 3], [0.0; 3]);
/// half_floats::to_f16(&[0.1, -2.5, 1e6], &mut halves);
/// half_floats::from_f16(&halves, &mut back);
/// assert_eq!(back, [0.099975586, -2.5, f32::INFINITY]);
/// ```
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::numbers;

    #[test]
    fn there_and_back() {
        let numbers = numbers(100_003, 11);
        let (mut halves, mut back) = (vec![f16::ZERO; numbers.len()], vec![0.0; numbers.len()]);
        to_f16(&numbers, &mut halves);
        from_f16(&halves, &mut back);
        assert!(halves.iter().zip(&numbers).all(|(&h, &n)| h == f16::from_f32(n)));
        assert!(back.iter().zip(&numbers).all(|(b, n)| (b - n).abs() <= n.abs() / 2048.0 + 6.0e-8));
    }
}
