//! Each function against the sums of its definition.

use super::*;

#[test]
fn forward_is_the_convolution() {
    for case in Case::all() {
        let mut plain = vec![0.0; case.dy.len()];
        each_term(&case.conv, case.batch, |y, x, w| plain[y] += case.x[x] as f64 * case.weight[w] as f64);
        plain.iter_mut().zip(case.bias.iter().cycle()).for_each(|(y, &b)| *y += b as f64);
        assert_convolved(Some(case.conv), &case.forward(false, Activation::None), &plain, &case.name());
        let added: Vec<_> = plain.iter().zip(&case.dy).map(|(y, &r)| y + r as f64).collect();
        assert_convolved(Some(case.conv), &case.forward(true, Activation::None), &added, &case.name());
        for (act, most) in [(Activation::Relu, f64::INFINITY), (Activation::Relu6, 6.0)] {
            let expected: Vec<_> = added.iter().map(|y| y.clamp(0.0, most)).collect();
            assert_convolved(Some(case.conv), &case.forward(true, act), &expected, &case.name());
        }
    }
}

#[test]
fn backward_input_is_the_gradient() {
    for case in Case::all() {
        let mut expected = vec![0.0; case.x.len()];
        each_term(&case.conv, case.batch, |y, x, w| expected[x] += case.dy[y] as f64 * case.weight[w] as f64);
        assert_convolved(case.conv.transposed(), &case.backward_input(false), &expected, &case.name());
        expected.iter_mut().zip(&case.x).for_each(|(dx, &x)| *dx += x as f64);
        assert_convolved(case.conv.transposed(), &case.backward_input(true), &expected, &case.name());
    }
}

#[test]
fn backward_weight_is_the_gradient() {
    for case in Case::all() {
        let mut expected = vec![0.0; case.weight.len()];
        each_term(&case.conv, case.batch, |y, x, w| expected[w] += case.dy[y] as f64 * case.x[x] as f64);
        let (dw, db) = case.backward_weight();
        assert_convolved(Some(case.conv), &dw, &expected, &case.name());
        for (o, &db) in db.iter().enumerate() {
            // The terms have both signs and may cancel, so the error is measured against the sum of their sizes.
            let terms = || case.dy.iter().skip(o).step_by(case.conv.out_c).map(|&dy| dy as f64);
            let (sum, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
            assert!((db as f64 - sum).abs() <= 5e-7 * size, "{}: {db} {sum}", case.name());
        }
    }
}

#[test]
fn large_cases_are_right() {
    for case in large_cases() {
        let (mut y, mut dx, mut dw) = (vec![0.0; case.dy.len()], vec![0.0; case.x.len()], vec![0.0; case.weight.len()]);
        each_term(&case.conv, case.batch, |iy, ix, iw| {
            let (x, w, d) = (case.x[ix] as f64, case.weight[iw] as f64, case.dy[iy] as f64);
            y[iy] += x * w;
            dx[ix] += d * w;
            dw[iw] += d * x;
        });
        y.iter_mut().zip(case.bias.iter().cycle()).for_each(|(y, &b)| *y += b as f64);
        assert_convolved(Some(case.conv), &case.forward(false, Activation::None), &y, &case.name());
        assert_convolved(case.conv.transposed(), &case.backward_input(false), &dx, &case.name());
        assert_convolved(Some(case.conv), &case.backward_weight().0, &dw, &case.name());
    }
}

#[test]
fn winograd_is_among_the_cases() {
    let (mut forward, mut backward) = (0, 0);
    for conv in Case::all().map(|case| case.conv) {
        forward += takes_winograd(&conv) as usize;
        backward += conv.transposed().is_some_and(|conv| takes_winograd(&conv)) as usize;
    }
    assert!(forward >= 6 && backward >= 6);
}

#[test]
fn what_is_not_a_number_stays_so() {
    for conv in [dense(Size(3, 3), 2, 3, 1, 1, Padding::NONE), depthwise(Size(3, 3), 17, 3, 1, Padding::even(1))] {
        let mut case = Case::new(conv, 1);
        case.x.fill(f32::NAN);
        assert!(case.forward(false, Activation::Relu6).iter().all(|y| y.is_nan()));
    }
}

#[test]
fn same_padding_is_tensorflows() {
    assert_eq!(Padding::same(224, 224, 3, 2), Padding { top: 0, left: 0, bottom: 1, right: 1 });
    assert_eq!(Padding::same(56, 56, 5, 2), Padding { top: 1, left: 1, bottom: 2, right: 2 });
    assert_eq!(Padding::same(7, 8, 5, 1), Padding::even(2));
    assert_eq!(Padding::same(5, 5, 1, 2), Padding::NONE);
}

#[test]
#[should_panic(expected = "output of")]
fn a_wrong_length_panics() {
    let conv = dense(Size(3, 3), 2, 3, 1, 1, Padding::NONE);
    let weights = BackwardWeights::pack(&conv, &[0.0; 6], None, &memory());
    conv::backward_input(&weights, &[0.0; 26], false, &memory(), &mut [0.0; 18]);
}
