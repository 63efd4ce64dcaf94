//! Layer norm over the channels of each pixel.

use candle_core::Tensor;
use serde_json::json;

use super::step::{
    Bound, Description, Draws, Left, Needs, Parameter, Place, Ready, Site, Size, Step, Sum, Sums, Wanted,
};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{Buffer, Memory, layer_norm};
use crate::nn::onnx::{Attribute, Graph, Value, ints};
use crate::nn::operation::with_values;
use crate::nn::workspace::Workspace;

/// `(x − mean) / √(variance + eps) · γ + β`, with mean and variance over the channels of each pixel (Ba, Kiros and Hinton 2016,
/// <https://arxiv.org/abs/1607.06450>); as PyTorch's `LayerNorm` over the last of channels-last's dimensions: `[B, h, w, C]` to `[B, h, w, C]`.
///
/// ```
/// use candle_core::Device;
/// use petal::nn::Params;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::steps::LayerNorm;
///
/// let mut program = Program::default();
/// program.add(LayerNorm { name: "norm".into(), channels: 2, eps: 0.0 }, 0, None);
/// let mut params = Params::default();
/// params.insert("norm.weight", vec![1.0, 10.0], &[2], &Device::Cpu)?;
/// params.insert("norm.bias", vec![0.0, 0.5], &[2], &Device::Cpu)?;
/// // Two pixels: whatever two channels hold, one is a deviation below their mean and the other one above.
/// let norm = Runner::new(&program, &params, Size { h: 1, w: 2, c: 2 })?;
/// assert_eq!(norm.run(&[1.0, 3.0, 50.0, -50.0]), [-1.0, 10.5, 1.0, -9.5]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    /// Prefix of its tensors: `<name>.weight` and `<name>.bias`, `[channels]`.
    pub name: String,
    /// Channels of the input.
    pub channels: usize,
    /// Added to the variance.
    pub eps: f64,
}

impl Step for LayerNorm {
    fn describe(&self) -> Description {
        let settings = json!({ "name": self.name, "channels": self.channels, "eps": self.eps });
        Description { kind: "layer_norm", settings, parameters: self.parameters() }
    }

    fn parameters(&self) -> Vec<Parameter> {
        ["weight", "bias"].map(|part| Parameter::new(format!("{}.{part}", self.name), &[self.channels])).to_vec()
    }

    fn output(&self, input: Size) -> Size {
        input
    }

    /// Of each pixel its mean and deviation besides.
    fn needs(&self, place: &Place) -> Needs {
        Needs { input: true, output: false, extra: 2 * place.input.h * place.input.w }
    }

    fn ready(&self, _: &Place, tensors: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        let values = |index: usize| with_values(&tensors[index].tensor, <[f32]>::to_vec);
        let (gamma, beta) = (values(0)?, values(1)?);
        let trainable = tensors.iter().filter(|bound| bound.trains).map(|bound| bound.tensor.clone()).collect();
        Ok(Box::new(ReadyLayerNorm { eps: self.eps as f32, gamma, beta, trainable }))
    }

    fn composed(&self, x: &Tensor, _: Option<&Tensor>, tensors: &[Tensor], _: Option<&mut Stream>) -> Result<Tensor> {
        let from_mean = x.broadcast_sub(&x.mean_keepdim(1)?)?;
        let deviation = (from_mean.sqr()?.mean_keepdim(1)? + self.eps)?.sqrt()?;
        let [gamma, beta] = [0, 1].map(|index| tensors[index].reshape((1, self.channels, 1, 1)));
        Ok(from_mean.broadcast_div(&deviation)?.broadcast_mul(&gamma?)?.broadcast_add(&beta?)?)
    }

    /// ONNX's norms the last dimensions: channels go there and back.
    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let (x, name) = (site.input, site.name(&self.name));
        let tensor = |graph: &mut Graph, part: &str, index: usize| -> Result<String> {
            let values = with_values(&site.tensors[index].tensor, <[f32]>::to_vec)?;
            Ok(graph.tensor(&format!("{name}.{part}"), &[self.channels], &values))
        };
        let (gamma, beta) = (tensor(graph, "weight", 0)?, tensor(graph, "bias", 1)?);
        let Size { h, w, c } = x.size();
        let is_map = x.shape.len() > 1;
        let turned = |graph: &mut Graph, part: &str, x: &str, order: [usize; 4], made| {
            graph.node("Transpose", &format!("{name}{part}"), &[x], &[("perm", ints(&order))], made)
        };
        let (input, shape) = if is_map {
            let last = turned(graph, ".channels_last", &x.name, [0, 2, 3, 1], (vec![h, w, c], None));
            (last.name, last.shape)
        } else {
            (x.name.clone(), x.shape.clone())
        };
        let sample = x.through(self, site.tensors)?;
        let settings = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(self.eps as f32))];
        let inside = if is_map { format!("{name}.normed") } else { name.clone() };
        let inputs = [input.as_str(), &gamma, &beta];
        let own = if is_map { None } else { sample.clone() };
        let normed = graph.node("LayerNormalization", &inside, &inputs, &settings, (shape, own));
        Ok(if is_map { turned(graph, "", &normed.name, [0, 3, 1, 2], (x.shape.clone(), sample)) } else { normed })
    }
}

#[derive(Debug)]
struct ReadyLayerNorm {
    eps: f32,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    /// γ and β, where they train.
    trainable: Vec<Tensor>,
}

impl Ready for ReadyLayerNorm {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], kept: Option<&mut [f32]>, _: &Memory) {
        layer_norm::forward(&self.gamma, &self.beta, self.eps, x, y, kept);
    }

    /// Of γ, then of β.
    fn sums(&self) -> Vec<usize> {
        if self.trainable.is_empty() { Vec::new() } else { vec![2 * self.gamma.len()] }
    }

    fn backward(&self, Left { x, extra: kept, .. }: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        let input = wanted.input.map(|Sum { accumulate, to }| (accumulate, to));
        let weights = wanted.weights.map(|Sums { accumulate, to }| (accumulate, &mut to[0][..]));
        layer_norm::backward(&self.gamma, x, kept, dy, layer_norm::Gradients { input, weights }, memory);
    }

    fn finish(&self, sums: Vec<Buffer>, workspace: &Workspace) -> Result<()> {
        for (tensor, sums) in self.trainable.iter().zip(sums[0].chunks_exact(self.gamma.len())) {
            let mut gradient = workspace.memory.buffer(sums.len());
            gradient.copy_from_slice(sums);
            workspace.leave(tensor, gradient);
        }
        Ok(())
    }
}
