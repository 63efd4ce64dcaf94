//! Layer scale: each channel times a learned number, and what is added to it.

use candle_core::Tensor;
use serde_json::json;

use super::step::{
    Bound, Description, Draws, Left, Needs, Parameter, Place, Ready, Site, Size, Step, Sum, Sums, Wanted,
};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{Buffer, Memory, add_to, scale};
use crate::nn::onnx::{Graph, Value};
use crate::nn::operation::with_values;
use crate::nn::workspace::Workspace;

/// `γ · x + residual`, with a γ for each channel (Touvron et al. 2021, <https://arxiv.org/abs/2103.17239>): `[B, h, w, C]` to `[B, h, w, C]`. There may be no
/// residual.
///
/// ```
/// use candle_core::Device;
/// use petal::nn::Params;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::steps::LayerScale;
///
/// let mut program = Program::default();
/// let x = program.add(LayerScale { name: "a".into(), channels: 2 }, 0, None);
/// program.add(LayerScale { name: "b".into(), channels: 2 }, x, Some(0));
/// let mut params = Params::default();
/// params.insert("a", vec![1.0, 0.5], &[2], &Device::Cpu)?;
/// params.insert("b", vec![10.0, 100.0], &[2], &Device::Cpu)?;
/// let scale = Runner::new(&program, &params, Size { h: 1, w: 1, c: 2 })?;
/// assert_eq!(scale.run(&[3.0, 4.0]), [33.0, 204.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerScale {
    /// The name of its tensor, `[channels]`.
    pub name: String,
    /// Channels of the input.
    pub channels: usize,
}

impl Step for LayerScale {
    fn describe(&self) -> Description {
        let settings = json!({ "name": self.name, "channels": self.channels });
        Description { kind: "layer_scale", settings, parameters: self.parameters() }
    }

    fn parameters(&self) -> Vec<Parameter> {
        vec![Parameter::new(self.name.clone(), &[self.channels])]
    }

    fn output(&self, input: Size) -> Size {
        input
    }

    fn needs(&self, _: &Place) -> Needs {
        Needs { input: true, ..Needs::default() }
    }

    fn ready(&self, place: &Place, tensors: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        let gamma = with_values(&tensors[0].tensor, <[f32]>::to_vec)?;
        let trainable = tensors[0].trains.then(|| tensors[0].tensor.clone());
        Ok(Box::new(ReadyLayerScale { positions: place.input.h * place.input.w, gamma, trainable }))
    }

    fn composed(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        tensors: &[Tensor],
        _: Option<&mut Stream>,
    ) -> Result<Tensor> {
        let y = x.broadcast_mul(&tensors[0].reshape((1, self.channels, 1, 1))?)?;
        Ok(match residual {
            Some(residual) => (y + residual)?,
            None => y,
        })
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let (x, name) = (site.input, site.name(&self.name));
        let gamma = with_values(&site.tensors[0].tensor, <[f32]>::to_vec)?;
        let shape: &[usize] = if x.shape.len() > 1 { &[self.channels, 1, 1] } else { &[self.channels] };
        let gamma = graph.tensor(&name, shape, &gamma);
        let made = (x.shape.clone(), x.through(self, site.tensors)?);
        let y = graph.node("Mul", &format!("{name}.scaled"), &[&x.name, &gamma], &[], made);
        match site.residual {
            Some(residual) => graph.settle(y)?.plus(residual, graph, &format!("{name}.sum")),
            None => Ok(y),
        }
    }
}

#[derive(Debug)]
struct ReadyLayerScale {
    /// Pixels of a picture.
    positions: usize,
    gamma: Vec<f32>,
    /// γ, where it trains.
    trainable: Option<Tensor>,
}

impl Ready for ReadyLayerScale {
    fn forward(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32], _: Option<&mut [f32]>, _: &Memory) {
        scale::forward(x, &self.gamma, self.gamma.len(), y);
        if let Some(residual) = residual {
            add_to(y, residual);
        }
    }

    fn sums(&self) -> Vec<usize> {
        self.trainable.iter().map(|_| self.gamma.len()).collect()
    }

    fn backward(&self, Left { x, .. }: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        let channels = self.gamma.len();
        if let Some(Sums { accumulate, to }) = wanted.weights {
            let mut pictures = memory.buffer(x.len() / self.positions);
            scale::backward_factors(x, dy, channels, &mut pictures);
            if !accumulate {
                to[0].fill(0.0);
            }
            pictures.chunks_exact(channels).for_each(|picture| add_to(&mut to[0], picture));
        }
        if let Some(Sum { accumulate, to }) = wanted.input {
            let mut none = memory.buffer(channels);
            none.fill(0.0);
            scale::backward_input(&self.gamma, &none, dy, channels, accumulate, to);
        }
    }

    fn finish(&self, sums: Vec<Buffer>, workspace: &Workspace) -> Result<()> {
        for (tensor, gradient) in self.trainable.iter().zip(sums) {
            workspace.leave(tensor, gradient);
        }
        Ok(())
    }
}
