//! Max pooling and its gradient against PyTorch (tests/fixtures/pooling.py), where windows hold their maximum several times.

use candle_core::Var;
use petal::nn::Params;
use petal::nn::Workspace;
use petal::nn::program::{Program, Stage};

use crate::formulas::{fixture, plain, values};

/// Whole numbers, so that nothing is rounded and all must be equal.
#[test]
fn the_first_maximum_gets_the_gradient_both_ways() {
    let expected = fixture("pooling");
    let mut cases = 0;
    for name in expected.keys().filter_map(|name| name.strip_prefix("y.")) {
        let sizes: Vec<usize> = name.split('.').map(|size| size.parse().unwrap()).collect();
        let [kernel, stride, pad, height, width] = sizes[..] else { panic!("{name}") };
        let mut program = Program::default();
        program.max_pool(0, kernel, stride, pad);
        let params = Params::default();
        let workspace = Workspace::default();
        let stage = Stage { program: &program, trainable_from: 1, params: &params, workspace: &workspace };
        let x = Var::from_tensor(&plain(&format!("x.{name}"), &[2, 3, height, width], |u| (u * 4.0).round_ties_even()))
            .unwrap();
        for (way, y) in
            [("kernels", stage.fused(&x, true, None).unwrap()), ("candle", stage.composed(&x, None).unwrap())]
        {
            assert_eq!(y.dims(), expected[&format!("y.{name}")].dims());
            assert_eq!(values(&y), values(&expected[&format!("y.{name}")]), "{name} by {way}");
            let dy = plain(&format!("dy.{name}"), y.dims(), |u| (u * 100.0).round_ties_even());
            let gradients = (y * dy).unwrap().sum_all().unwrap().backward().unwrap();
            let dx = gradients.get(&x).unwrap();
            assert_eq!(values(dx), values(&expected[&format!("dx.{name}")]), "gradient of {name} by {way}");
        }
        cases += 1;
    }
    assert_eq!(cases, 4);
}
