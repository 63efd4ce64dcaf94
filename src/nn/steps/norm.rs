//! A batch norm with fixed statistics, or a layer scale, folded into the convolution before it.

use candle_core::Tensor;
use rayon::prelude::*;
use serde::Serialize;

use super::step::{Bound, Parameter};
use crate::base::error::Result;
use crate::kernels::{Buffer, Memory};
use crate::nn::operation::with_values;
use crate::nn::workspace::Workspace;

/// A batch norm with fixed statistics.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Norm {
    /// Prefix of its tensors: `.weight`, `.bias`, `.running_mean`, `.running_var`.
    pub name: String,
    /// Added to the variance.
    pub eps: f64,
}

impl Norm {
    /// γ, β, and the statistics μ and σ²; `[channels]` each.
    pub(super) fn parameters(&self, channels: usize) -> Vec<Parameter> {
        let part = |part: &str| Parameter::new(format!("{}.{part}", self.name), &[channels]);
        let fixed = |name: &str| Parameter { trains: false, ..part(name) };
        vec![part("weight"), part("bias"), fixed("running_mean"), fixed("running_var")]
    }

    /// The scale and the bias of each channel, `γ / √(σ²+ε)` and `β − μ·scale`, in Candle's operations.
    pub(super) fn composed(&self, [gamma, beta, mean, var]: [&Tensor; 4]) -> Result<(Tensor, Tensor)> {
        let scale = gamma.div(&(var + self.eps)?.sqrt()?)?;
        let bias = (beta - (mean * &scale)?)?;
        Ok((scale, bias))
    }
}

/// A convolution's weights, with its batch norm as a scale and a bias of each output channel.
#[derive(Debug)]
pub(super) struct Folded {
    /// In PyTorch's order, not scaled.
    pub(super) weight: Tensor,
    /// What the batch norm was folded from.
    norm: Option<FoldedNorm>,
    /// The layer's own, scaled where it is; or `β − μ·scale`.
    pub(super) bias: Vec<f32>,
    /// What gets a gradient: of the weight, then γ and β, or the bias, or the bias and γ, those that train.
    trainable: Vec<Option<Tensor>>,
}

/// By output channel.
#[derive(Debug)]
struct FoldedNorm {
    /// `γ / √(σ²+ε)`.
    scale: Vec<f32>,
    /// μ.
    mean: Vec<f32>,
    /// `1 / √(σ²+ε)`.
    inverse: Vec<f32>,
    /// Whether it is a layer scale: γ times all that the layer gives, its own bias in it. That is a batch norm with `σ²+ε = 1` and `μ = −bias`.
    is_layer_scale: bool,
}

impl Folded {
    /// Reads and folds the weight and what follows it: a norm's four tensors, or the bias.
    pub(super) fn read(norm: Option<&Norm>, tensors: &[Bound]) -> Result<Self> {
        let trainable = tensors.iter().map(|bound| bound.trains.then(|| bound.tensor.clone())).collect();
        let weight = tensors[0].tensor.contiguous()?;
        let values = |index: usize| -> Result<Vec<f32>> { Ok(tensors[index].tensor.contiguous()?.to_vec1()?) };
        let Some(Norm { eps, .. }) = norm else {
            return Ok(Self { weight, norm: None, bias: values(1)?, trainable });
        };
        let (gamma, beta, mean, var) = (values(1)?, values(2)?, values(3)?, values(4)?);
        let inverse: Vec<f32> = var.iter().map(|var| inverse_root(*var, *eps)).collect();
        let scale: Vec<f32> = gamma.iter().zip(&inverse).map(|(gamma, inverse)| gamma * inverse).collect();
        let bias = beta.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Ok(Self { weight, norm: Some(FoldedNorm { scale, mean, inverse, is_layer_scale: false }), bias, trainable })
    }

    /// Reads and folds the weight, the bias, and the γ of a layer scale behind them.
    pub(super) fn read_scaled(tensors: &[Bound]) -> Result<Self> {
        let plain = Self::read(None, tensors)?;
        let scale: Vec<f32> = tensors[2].tensor.contiguous()?.to_vec1()?;
        let bias = plain.bias.iter().zip(&scale).map(|(bias, scale)| bias * scale).collect();
        let (mean, inverse) = (plain.bias.iter().map(|bias| -bias).collect(), vec![1.0; scale.len()]);
        Ok(Self { norm: Some(FoldedNorm { scale, mean, inverse, is_layer_scale: true }), bias, ..plain })
    }

    /// What the weights of each output channel are multiplied by.
    pub(super) fn scale(&self) -> Option<&[f32]> {
        self.norm.as_ref().map(|norm| norm.scale.as_slice())
    }

    /// The weight, scaled, and the bias: a convolution without a norm, as the kernels compute it.
    pub(super) fn scaled(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        let mut weight = self.weight.flatten_all()?.to_vec1::<f32>()?;
        let row = (weight.len() / self.bias.len().max(1)).max(1);
        for (row, scale) in weight.chunks_mut(row).zip(self.scale().unwrap_or_default()) {
            row.iter_mut().for_each(|weight| *weight *= scale);
        }
        Ok((weight, self.bias.clone()))
    }

    /// Whether it gets gradients.
    pub(super) fn trains(&self) -> bool {
        self.trainable.iter().any(Option::is_some)
    }

    /// Leaves the gradients of the tensors, from those of the folded weights and bias.
    pub(super) fn leave(&self, mut dw: Buffer, mut db: Buffer, memory: &Memory, workspace: &Workspace) -> Result<()> {
        let leave = |index: usize, gradient: Buffer| {
            if let Some(tensor) = &self.trainable[index] {
                workspace.leave(tensor, gradient);
            }
        };
        let mut bias = 1;
        if let Some(norm) = &self.norm {
            let mut dgamma = memory.buffer(db.len());
            with_values(&self.weight, |weight| through_norm(norm, weight, &db, &mut dw, &mut dgamma))?;
            if norm.is_layer_scale {
                db.iter_mut().zip(&norm.scale).for_each(|(db, scale)| *db *= scale);
                leave(2, dgamma);
            } else {
                leave(1, dgamma);
                bias = 2;
            }
        }
        leave(0, dw);
        leave(bias, db);
        Ok(())
    }
}

/// `1 / √(variance + ε)`, computed in f64.
fn inverse_root(variance: f32, eps: f64) -> f32 {
    (1.0 / (f64::from(variance) + eps).sqrt()) as f32
}

/// Takes the gradient of the folded weights to that of the weights, in place, and gives that of γ:
/// `dw = dw'·s`, `dγ = (Σ dw'·w − μ·db') / √(σ²+ε)`; `dβ` is `db'` itself.
fn through_norm(norm: &FoldedNorm, weight: &[f32], db: &[f32], dw: &mut [f32], dgamma: &mut [f32]) {
    let row = weight.len() / db.len();
    let channels = dw.par_chunks_mut(row).zip(weight.par_chunks(row)).zip(dgamma).enumerate();
    channels.for_each(|(channel, ((dw, w), dgamma))| {
        let dot: f64 = dw.iter().zip(w).map(|(d, w)| f64::from(d * w)).sum();
        dw.iter_mut().for_each(|d| *d *= norm.scale[channel]);
        let through_mean = f64::from(norm.mean[channel]) * f64::from(db[channel]);
        *dgamma = (dot - through_mean) as f32 * norm.inverse[channel];
    });
}
