//! The average of each channel over whole pictures, and its gradient.

use crate::kernels::simd;
use crate::kernels::sums::AddRows;
use rayon::prelude::*;

/// The average of each channel over each picture: `x` `[B, positions, C]` to `y` `[B, C]`, overwritten.
///
/// # Panics
/// Where `positions` or `channels` is zero, or the lengths don't fit each other.
///
/// ```
/// use petal::kernels::pool;
///
/// // One picture of two pixels and two channels.
/// let (mut y, mut dx) = ([0.0; 2], [0.0; 4]);
/// pool::average_pool_forward(2, 2, &[1.0, 2.0, 3.0, 6.0], &mut y);
/// assert_eq!(y, [2.0, 4.0]);
/// pool::average_pool_backward(2, 2, &y, &mut dx);
/// assert_eq!(dx, [1.0, 2.0, 1.0, 2.0]);
/// ```
pub fn average_pool_forward(positions: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    check_average(positions, channels, x, y);
    y.par_chunks_mut(channels).zip(x.par_chunks(positions * channels)).for_each(|(y, x)| {
        y.fill(0.0);
        simd::run(AddRows { rows: x, stride: channels, from: 0, sums: y });
        y.iter_mut().for_each(|y| *y /= positions as f32);
    });
}

/// The gradient of the input: `dy` `[B, C]` to `dx` `[B, positions, C]`, overwritten.
///
/// # Panics
/// As [`average_pool_forward`].
pub fn average_pool_backward(positions: usize, channels: usize, dy: &[f32], dx: &mut [f32]) {
    check_average(positions, channels, dx, dy);
    dx.par_chunks_mut(positions * channels).zip(dy.par_chunks(channels)).for_each(|(dx, dy)| {
        for dx in dx.chunks_exact_mut(channels) {
            for (dx, &dy) in dx.iter_mut().zip(dy) {
                *dx = dy / positions as f32;
            }
        }
    });
}

fn check_average(positions: usize, channels: usize, x: &[f32], y: &[f32]) {
    assert!(positions > 0 && channels > 0, "a size is zero");
    let batch = y.len() / channels;
    assert_eq!(y.len(), batch * channels, "pictures of {channels} channels");
    assert_eq!(x.len(), batch * positions * channels, "{batch} pictures of {positions} positions, {channels} channels");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::{assert_close, numbers};

    #[test]
    fn average_pool_and_its_gradient() {
        for (batch, positions, channels) in [(1, 1, 1), (3, 49, 37), (2, 35, 64)] {
            let x = numbers(batch * positions * channels, 7);
            let dy = numbers(batch * channels, 8);
            let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
            average_pool_forward(positions, channels, &x, &mut y);
            average_pool_backward(positions, channels, &dy, &mut dx);
            let (mut expected, mut expected_dx) = (vec![0.0; y.len()], vec![0.0; x.len()]);
            for (i, &x) in x.iter().enumerate() {
                let place = i / (positions * channels) * channels + i % channels;
                expected[place] += x as f64 / positions as f64;
                expected_dx[i] = dy[place] as f64 / positions as f64;
            }
            assert_close(&y, &expected, "average");
            assert_close(&dx, &expected_dx, "gradient of the average");
        }
    }
}
