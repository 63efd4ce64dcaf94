//! Squeeze-and-excitation: each channel times a gate that is made of all channels' averages.

use candle_core::Tensor;
use serde_json::json;

use super::activation;
use super::linear::weight_gradients;
use super::step::{
    Bound, Description, Draws, Left, Needs, Parameter, Place, Ready, Site, Size, Step, Sum, Sums, Wanted,
};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{Activation, Buffer, Keeps, Memory, backward_activation, forward_activation, linear, pool, scale};
use crate::nn::onnx::{Graph, Value, ints};
use crate::nn::operation::with_values;
use crate::nn::workspace::Workspace;

/// `x · gate(W₂ act(W₁ mean(x) + b₁) + b₂)`, channel by channel, with the mean over the whole picture (Hu, Shen and Sun 2017,
/// <https://arxiv.org/abs/1709.01507>); as timm's `SqueezeExcite`: `[B, h, w, C]` to `[B, h, w, C]`.
///
/// ```
/// use candle_core::Device;
/// use petal::kernels::Activation;
/// use petal::nn::Params;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::steps::SqueezeExcite;
///
/// // Both channels are let through by as much as the first one's average says, 0.5 at 0 and 1 from 3 on.
/// let squeeze = SqueezeExcite {
///     reduce: "se.conv_reduce".into(), expand: "se.conv_expand".into(), channels: 2, reduced: 1,
///     act: Activation::Relu, gate: Activation::HardSigmoid,
/// };
/// let mut program = Program::default();
/// program.add(squeeze, 0, None);
/// let mut params = Params::default();
/// params.insert("se.conv_reduce.weight", vec![1.0, 0.0], &[1, 2, 1, 1], &Device::Cpu)?;
/// params.insert("se.conv_reduce.bias", vec![0.0], &[1], &Device::Cpu)?;
/// params.insert("se.conv_expand.weight", vec![1.0, 1.0], &[2, 1, 1, 1], &Device::Cpu)?;
/// params.insert("se.conv_expand.bias", vec![0.0, 0.0], &[2], &Device::Cpu)?;
/// let runner = Runner::new(&program, &params, Size { h: 1, w: 2, c: 2 })?;
/// assert_eq!(runner.run(&[2.0, 10.0, 4.0, 20.0]), [2.0, 10.0, 4.0, 20.0]);
/// assert_eq!(runner.run(&[-2.0, 10.0, -4.0, 20.0]), [-1.0, 5.0, -2.0, 10.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqueezeExcite {
    /// Prefix of the tensors of the layer that makes fewer numbers: `<reduce>.weight`, `[reduced, channels, 1, 1]`, and `<reduce>.bias`.
    pub reduce: String,
    /// Prefix of those of the layer that makes the gates: `<expand>.weight`, `[channels, reduced, 1, 1]`, and `<expand>.bias`.
    pub expand: String,
    /// Channels of the input.
    pub channels: usize,
    /// Numbers in between.
    pub reduced: usize,
    /// What follows the first layer.
    pub act: Activation,
    /// What follows the second.
    pub gate: Activation,
}

impl Step for SqueezeExcite {
    fn describe(&self) -> Description {
        let settings = json!({
            "reduce": self.reduce,
            "expand": self.expand,
            "channels": self.channels,
            "reduced": self.reduced,
            "act": activation::name(self.act),
            "gate": activation::name(self.gate),
        });
        Description { kind: "squeeze_excite", settings, parameters: self.parameters() }
    }

    fn parameters(&self) -> Vec<Parameter> {
        let layer = |name: &str, outputs: usize, inputs: usize| {
            let weight = Parameter::new(format!("{name}.weight"), &[outputs, inputs, 1, 1]);
            [weight, Parameter::new(format!("{name}.bias"), &[outputs])]
        };
        let Self { channels, reduced, .. } = *self;
        [layer(&self.reduce, reduced, channels), layer(&self.expand, channels, reduced)].concat()
    }

    fn output(&self, input: Size) -> Size {
        input
    }

    fn needs(&self, _: &Place) -> Needs {
        Needs { input: true, output: false, extra: 2 * self.channels + self.reduced }
    }

    fn ready(&self, place: &Place, tensors: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        // What cannot be read is found here, and not on the way.
        for bound in tensors {
            with_values(&bound.tensor, |_| ())?;
        }
        let trains = tensors.iter().any(|bound| bound.trains);
        let tensors = tensors.iter().map(|bound| bound.tensor.clone()).collect();
        let positions = place.input.h * place.input.w;
        Ok(Box::new(ReadySqueezeExcite { step: self.clone(), positions, tensors, trains }))
    }

    fn composed(&self, x: &Tensor, _: Option<&Tensor>, tensors: &[Tensor], _: Option<&mut Stream>) -> Result<Tensor> {
        let layer = |x: &Tensor, weight: &Tensor, bias: &Tensor, act| -> Result<Tensor> {
            let y = x.conv2d(weight, 0, 1, 1, 1)?.broadcast_add(&bias.reshape((1, bias.elem_count(), 1, 1))?)?;
            activation::composed(&y, act)
        };
        let hidden = layer(&x.mean_keepdim((2, 3))?, &tensors[0], &tensors[1], self.act)?;
        Ok(x.broadcast_mul(&layer(&hidden, &tensors[2], &tensors[3], self.gate)?)?)
    }

    /// The gates are so few that they stay f32 where the rest is rounded.
    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let Self { channels, reduced, .. } = *self;
        let (x, name) = (site.input, site.name(&self.expand));
        let layer = |graph: &mut Graph, name: &str, (inputs, outputs), x: &Value, first: usize, act| {
            let [weight, bias] = [first, first + 1].map(|tensor| site.tensors[tensor].tensor.flatten_all());
            let (weight, bias) = (weight?.to_vec1::<f32>()?, bias?.to_vec1::<f32>()?);
            let [weight, bias] = graph.weights(name, &[outputs, inputs, 1, 1], &weight, &bias, x)?;
            let made = (vec![outputs, 1, 1], None);
            let y = graph.node("Conv", name, &[&x.name, &weight, &bias], &[("kernel_shape", ints(&[1, 1]))], made);
            activation::onnx(graph, name, act, y)
        };
        let squeezed = (vec![channels, 1, 1], None);
        let means = graph.node("GlobalAveragePool", &format!("{name}.means"), &[&x.name], &[], squeezed);
        let hidden = layer(graph, &site.name(&self.reduce), (channels, reduced), &means, 0, self.act)?;
        let gates = layer(graph, &name, (reduced, channels), &hidden, 2, self.gate)?;
        let made = (x.shape.clone(), x.through(self, site.tensors)?);
        Ok(graph.node("Mul", &format!("{name}.scaled"), &[&x.name, &gates.name], &[], made))
    }
}

#[derive(Debug)]
struct ReadySqueezeExcite {
    step: SqueezeExcite,
    /// Pixels of a picture.
    positions: usize,
    /// Weight and bias of the first layer, then of the second.
    tensors: Vec<Tensor>,
    trains: bool,
}

/// What the gates of some pictures are made of, each `[B, …]`.
struct Made<'a> {
    /// The averages.
    means: &'a mut [f32],
    /// What the first layer's activation is given.
    reduced: &'a mut [f32],
    /// What the gate is given.
    expanded: &'a mut [f32],
}

impl<'a> Made<'a> {
    fn new(SqueezeExcite { channels, reduced, .. }: &SqueezeExcite, numbers: &'a mut [f32]) -> Self {
        let pictures = numbers.len() / (2 * channels + reduced);
        let (means, rest) = numbers.split_at_mut(pictures * channels);
        let (reduced, expanded) = rest.split_at_mut(pictures * reduced);
        Self { means, reduced, expanded }
    }
}

impl ReadySqueezeExcite {
    /// A tensor's numbers, which [`Step::ready`] has read before.
    fn read<R>(&self, tensor: usize, f: impl FnOnce(&[f32]) -> R) -> R {
        with_values(&self.tensors[tensor], f).unwrap_or_else(|error| unreachable!("read before: {error}"))
    }

    /// The layer whose weight is this tensor, of `inputs` numbers.
    fn layer(&self, weight: usize, inputs: usize, x: &[f32], y: &mut [f32]) {
        self.read(weight, |w| self.read(weight + 1, |b| linear::forward(inputs, x, w, b, y)));
    }
}

/// The activation's values, in memory to use again.
fn values(act: Activation, x: &[f32], memory: &Memory) -> Buffer {
    let mut y = memory.buffer(x.len());
    forward_activation(act, x, &mut y);
    y
}

/// Takes a gradient back through an activation that made `y` of `x`.
fn back(act: Activation, x: &[f32], y: &[f32], dy: &mut [f32]) {
    let kept = if act.keeps() == Keeps::Input { x } else { y };
    backward_activation(act, kept, dy);
}

impl Ready for ReadySqueezeExcite {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], extra: Option<&mut [f32]>, memory: &Memory) {
        let SqueezeExcite { channels, reduced, act, gate, .. } = self.step;
        let pictures = x.len() / (self.positions * channels);
        let mut own = extra.is_none().then(|| memory.buffer(pictures * (2 * channels + reduced)));
        let numbers = extra.or(own.as_deref_mut()).unwrap_or_default();
        let Made { means, reduced, expanded } = Made::new(&self.step, numbers);
        pool::average_pool_forward(self.positions, channels, x, means);
        self.layer(0, channels, means, reduced);
        self.layer(2, self.step.reduced, &values(act, reduced, memory), expanded);
        scale::forward(x, &values(gate, expanded, memory), channels, y);
    }

    /// Of weight and bias of the first layer, then of the second.
    fn sums(&self) -> Vec<usize> {
        if self.trains { self.tensors.iter().map(Tensor::elem_count).collect() } else { Vec::new() }
    }

    fn backward(&self, Left { x, extra, .. }: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        let SqueezeExcite { channels, reduced: inner, act, gate, .. } = self.step;
        let mut kept = memory.buffer(extra.len());
        kept.copy_from_slice(extra);
        let Made { means, reduced, expanded } = Made::new(&self.step, &mut kept);
        let (hidden, factors) = (values(act, reduced, memory), values(gate, expanded, memory));
        let mut d_expanded = memory.buffer(expanded.len());
        scale::backward_factors(x, dy, channels, &mut d_expanded);
        back(gate, expanded, &factors, &mut d_expanded);
        let mut d_reduced = memory.buffer(reduced.len());
        self.read(2, |weight| linear::backward_input(inner, &d_expanded, weight, &mut d_reduced));
        back(act, reduced, &hidden, &mut d_reduced);
        if let Some(Sums { accumulate, to: [w1, b1, w2, b2] }) = wanted.weights {
            weight_gradients(channels, means, &d_reduced, accumulate, [w1, b1], memory);
            weight_gradients(inner, &hidden, &d_expanded, accumulate, [w2, b2], memory);
        }
        if let Some(Sum { accumulate, to }) = wanted.input {
            // Each pixel is a part of its channel's average.
            let mut share = memory.buffer(means.len());
            self.read(0, |weight| linear::backward_input(channels, &d_reduced, weight, &mut share));
            share.iter_mut().for_each(|share| *share /= self.positions as f32);
            scale::backward_input(&factors, &share, dy, channels, accumulate, to);
        }
    }

    fn finish(&self, sums: Vec<Buffer>, workspace: &Workspace) -> Result<()> {
        for (tensor, gradient) in self.tensors.iter().zip(sums) {
            workspace.leave(tensor, gradient);
        }
        Ok(())
    }
}
