//! What Adam keeps of a tensor's gradients.

use candle_core::{Device, Tensor, Var};

use crate::base::error::Result;

/// Running means of the gradient and of its square.
#[derive(Debug)]
pub(super) enum Moments {
    /// In memory, updated in one pass with the parameter.
    Cpu(Vec<f32>, Vec<f32>),
    /// On a GPU.
    Device(Tensor, Tensor),
}

impl Moments {
    pub(super) fn new(var: &Var) -> Result<Self> {
        Ok(if var.device().is_cpu() {
            Self::Cpu(vec![0.0; var.elem_count()], vec![0.0; var.elem_count()])
        } else {
            // Two separate buffers: a clone of one would be updated twice in place.
            Self::Device(var.zeros_like()?, var.zeros_like()?)
        })
    }

    /// As tensors of the parameter's shape: mean, square.
    pub(super) fn tensors(&self, var: &Var) -> Result<[Tensor; 2]> {
        Ok(match self {
            Self::Device(mean, square) => [mean.clone(), square.clone()],
            Self::Cpu(mean, square) => {
                let tensor = |values: &Vec<f32>| Tensor::from_slice(values, var.dims(), &Device::Cpu);
                [tensor(mean)?, tensor(square)?]
            }
        })
    }

    pub(super) fn restore(&mut self, mean: &Tensor, square: &Tensor, var: &Var) -> Result<()> {
        *self = match self {
            Self::Cpu(..) => Self::Cpu(mean.flatten_all()?.to_vec1()?, square.flatten_all()?.to_vec1()?),
            Self::Device(..) => {
                Self::Device(mean.to_device(var.device())?.copy()?, square.to_device(var.device())?.copy()?)
            }
        };
        Ok(())
    }
}
