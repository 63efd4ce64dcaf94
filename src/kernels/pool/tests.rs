//! Max pooling against a plain one.

use super::*;
use crate::kernels::backward_activation;
use crate::kernels::simd::every_unit;
use crate::kernels::tests::numbers;

#[test]
fn every_vector_unit_gives_the_same_bytes() {
    let pool = &MaxPool { in_h: 9, in_w: 7, channels: 37, kernel: 3, stride: 2, pad: 1 };
    let (x, dy) = (&numbers(pool.in_len(), 1)[..], &numbers(pool.out_len(), 2)[..]);
    every_unit::gives_the_same_bytes(|unit| {
        let (mut y, mut places, mut dx) = (vec![0.0; dy.len()], vec![0.0; dy.len()], vec![0.0; x.len()]);
        let row = pool.out_w() * pool.channels;
        for (oy, (y, places)) in y.chunks_mut(row).zip(places.chunks_mut(row)).enumerate() {
            unit.run(PoolRow { pool, x, oy, y, places });
        }
        unit.run(PoolGradient { pool, y: &y, places: &places, dy, mask: Some((0.0, 0.9)), dx: &mut dx });
        (y, places, dx)
    });
}

fn pools() -> Vec<(MaxPool, usize)> {
    let pool = |in_h, in_w, channels, kernel, stride, pad| MaxPool { in_h, in_w, channels, kernel, stride, pad };
    let all = [
        pool(1, 1, 3, 1, 1, 0),
        pool(5, 7, 3, 2, 2, 0),
        pool(6, 8, 21, 2, 2, 0),
        pool(5, 7, 19, 3, 2, 1),
        pool(12, 9, 64, 3, 2, 1),
        pool(6, 6, 33, 2, 1, 1),
        pool(9, 9, 5, 4, 3, 2),
    ];
    all.into_iter().flat_map(|pool| [(pool, 1), (pool, 3)]).collect()
}

/// Maxima, and the place in the input of each window's first.
fn max_pool(pool: &MaxPool, x: &[f32]) -> (Vec<f32>, Vec<usize>) {
    let (mut maxima, mut places) = (vec![], vec![]);
    for b in 0..x.len() / pool.in_len() {
        for (oy, ox) in (0..pool.out_h()).flat_map(|oy| (0..pool.out_w()).map(move |ox| (oy, ox))) {
            for c in 0..pool.channels {
                let mut best: Option<usize> = None;
                for (ky, kx) in (0..pool.kernel).flat_map(|ky| (0..pool.kernel).map(move |kx| (ky, kx))) {
                    let (iy, ix) =
                        ((oy * pool.stride + ky).checked_sub(pool.pad), (ox * pool.stride + kx).checked_sub(pool.pad));
                    let (Some(iy), Some(ix)) = (iy, ix) else { continue };
                    if iy < pool.in_h && ix < pool.in_w {
                        let i = ((b * pool.in_h + iy) * pool.in_w + ix) * pool.channels + c;
                        best = Some(best.filter(|&old| x[old] >= x[i]).unwrap_or(i));
                    }
                }
                maxima.push(x[best.unwrap()]);
                places.push(best.unwrap());
            }
        }
    }
    (maxima, places)
}

#[test]
fn max_pool_takes_the_first_maximum() {
    for (pool, batch) in pools() {
        // Few different numbers, so that many windows have several maxima.
        let x: Vec<f32> = numbers(batch * pool.in_len(), 5).iter().map(|v| (v * 2.0).round()).collect();
        let (maxima, places) = max_pool(&pool, &x);
        let mut y = vec![f32::NAN; maxima.len()];
        max_pool_forward(&pool, &x, &mut y, None);
        assert_eq!(y, maxima, "{pool:?}");
        let mut at = vec![f32::NAN; y.len()];
        y.fill(f32::NAN);
        max_pool_forward(&pool, &x, &mut y, Some(&mut at));
        assert_eq!(y, maxima, "{pool:?}");
        // Whole numbers, so that their sums are exact in any order.
        let dy: Vec<f32> = numbers(y.len(), 6).iter().map(|v| (v * 100.0).round()).collect();
        let (mut dx, mut expected) = (vec![f32::NAN; x.len()], vec![0.0; x.len()]);
        places.iter().zip(&dy).for_each(|(&i, dy)| expected[i] += dy);
        max_pool_backward(&pool, &y, &at, &dy, Activation::None, &mut dx);
        assert_eq!(dx, expected, "{pool:?}");
        max_pool_backward(&pool, &y, &at, &dy, Activation::Relu, &mut dx);
        backward_activation(Activation::Relu, &x, &mut expected);
        assert_eq!(dx, expected, "{pool:?}");
    }
}

#[test]
fn max_pool_of_what_is_not_finite() {
    let pool = MaxPool { in_h: 2, in_w: 2, channels: 1, kernel: 2, stride: 2, pad: 0 };
    let both = |x: [f32; 4]| {
        let (mut y, mut at, mut dx) = ([0.0], [0.0], [0.0; 4]);
        max_pool_forward(&pool, &x, &mut y, Some(&mut at));
        max_pool_backward(&pool, &y, &at, &[3.0], Activation::None, &mut dx);
        (y[0], dx)
    };
    assert!(both([1.0, f32::NAN, 2.0, 0.0]).0.is_nan());
    assert_eq!(both([f32::NEG_INFINITY; 4]), (f32::NEG_INFINITY, [3.0, 0.0, 0.0, 0.0]));
    assert_eq!(both([f32::NAN, f32::NAN, 2.0, 0.0]).1, [0.0, 3.0, 0.0, 0.0]);
}
