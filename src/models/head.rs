//! The head: two dense layers, with ReLU and dropout between them.

use candle_core::{D, DType, Tensor};

use super::architecture::Architecture;
use super::ops::Ops;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Stream;
use crate::nn::linear::linear;
use crate::nn::{Params, Workspace};

/// The head of a model, over its numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) params: &'a Params,
    pub(super) ops: Ops,
    pub(super) workspace: &'a Workspace,
}

impl Head<'_> {
    /// Logits `[B, K]`, with a graph. With a stream, dropout is on.
    pub(super) fn run(&self, features: &Tensor, dropout: Option<&mut Stream>) -> Result<Tensor> {
        let [first, second] = self.architecture.head_names();
        let hidden = self.linear(first, features)?;
        let hidden = (&hidden * hidden.gt(0f64)?.to_dtype(DType::F32)?.detach())?;
        let hidden = match (self.architecture, dropout) {
            (Architecture::Transfer { dropout: p, .. }, Some(stream)) if *p > 0.0 => {
                (&hidden * mask(&hidden, *p, stream)?)?
            }
            _ => hidden,
        };
        self.linear(second, &hidden)
    }

    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let [weight, bias] = ["weight", "bias"].map(|part| self.params.get(&format!("{name}.{part}")));
        let (weight, bias) = (&weight?.var, &bias?.var);
        if x.dim(D::Minus1)? != weight.dim(1)? {
            let what = format!("{name} takes {} numbers a photo; got {}", weight.dim(1)?, x.dim(D::Minus1)?);
            return Err(Error::new(ErrorKind::Tensor, what).mend("use the image size that the model was made for"));
        }
        match self.ops {
            Ops::Kernels => linear(x, weight, bias, self.workspace),
            Ops::Candle => Ok(x.matmul(&weight.t()?)?.broadcast_add(bias)?),
        }
    }
}

/// Inverted dropout: 0 with probability `p`, else `1 / (1 − p)`; one draw a number, in row-major order.
fn mask(like: &Tensor, p: f64, stream: &mut Stream) -> Result<Tensor> {
    let keep = (1.0 / (1.0 - p)) as f32;
    let values: Vec<f32> = (0..like.elem_count()).map(|_| if stream.chance(p) { 0.0 } else { keep }).collect();
    Ok(Tensor::from_vec(values, like.dims(), like.device())?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::base::seed::{Purpose, Seed};

    #[test]
    fn dropout_keeps_the_mean() {
        let ones = Tensor::ones((100, 100), DType::F32, &Device::Cpu).unwrap();
        let mut stream = Seed(1).stream(Purpose::Dropout, 0, 0);
        let mask = mask(&ones, 0.3, &mut stream).unwrap();
        let mean = mask.mean_all().unwrap().to_scalar::<f32>().unwrap();
        // Three standard deviations of the mean of 10,000 draws are 0.02.
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
    }
}
