//! Layer norm over channels, GELU, a dense layer on each pixel, and layer scale with its residual against PyTorch (tests/fixtures/layers.py).

use candle_core::{Device, Var};
use petal::kernels::Activation;
use petal::nn::program::{Conv, Program, Stage};
use petal::nn::steps::{LayerNorm, LayerScale};
use petal::nn::{Params, Workspace};

use crate::formulas::{distance, fixture, plain, values};

/// What f32 loses in sums of 40 numbers, with room.
const TOLERANCE: f64 = 2e-6;

#[test]
fn norm_gelu_dense_layer_and_scale_are_pytorchs_both_ways() {
    let expected = fixture("layers");
    let mut cases = 0;
    for name in expected.keys().filter_map(|name| name.strip_prefix("y.")) {
        let sizes: Vec<usize> = name.split('.').map(|size| size.parse().unwrap()).collect();
        let &[b, channels, h, w] = &sizes[..] else { panic!("{name}") };
        let mut program = Program::default();
        let y = program.add(LayerNorm { name: "norm".into(), channels, eps: 1e-6 }, 0, None);
        let y = program.activation(y, Activation::Gelu);
        let y = program.conv(y, Conv::of_pixels("fc", (channels, channels)));
        // The first is a part of the convolution before it, the second stands alone.
        let y = program.add(LayerScale { name: "gamma".into(), channels }, y, Some(0));
        program.add(LayerScale { name: "second".into(), channels }, y, Some(0));
        let mut params = Params::default();
        for (_, parameter) in program.parameters(0..program.steps.len()) {
            let numbers = values(&plain(&format!("{}.{name}", parameter.name), &parameter.shape, |u| u));
            params.insert(parameter.name, numbers, &parameter.shape, &Device::Cpu).unwrap();
        }
        let workspace = Workspace::default();
        let stage = Stage { program: &program, trainable_from: 0, params: &params, workspace: &workspace };
        let x = Var::from_tensor(&plain(&format!("x.{name}"), &[b, channels, h, w], |u| u * 4.0)).unwrap();
        for way in ["kernels", "candle"] {
            let y = if way == "kernels" { stage.fused(&x, true, None) } else { stage.composed(&x, None) }.unwrap();
            let off = distance(&y, &expected[&format!("y.{name}")]);
            assert!(off < TOLERANCE, "{name} by {way}: {off:e}");
            let loss = (&y * plain(&format!("dy.{name}"), y.dims(), |u| u)).unwrap().sum_all().unwrap();
            let gradients = workspace.backward(&loss).unwrap();
            let vars = params.iter().map(|(part, param)| (format!("d_{part}.{name}"), param.var.clone()));
            for (wanted, var) in vars.chain([(format!("dx.{name}"), x.clone())]) {
                let off = distance(&gradients.get(&var).unwrap().unwrap(), &expected[&wanted]);
                assert!(off < TOLERANCE, "{wanted} by {way}: {off:e}");
            }
        }
        cases += 1;
    }
    assert_eq!(cases, 3);
}
