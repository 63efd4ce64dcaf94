//! Layer norm against sums in f64, and on every vector unit.

use super::*;
use crate::kernels::simd::every_unit;
use crate::kernels::tests::{assert_close, memory, numbers};

const EPS: f32 = 1e-3;

/// As the definition says, in f64: y, dx, and the gradients of gamma, then of beta.
fn expected(gamma: &[f32], beta: &[f32], x: &[f32], dy: &[f32]) -> [Vec<f64>; 3] {
    let channels = gamma.len();
    let (mut y, mut dx, mut sums) = (Vec::new(), Vec::new(), vec![0.0; 2 * channels]);
    for (x, dy) in x.chunks(channels).zip(dy.chunks(channels)) {
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let (x, dy, gamma, beta) = (wide(x), wide(dy), wide(gamma), wide(beta));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / channels as f64;
        let middle = mean(&x);
        let variance = mean(&x.iter().map(|x| (x - middle).powi(2)).collect::<Vec<_>>());
        let inverse = 1.0 / (variance + f64::from(EPS)).sqrt();
        let normal: Vec<f64> = x.iter().map(|x| (x - middle) * inverse).collect();
        let gradient: Vec<f64> = dy.iter().zip(&gamma).map(|(dy, gamma)| dy * gamma).collect();
        let along = mean(&gradient.iter().zip(&normal).map(|(g, n)| g * n).collect::<Vec<_>>());
        let plain = mean(&gradient);
        for c in 0..channels {
            y.push(normal[c] * gamma[c] + beta[c]);
            dx.push((gradient[c] - plain - normal[c] * along) * inverse);
            sums[c] += dy[c] * normal[c];
            sums[channels + c] += dy[c];
        }
    }
    [y, dx, sums]
}

#[test]
fn matches_sums_in_f64_under_odd_sizes() {
    let memory = &memory();
    for (positions, channels) in [(1, 2), (50, 5), (33, 8), (49, 37), (7, 48), (3000, 40), (9, 768)] {
        let len = positions * channels;
        // Away from 0, so that a variance by squares would lose its digits.
        let x: Vec<f32> = numbers(len, 1).iter().map(|x| x + 2.0).collect();
        let (dy, gamma, beta) = (numbers(len, 2), numbers(channels, 3), numbers(channels, 4));
        let [y_, dx_, sums_] = expected(&gamma, &beta, &x, &dy);
        let (mut y, mut kept) = (vec![9.0; len], vec![9.0; 2 * positions]);
        forward(&gamma, &beta, EPS, &x, &mut y, Some(&mut kept));
        assert_close(&y, &y_, &format!("forward {positions} {channels}"));
        let mut again = vec![9.0; len];
        forward(&gamma, &beta, EPS, &x, &mut again, None);
        assert_eq!(again, y);
        for accumulate in [false, true] {
            let (before, sums_before) = (numbers(len, 5), numbers(2 * channels, 6));
            let (mut dx, mut sums) = (before.clone(), sums_before.clone());
            let input = Some((accumulate, &mut dx[..]));
            backward(&gamma, &x, &kept, &dy, Gradients { input, weights: Some((accumulate, &mut sums)) }, memory);
            let plus = |expected: &[f64], before: &[f32]| -> Vec<f64> {
                let before = before.iter().map(|v| if accumulate { f64::from(*v) } else { 0.0 });
                expected.iter().zip(before).map(|(a, b)| a + b).collect()
            };
            let what = format!("{positions} {channels} {accumulate}");
            if channels > 2 {
                assert_close(&dx, &plus(&dx_, &before), &format!("input {what}"));
            }
            assert_close(&sums, &plus(&sums_, &sums_before), &format!("weights {what}"));
        }
    }
}

#[test]
fn each_gradient_is_there_without_the_other() {
    let (memory, x, dy, gamma) = (memory(), numbers(60, 1), numbers(60, 2), numbers(12, 3));
    let (mut y, mut kept) = (vec![0.0; 60], vec![0.0; 10]);
    forward(&gamma, &gamma, EPS, &x, &mut y, Some(&mut kept));
    let [_, dx_, sums_] = expected(&gamma, &gamma, &x, &dy);
    let (mut dx, mut sums) = (vec![9.0; 60], vec![9.0; 24]);
    let wanted = Gradients { input: Some((false, &mut dx)), weights: None };
    backward(&gamma, &x, &kept, &dy, wanted, &memory);
    assert_close(&dx, &dx_, "input");
    backward(&gamma, &x, &kept, &dy, Gradients { input: None, weights: Some((false, &mut sums)) }, &memory);
    assert_close(&sums, &sums_, "weights");
}

#[test]
fn every_vector_unit_gives_the_same_bytes() {
    for channels in [37, 40, 48] {
        let (x, dy) = (numbers(5 * channels, 1), numbers(5 * channels, 2));
        let (gamma, beta) = (numbers(channels, 3), numbers(channels, 4));
        every_unit::gives_the_same_bytes(|unit| {
            let (mut y, mut kept) = (vec![0.0; x.len()], vec![0.0; 10]);
            unit.run(Forward { gamma: &gamma, beta: &beta, eps: EPS, x: &x, y: &mut y, kept: &mut kept });
            let (mut dx, mut sums) = (x.clone(), vec![0.0; 2 * channels]);
            let (x, dy, gamma, kept) = (&x[..], &dy[..], &gamma[..], &kept[..]);
            unit.run(Back { gamma, x, kept, dy, accumulate: true, dx: &mut dx, sums: &mut sums });
            (y, dx, sums)
        });
    }
}

#[test]
fn what_is_not_finite_stays_in_its_position() {
    let (x, ones) = ([1.0, f32::NAN, 2.0, 4.0, f32::INFINITY, 0.0], [1.0, 1.0]);
    let mut y = [0.0; 6];
    forward(&ones, &ones, EPS, &x, &mut y, None);
    assert!(y[..2].iter().chain(&y[4..]).all(|y| y.is_nan()) && y[2..4].iter().all(|y| y.is_finite()), "{y:?}");
}
