//! What steps make of what flows through a graph of ONNX's.

use candle_core::{Device, Tensor};

use super::step::{Bound, Place, Size, Step};
use crate::base::error::Result;
use crate::kernels::{Activation, Memory, Precision};
use crate::nn::onnx::{Graph, Value};

impl Value {
    /// Its size as petal's steps count: numbers without a place are one pixel.
    pub fn size(&self) -> Size {
        match *self.shape {
            [c, h, w] => Size { h, w, c },
            _ => Size { h: 1, w: 1, c: self.shape.iter().product() },
        }
    }

    /// What a step makes of its sample, where it has one.
    ///
    /// # Errors
    /// Those of [`Step::ready`]; what Candle can give.
    pub fn through(&self, step: &dyn Step, tensors: &[Bound]) -> Result<Option<Tensor>> {
        let Some(sample) = &self.sample else { return Ok(None) };
        let (input, pictures, memory) = (self.size(), sample.dim(0)?, Memory::default());
        let place = Place { input, through: Activation::None, own: Activation::None, precision: Precision::F32 };
        let ready = step.ready(&place, tensors, None, &memory)?;
        let Size { h, w, c } = step.output(input);
        let x = sample.reshape((pictures, input.c, input.h, input.w))?.permute((0, 2, 3, 1))?;
        let x = x.flatten_all()?.to_vec1::<f32>()?;
        let mut y = vec![0.0; pictures * h * w * c];
        ready.forward(&x, None, &mut y, None, &memory);
        Ok(Some(Tensor::from_vec(y, (pictures, h, w, c), &Device::Cpu)?.permute((0, 3, 1, 2))?))
    }

    /// The sum with another one of its shape.
    ///
    /// # Errors
    /// What Candle can give.
    pub fn plus(self, other: &Self, graph: &mut Graph, name: &str) -> Result<Self> {
        let sample = match (&self.sample, &other.sample) {
            (Some(x), Some(y)) => Some((x + y)?),
            _ => None,
        };
        Ok(graph.node("Add", name, &[&self.name, &other.name], &[], (self.shape, sample)))
    }
}
