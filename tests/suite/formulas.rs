//! Numbers that Python and Rust make alike, so that a fixture holds results only. The twin is tests/fixtures/formulas.py.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use petal::models::weights;

/// The tensors of a fixture.
pub(crate) fn fixture(name: &str) -> BTreeMap<String, Tensor> {
    weights::parse(&fixture_bytes(name), &Device::Cpu).unwrap()
}

pub(crate) fn fixture_bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.safetensors"));
    fs::read(path).unwrap()
}

/// Even in -0.5..0.5: a multiplicative hash of (FNV-1a of the name) + index.
pub(crate) fn numbers(name: &str, count: usize) -> Vec<f32> {
    let key = key(name);
    let number = |i: u32| {
        let mut x = i.wrapping_add(key).wrapping_mul(2_654_435_761);
        x ^= x >> 15;
        x = x.wrapping_mul(2_246_822_519);
        x ^= x >> 13;
        (x >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count as u32).map(number).collect()
}

fn key(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |key, byte| (key ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// [`numbers`], changed one by one.
pub(crate) fn plain(name: &str, shape: &[usize], change: impl Fn(f32) -> f32) -> Tensor {
    let values: Vec<f32> = numbers(name, shape.iter().product()).into_iter().map(change).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Weights of networks with layer norms: matrices by their fan-in, scales near 1, shifts near 0.
pub(crate) fn calm(name: &str, shape: &[usize]) -> Tensor {
    if let [_] = shape {
        let middle = if name.ends_with("bias") { 0.0 } else { 1.0 };
        return plain(name, shape, |u| u * 0.2 + middle);
    }
    let scale = fan_in(shape, 12.0);
    plain(name, shape, |u| u * scale)
}

/// Weights of networks whose batch norms do much: variances from 0.5 to 1.5, means to either side, scales of either sign
/// (smaller behind a bottleneck's last convolution, so that the sum over blocks stays of order one), shifts away from 0 (so
/// that fewer numbers lie on a ReLU's kink). Dense layers are smaller, so that no softmax saturates.
pub(crate) fn lively(name: &str, shape: &[usize]) -> Tensor {
    let scale = match shape.len() {
        1 if name.ends_with("bn3.weight") => 1.5,
        1 => 3.0,
        4 => fan_in(shape, 24.0),
        _ => fan_in(shape, 3.0),
    };
    plain(name, shape, |u| match name.rsplit('.').next() {
        Some("running_var") => u + 1.0,
        Some("running_mean") => u,
        Some("bias") if u < 0.0 => u - 0.5,
        Some("bias") => u + 0.5,
        _ => u * scale,
    })
}

fn fan_in(shape: &[usize], gain: f32) -> f32 {
    (gain / shape[1..].iter().product::<usize>() as f32).sqrt()
}

/// Images `[B, 3, H, W]` from -2 to 2, channels-last in memory, as the loader gives them.
pub(crate) fn images(picks: &[usize], height: usize, width: usize) -> Tensor {
    let images: Vec<_> =
        picks.iter().map(|pick| plain(&format!("image.{pick}"), &[3, height, width], |u| u * 4.0)).collect();
    let images = Tensor::stack(&images, 0).unwrap();
    images.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().permute((0, 3, 1, 2)).unwrap()
}

/// A tensor of some million numbers in 33: its norm, and its inner products with 32 vectors of pseudo-random signs (bit `j` of
/// a hash of name and index), in f64.
///
/// For signs `s`, `E|s·(a−b)|² = ‖a−b‖²` (Johnson and Lindenstrauss), so the mean of 32 squared differences of inner products
/// estimates `‖a−b‖²` without bias, and its root is within a quarter of `‖a−b‖` nineteen times of twenty.
pub(crate) struct Sketch {
    norm: f64,
    products: [f64; PROJECTIONS],
}

const PROJECTIONS: usize = 32;

impl Sketch {
    pub(crate) fn new(name: &str, values: &[f32]) -> Self {
        let key = key(name);
        let mut products = [0.0; PROJECTIONS];
        for (i, &value) in values.iter().enumerate() {
            let mut x = (i as u32).wrapping_add(key);
            x ^= x >> 16;
            x = x.wrapping_mul(0x7feb_352d);
            x ^= x >> 15;
            x = x.wrapping_mul(0x846c_a68b);
            x ^= x >> 16;
            for (j, product) in products.iter_mut().enumerate() {
                *product += if x >> j & 1 == 0 { f64::from(value) } else { -f64::from(value) };
            }
        }
        Self { norm: values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt(), products }
    }

    /// As a fixture holds it: the norm, then the products.
    pub(crate) fn read(stored: &Tensor) -> Self {
        let stored: Vec<f64> = values(stored).into_iter().map(f64::from).collect();
        Self { norm: stored[0], products: std::array::from_fn(|j| stored[1 + j]) }
    }

    /// The estimate of ‖a−b‖ / ‖b‖, where `b` is `expected`; or the difference of the norms, if that is larger.
    pub(crate) fn distance(&self, expected: &Self) -> f64 {
        let squares = self.products.iter().zip(&expected.products).map(|(a, b)| (a - b).powi(2));
        let distance = (squares.sum::<f64>() / PROJECTIONS as f64).sqrt();
        distance.max((self.norm - expected.norm).abs()) / expected.norm
    }
}

/// The numbers of a tensor in the order of its indices.
pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// ‖a−b‖ / ‖b‖.
pub(crate) fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (values(a), values(b));
    let difference: f64 = a.iter().zip(&b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    let norm: f64 = b.iter().map(|&b| f64::from(b).powi(2)).sum();
    assert!(norm > 0.0, "nothing to compare with");
    (difference / norm).sqrt()
}

#[test]
fn a_sketch_sees_one_changed_number_and_two_that_are_swapped() {
    let values = numbers("values", 100_000);
    let sketch = Sketch::new("sketch", &values);
    let off = |change: &dyn Fn(&mut Vec<f32>)| {
        let mut changed = values.clone();
        change(&mut changed);
        Sketch::new("sketch", &changed).distance(&sketch)
    };
    assert_eq!(off(&|_| {}), 0.0);
    for place in [0, 777, 99_999] {
        // One number alone is seen exactly: the signs are squared away.
        let expected = 0.25 / sketch.norm;
        let seen = off(&|v| v[place] += 0.25);
        assert!((seen / expected - 1.0).abs() < 1e-6, "{place}: {seen} {expected}");
    }
    for (one, other) in [(0, 1), (5, 99_998), (256, 512)] {
        let expected = 2f64.sqrt() * f64::from((values[one] - values[other]).abs()) / sketch.norm;
        let seen = off(&|v| v.swap(one, other));
        assert!((0.6..1.5).contains(&(seen / expected)), "{one} {other}: {seen} {expected}");
    }
    // Everything changed a little, and everything in another order.
    let noise = numbers("noise", values.len());
    let seen = off(&|v| v.iter_mut().zip(&noise).for_each(|(v, n)| *v += 1e-4 * n));
    assert!((0.6e-4..1.5e-4).contains(&seen), "{seen}");
    let seen = off(&|v| v.reverse());
    assert!((1.0..2.0).contains(&seen), "{seen}");
}
