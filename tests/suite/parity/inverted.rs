//! Inverted residuals, whose widest maps our kernels never make whole, against Candle's own operations.

use candle_core::{Device, Tensor, Var};
use petal::kernels::Activation;
use petal::nn::program::{Conv, Pad, Program, Size, Stage};
use petal::nn::steps::Parameter;
use petal::nn::{Params, Workspace};

use crate::formulas::{distance, lively, plain};

/// Two blocks, the second with a residual; large enough that their expansions are made row by row.
fn program() -> Program {
    let mut program = Program::default();
    let mut conv = |name: &str, input, (in_c, out_c), kernel, stride, residual| {
        let act = if kernel == 1 && in_c > out_c { Activation::None } else { Activation::Relu6 };
        let step = Conv::new(name, (in_c, out_c), kernel, stride).with_norm(format!("{name}.norm"), 1e-3);
        program.add(Conv { pad: Pad::Same, depthwise: kernel > 1, act, ..step }, input, residual)
    };
    let wide = conv("a.expand", 0, (6, 48), 1, 1, None);
    let mixed = conv("a.depthwise", wide, (48, 48), 3, 2, None);
    let narrow = conv("a.project", mixed, (48, 8), 1, 1, None);
    let wide = conv("b.expand", narrow, (8, 160), 1, 1, None);
    let mixed = conv("b.depthwise", wide, (160, 160), 5, 1, None);
    conv("b.project", mixed, (160, 8), 1, 1, Some(narrow));
    program
}

#[test]
fn gradients_of_inverted_residuals_are_candles() {
    let (program, size) = (program(), Size { h: 65, w: 62, c: 6 });
    let kept = program.kept(size, 0);
    assert!(kept[1] == 0 && kept[4] == 0 && kept.iter().filter(|&&kept| kept == 0).count() == 2, "{kept:?}");
    let x = Var::from_tensor(&plain("x", &[3, size.c, size.h, size.w], |u| 2.0 * u - 1.0)).unwrap();
    // All of it; without the first expansion, whose map is still made within the next step; the second block alone.
    for (from, input_gradient) in [(0, true), (0, false), (1, false), (4, false)] {
        let mut params = Params::default();
        for (_, Parameter { name, shape, .. }) in program.parameters(0..program.steps.len()) {
            let values = lively(&name, &shape).flatten_all().unwrap().to_vec1().unwrap();
            params.insert(&name, values, &shape, &Device::Cpu).unwrap();
        }
        let workspace = Workspace::default();
        let stage = Stage { program: &program, trainable_from: from, params: &params, workspace: &workspace };
        let loss = |y: &Tensor| (y * plain("dy", y.dims(), |u| 2.0 * u - 1.0)).unwrap().sum_all().unwrap();
        let input = if input_gradient { x.as_tensor().clone() } else { x.as_detached_tensor() };
        let (fused, composed) =
            (stage.fused(&input, input_gradient, None).unwrap(), stage.composed(&input, None).unwrap());
        assert!(distance(&fused, &composed) < 1e-5, "outputs from {from}");
        let by_kernels = workspace.backward(&loss(&fused)).unwrap();
        let by_candle = loss(&composed).backward().unwrap();
        let mut compared = 0;
        for (index, Parameter { name, .. }) in program.parameters(0..program.steps.len()).filter(|(_, p)| p.trains) {
            let var = &params.get(&name).unwrap().var;
            let Some(got) = by_kernels.get(var).unwrap() else {
                assert!(index < from, "{name} has no gradient from {from}");
                continue;
            };
            let off = distance(&got, by_candle.get(var).unwrap());
            assert!(index >= from && off < 1e-4, "{name} from {from}: {off:e}");
            compared += 1;
        }
        assert_eq!(compared, 3 * (6 - from));
        let dx = by_kernels.get(&x).unwrap();
        assert_eq!(dx.is_some(), input_gradient);
        if let Some(dx) = dx {
            let off = distance(&dx, by_candle.get(&x).unwrap());
            assert!(off < 1e-4, "input: {off:e}");
        }
    }
}
