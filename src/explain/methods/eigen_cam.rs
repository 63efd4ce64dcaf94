//! Eigen-CAM: what the maps have in common, whatever the class.

use candle_core::{DType, Tensor};

use super::super::seen::Seen;
use super::method::Method;
use crate::base::error::Result;

/// Eigen-CAM (Muhammad & Yeasin 2020, arXiv:2008.00299): the fields, each a point with a coordinate a map, along the direction in which they
/// differ most. It asks neither for a class nor for the head.
///
/// As in pytorch-grad-cam, the maps' means are taken off first. A direction has two ends; which of them a singular value decomposition gives is
/// chance. Here the warm end is the one at which the maps are stronger.
///
/// By pytorch-grad-cam's `EigenCAM`, as [`GradCam`](super::GradCam) says:
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::{EigenCam, Seen, cam::heat};
///
/// let maps = Tensor::new(&[[[1f32, 2., 0.], [0.5, 1., 3.]], [[0., 1., 2.], [2., 0.5, 1.]]], &Device::Cpu)?;
/// let score = |_: &Tensor| unreachable!("the head is not asked");
/// let heat = heat(&EigenCam, &Seen::new(&maps, &score)?)?.to_vec2::<f32>()?;
/// let expected = [[0.237241, 0.713609, 0.0], [0.0, 0.023441, 1.617578]];
/// for (got, expected) in heat.iter().flatten().zip(expected.as_flattened()) {
///     assert!((got - expected).abs() < 1e-5, "{heat:?}");
/// }
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EigenCam;

impl Method for EigenCam {
    fn name(&self) -> &'static str {
        "eigencam"
    }

    fn title(&self) -> &'static str {
        "Eigen-CAM"
    }

    fn shows(&self) -> &'static str {
        "what stood out, whatever the class"
    }

    fn heat(&self, seen: &Seen) -> Result<Tensor> {
        let maps = seen.maps();
        let (_, height, width) = maps.dims3()?;
        let maps = maps.flatten_from(1)?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        let fields = height * width;
        // The product of the centred fields with each other: far smaller than that of the maps, with the same first value.
        let mut products = vec![0.0; fields * fields];
        let mut strength = vec![0.0; fields];
        for map in &maps {
            let mean = map.iter().sum::<f64>() / fields as f64;
            for (row, value) in map.iter().enumerate() {
                strength[row] += value;
                for (product, other) in products[row * fields..][..fields].iter_mut().zip(map) {
                    *product += (value - mean) * (other - mean);
                }
            }
        }
        let mut heat = along_the_first(&products, fields);
        let warm: f64 = heat.iter().zip(&strength).map(|(value, strength)| value * strength).sum();
        if warm < 0.0 {
            heat.iter_mut().for_each(|value| *value = -*value);
        }
        let heat: Vec<f32> = heat.into_iter().map(|value| value as f32).collect();
        Ok(Tensor::from_vec(heat, (height, width), seen.maps().device())?)
    }
}

/// `√λ u` of a symmetric matrix without negative eigenvalues, with its largest eigenvalue `λ` and a unit vector `u` of it.
///
/// The matrix is squared until one direction is left: each time, what is smaller than the largest falls behind by its square.
fn along_the_first(matrix: &[f64], side: usize) -> Vec<f64> {
    /// After so many, 2^48 steps of a power iteration: directions that are still there are equally long.
    const MOST: usize = 48;
    let trace = |matrix: &[f64]| (0..side).map(|i| matrix[i * side + i]).sum::<f64>();
    let scale = trace(matrix);
    if scale <= 0.0 {
        return vec![0.0; side];
    }
    let mut power: Vec<f64> = matrix.iter().map(|value| value / scale).collect();
    for _ in 0..MOST {
        let mut square = vec![0.0; side * side];
        for (row, out) in power.chunks_exact(side).zip(square.chunks_exact_mut(side)) {
            for (value, other) in row.iter().zip(power.chunks_exact(side)) {
                out.iter_mut().zip(other).for_each(|(out, other)| *out += value * other);
            }
        }
        // The trace of the square is that of the matrix, 1, squared where one direction is left.
        let left = trace(&square);
        power = square.into_iter().map(|value| value / left).collect();
        if left > 1.0 - 1e-15 {
            break;
        }
    }
    // Each column is a multiple of the direction; the longest is told best.
    let longest = (0..side).max_by(|&a, &b| power[a * side + a].total_cmp(&power[b * side + b])).unwrap_or(0);
    let column = &power[longest * side..][..side];
    let length = column.iter().map(|value| value * value).sum::<f64>().sqrt();
    let unit: Vec<f64> = column.iter().map(|value| value / length).collect();
    let times = |row: &[f64]| row.iter().zip(&unit).map(|(value, unit)| value * unit).sum::<f64>();
    let value: f64 = matrix.chunks_exact(side).zip(&unit).map(|(row, unit)| times(row) * unit).sum();
    unit.into_iter().map(|unit| unit * value.max(0.0).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// `numpy.linalg.eigh([[2, 1, 0], [1, 2, 0], [0, 0, 1]])`: the largest is 3, of (1, 1, 0) / √2.
    #[test]
    fn the_first_direction_is_found_also_of_two_that_are_equal_or_none() {
        let found = along_the_first(&[2.0, 1.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0], 3);
        let expected = [1.5f64.sqrt(), 1.5f64.sqrt(), 0.0];
        assert!(found.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-12), "{found:?}");
        let equal = along_the_first(&[2.0, 0.0, 0.0, 2.0], 2);
        assert!((equal.iter().map(|value| value * value).sum::<f64>() - 2.0).abs() < 1e-12, "{equal:?}");
        assert_eq!(along_the_first(&[0.0; 4], 2), [0.0; 2]);
    }

    #[test]
    fn maps_that_are_the_same_everywhere_have_no_heat() {
        let maps = Tensor::ones((3, 2, 2), DType::F32, &Device::Cpu).unwrap();
        let score = |_: &Tensor| unreachable!();
        let heat = EigenCam.heat(&Seen::new(&maps, &score).unwrap()).unwrap();
        assert_eq!(heat.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [0.0; 4]);
    }
}
