//! Each activation against PyTorch's numbers, and on every vector unit.

use super::*;
use crate::kernels::simd::every_unit;
use crate::kernels::tests::numbers;

#[test]
fn every_vector_unit_gives_the_same_bytes() {
    let (x, dy) = (numbers(1003, 1).iter().map(|x| 9.0 * x).collect::<Vec<_>>(), numbers(1003, 2));
    for act in Activation::ALL {
        every_unit::gives_the_same_bytes(|unit| {
            let (mut y, mut dx) = (x.clone(), dy.clone());
            unit.run(Values { act, y: &mut y });
            unit.run(Slopes { act, kept: &x, dy: &mut dx });
            (y, dx)
        });
    }
}

#[test]
fn an_activation_lets_the_gradient_through_where_it_is_open() {
    let y = [-0.0, 0.0, 1e-30, 3.0, 6.0, 7.0, f32::NAN];
    for (act, expected) in [
        (Activation::None, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        (Activation::Relu, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        (Activation::Relu6, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]),
    ] {
        let mut dy = [1.0; 7];
        backward_activation(act, &y, &mut dy);
        assert_eq!(dy, expected, "{act:?}");
    }
}

/// ```python
/// import torch, torch.nn.functional as F  # 2.15.0
/// x = torch.tensor([-6, -3, -1, -0.1, 0, 0.5, 2, 4], dtype=torch.float64, requires_grad=True)
/// for act in (F.silu, F.hardswish, F.gelu, torch.sigmoid, F.hardsigmoid):
///     y = act(x)
///     print(y.tolist(), torch.autograd.grad(y.sum(), x)[0].tolist())
/// ```
#[test]
fn smooth_ones_are_within_5e_7_of_pytorchs() {
    let x = [-6.0, -3.0, -1.0, -0.1, 0.0, 0.5, 2.0, 4.0];
    for (act, values, slopes) in [
        (
            Activation::Silu,
            [-0.0148357389, -0.14227762, -0.268941421, -0.0475020813, 0.0, 0.311229666, 1.76159416, 3.92805516],
            [-0.0123264326, -0.088104106, 0.0723294881, 0.450083209, 0.5, 0.739961187, 1.09078425, 1.05266461],
        ),
        (
            Activation::HardSwish,
            [0.0, 0.0, -0.333333333, -0.0483333333, 0.0, 0.291666667, 1.66666667, 4.0],
            [0.0, 0.0, 0.166666667, 0.466666667, 0.5, 0.666666667, 1.16666667, 1.0],
        ),
        (
            Activation::Gelu,
            [-5.91952587e-9, -0.00404969409, -0.158655254, -0.0460172163, 0.0, 0.345731231, 1.95449974, 3.99987332],
            [-3.54687095e-8, -0.0119456472, -0.0833154706, 0.420476908, 0.5, 0.867495125, 1.0852318, 1.00050365],
        ),
        (
            Activation::Sigmoid,
            [0.00247262316, 0.0474258732, 0.268941421, 0.475020813, 0.5, 0.622459331, 0.880797078, 0.98201379],
            [0.00246650929, 0.0451766597, 0.196611933, 0.24937604, 0.25, 0.235003712, 0.104993585, 0.0176627062],
        ),
        (
            Activation::HardSigmoid,
            [0.0, 0.0, 0.333333333, 0.483333333, 0.5, 0.583333333, 0.833333333, 1.0],
            [0.0, 0.0, 0.166666667, 0.166666667, 0.166666667, 0.166666667, 0.166666667, 0.0],
        ),
    ] {
        let (mut y, mut dy) = ([0.0; 8], [2.0; 8]);
        forward_activation(act, &x, &mut y);
        backward_activation(act, &x, &mut dy);
        for i in 0..8 {
            let (value, slope): (f64, f64) = (values[i], slopes[i]);
            assert!((f64::from(y[i]) - value).abs() < 5e-7, "{act:?} of {}: {} for {value}", x[i], y[i]);
            assert!((f64::from(dy[i]) - 2.0 * slope).abs() < 1e-6, "slope of {act:?} at {}: {}", x[i], dy[i] / 2.0);
        }
    }
}

/// Φ by a series of positive terms, which loses nothing: 1/2 + e^(−x²/2) / √(2π) · Σ xⁿ / (1 · 3 · … · n) over odd n.
#[test]
fn gelu_and_its_slope_are_exact_everywhere() {
    let truth = |x: f64| {
        let (mut term, mut sum) = (x.abs(), 0.0);
        for n in (3..400).step_by(2) {
            sum += term;
            term *= x * x / f64::from(n);
        }
        let bell = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        let share = 0.5 + (bell * sum).copysign(x);
        (x * share, share + x * bell)
    };
    assert!((truth(1.0).0 - 0.841344746068543).abs() < 1e-14 && (truth(-2.0).0 + 0.0455002638963584).abs() < 1e-14);
    for i in -100_000..=100_000 {
        let x = i as f32 * 1e-4;
        let (value, slope) = truth(f64::from(x));
        let off = (f64::from(Activation::Gelu.value(x)) - value).abs();
        assert!(off < 1.5e-7 * value.abs().max(1.0), "{x}: {off:e}");
        let off = (f64::from(Activation::Gelu.slope(x)) - slope).abs();
        assert!(off < 3e-7, "slope at {x}: {off:e}");
    }
}

#[test]
fn smooth_ones_far_out_are_a_line_and_nothing() {
    for act in [Activation::Silu, Activation::HardSwish, Activation::Gelu] {
        assert_eq!([act.value(1e4), act.slope(1e4), act.slope(-1e4).abs().max(1e-6)], [1e4, 1.0, 1e-6], "{act:?}");
        assert!(act.value(-1e4).abs() < 1e-6 && act.value(f32::NAN).is_nan(), "{act:?}");
    }
    for gate in [Activation::Sigmoid, Activation::HardSigmoid] {
        assert_eq!(
            [gate.value(1e4), gate.slope(1e4).max(1e-6), gate.slope(-1e4).max(1e-6)],
            [1.0, 1e-6, 1e-6],
            "{gate:?}"
        );
        assert!(gate.value(-1e4) < 1e-6 && gate.value(f32::NAN).is_nan(), "{gate:?}");
    }
}
