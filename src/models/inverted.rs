//! The inverted residual of MobileNets and EfficientNets (Sandler et al. 2018, <https://arxiv.org/abs/1801.04381>), with timm's names of its tensors.

use crate::kernels::Activation;
use crate::nn::program::{Conv, Program};
use crate::nn::steps::SqueezeExcite;

/// How a family makes a convolution and the norm behind it: their names, channels, kernel and stride.
pub(super) type Convolution = fn(&str, &str, (usize, usize), usize, usize) -> Conv;

/// Expand, depthwise, squeeze and excite, project; the input is added where nothing has changed its size.
pub(super) struct Inverted {
    /// Channels of the input and of the output.
    pub(super) channels: (usize, usize),
    /// Channels between; where they are the input's, there is no expansion.
    pub(super) wide: usize,
    /// Side of the depthwise kernel.
    pub(super) kernel: usize,
    /// The depthwise convolution's.
    pub(super) stride: usize,
    /// What follows all but the last convolution.
    pub(super) act: Activation,
    /// How it squeezes and excites, if it does.
    pub(super) squeeze: Option<Squeeze>,
}

/// How a block squeezes and excites.
pub(super) struct Squeeze {
    /// Channels that it leaves.
    pub(super) reduced: usize,
    /// What follows the squeeze.
    pub(super) act: Activation,
    /// What follows the excitation.
    pub(super) gate: Activation,
}

impl Inverted {
    /// Adds the block of this name behind the register `x`; gives the register of its output.
    pub(super) fn add(self, program: &mut Program, name: &str, x: usize, convolution: Convolution) -> usize {
        let Self { channels: (in_c, out_c), wide, kernel, stride, act, squeeze } = self;
        let part = |conv: &str, norm: &str, channels, kernel, stride| {
            convolution(&format!("{name}.{conv}"), &format!("{name}.{norm}"), channels, kernel, stride)
        };
        let expands = wide != in_c;
        // Without expansion timm numbers the tensors from the depthwise convolution.
        let (norms, project) = if expands { (["bn2", "bn3"], "conv_pwl") } else { (["bn1", "bn2"], "conv_pw") };
        let mut y = x;
        if expands {
            y = program.conv(y, Conv { act, ..part("conv_pw", "bn1", (in_c, wide), 1, 1) });
        }
        let depthwise = part("conv_dw", norms[0], (wide, wide), kernel, stride);
        y = program.conv(y, Conv { depthwise: true, act, ..depthwise });
        if let Some(Squeeze { reduced, act, gate }) = squeeze {
            let (reduce, expand) = (format!("{name}.se.conv_reduce"), format!("{name}.se.conv_expand"));
            y = program.add(SqueezeExcite { reduce, expand, channels: wide, reduced, act, gate }, y, None);
        }
        let residual = (stride == 1 && in_c == out_c).then_some(x);
        program.add(part(project, norms[1], (wide, out_c), 1, 1), y, residual)
    }
}
