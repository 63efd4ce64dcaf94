//! Layer norm over channels, GELU, a dense layer on each pixel, and layer scale with its residual against PyTorch (tests/fixtures/layers.py).

use candle_core::{Device, Tensor, Var};
use petal::kernels::Activation;
use petal::nn::program::{Conv, Program, Size, Stage};
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

/// A network's block, in more parts than one, with a residual around it and its input read by nothing else: all of it trains, or the last layer and the scale.
#[test]
fn two_dense_layers_are_the_same_as_one_step_in_parts() {
    for scaled in [true, false] {
        let (channels, wide, size) = (6, 40, Size { h: 61, w: 64, c: 6 });
        let mut program = Program::default();
        let x = program.add(LayerNorm { name: "norm".into(), channels, eps: 1e-6 }, 0, None);
        let y = program.conv(x, Conv { act: Activation::Gelu, ..Conv::of_pixels("fc1", (channels, wide)) });
        let fc2 = Conv::of_pixels("fc2", (wide, channels));
        if scaled {
            let y = program.conv(y, fc2);
            program.add(LayerScale { name: "gamma".into(), channels }, y, Some(x));
        } else {
            program.add(fc2, y, Some(x));
        }
        // What came out of GELU is not there, nor what is scaled.
        let kept = program.kept(size, 0);
        assert_eq!(kept[2..program.steps.len()].iter().sum::<usize>(), 0, "{kept:?}");
        let input = Var::from_tensor(&plain("x", &[3, channels, size.h, size.w], |u| u * 4.0)).unwrap();
        // In the last case the scale alone trains, a part of the weights of what does not.
        for (from, input_gradient) in
            [(0, true), (0, false), (1, false), (2, false), (3, false)].into_iter().take(4 + usize::from(scaled))
        {
            let mut params = Params::default();
            for (_, parameter) in program.parameters(0..program.steps.len()) {
                let numbers = values(&plain(&parameter.name, &parameter.shape, |u| u));
                params.insert(parameter.name, numbers, &parameter.shape, &Device::Cpu).unwrap();
            }
            let workspace = Workspace::default();
            let stage = Stage { program: &program, trainable_from: from, params: &params, workspace: &workspace };
            let x = if input_gradient { input.as_tensor().clone() } else { input.as_detached_tensor() };
            let (own, candle) = (stage.fused(&x, input_gradient, None).unwrap(), stage.composed(&x, None).unwrap());
            assert!(distance(&own, &candle) < TOLERANCE, "{scaled} from {from}");
            let loss = |y: &Tensor| (y * plain("dy", y.dims(), |u| u)).unwrap().sum_all().unwrap();
            let (own, candle) = (workspace.backward(&loss(&own)).unwrap(), loss(&candle).backward().unwrap());
            let vars = params.iter().map(|(name, param)| (name, &param.var));
            let mut compared = 0;
            for (name, var) in vars.chain(input_gradient.then_some(("x", &input))) {
                // What is made one trains as one; Candle's graph has no gradient of what is frozen.
                let Some(expected) = candle.get(var) else { continue };
                let off = distance(&own.get(var).unwrap().unwrap(), expected);
                assert!(off < 1e-5, "{name}, scaled {scaled}, from {from}: {off:e}");
                compared += 1;
            }
            let tensors = program.parameters(from..program.steps.len()).count();
            assert_eq!(compared, tensors + usize::from(input_gradient), "{scaled} from {from}");
        }
    }
}
