//! The small network from scratch: what a pretrained one is compared with.

use crate::kernels::Activation;
use crate::models::network::{Network, NetworkStage};
use crate::nn::program::{Conv, Pad, Program};

/// Width of the hidden dense layer.
pub(in crate::models) const HIDDEN: usize = 128;

/// Convolutions 32, 64, 128 (3×3, valid, ReLU), each with 2×2 max pooling behind it. Grad-CAM sees the last
/// convolution.
pub(in crate::models) fn baseline() -> Network {
    let mut program = Program::default();
    let mut stages = Vec::new();
    let (mut x, mut in_c) = (0, 3);
    for (index, out_c) in [32, 64, 128].into_iter().enumerate() {
        if index > 0 {
            x = program.max_pool(x, 2, 2, 0);
        }
        let name = format!("conv{}", index + 1);
        let conv = Conv::new(name.clone(), (in_c, out_c), 3, 1);
        x = program.conv(x, Conv { pad: Pad::Even(0), act: Activation::Relu, ..conv });
        in_c = out_c;
        stages.push(NetworkStage::new(&name, &program));
    }
    let maps = program.steps.len();
    program.max_pool(x, 2, 2, 0);
    Network { program, maps, stages, upper: 0, upper_trainable: 0, features: in_c }
}
