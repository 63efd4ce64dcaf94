//! The trainable part of a network: a [`Program`] as one operation with its own backward, or step by step in Candle's own
//! operations.

use std::sync::Mutex;

use candle_core::{D, Shape, Tensor};
use rayon::prelude::*;

use super::Params;
use super::operation::{Operation, apply, with_values};
use super::program::{ConvStep, Folded, FoldedNorm, Norm, Pad, Program, Size, Sized, Step, read};
use super::workspace::Workspace;
use crate::error::Result;
use crate::kernels::conv::{self, BackwardWeights, ForwardWeights};
use crate::kernels::{Activation, Buffer, Conv, add_to, backward_activation, pool};

/// A program whose first steps may be frozen.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    /// The steps.
    pub program: &'a Program,
    /// Steps from this one on train; those before it are frozen.
    pub trainable_from: usize,
    /// The tensors.
    pub params: &'a Params,
    /// Prefix of the program's tensors in `params`.
    pub prefix: &'a str,
    /// Where operations leave their parameters' gradients.
    pub workspace: &'a Workspace,
}

impl Stage<'_> {
    /// The program's output `[B, C', h', w']` for an input `[B, C, h, w]`, with a graph, by our kernels: one operation.
    /// The input gets a gradient only where `input_gradient`.
    pub fn fused(&self, x: &Tensor, input_gradient: bool) -> Result<Tensor> {
        Ok(self.operation(x, input_gradient, false)?.permute((0, 3, 1, 2))?)
    }

    /// The same as `[B, h'·w'·C']`. Candle copies a gradient at each step that only gives numbers another shape: here is none.
    pub fn fused_flat(&self, x: &Tensor, input_gradient: bool) -> Result<Tensor> {
        self.operation(x, input_gradient, true)
    }

    fn operation(&self, x: &Tensor, input_gradient: bool, flat: bool) -> Result<Tensor> {
        let mut weights = Vec::with_capacity(self.program.steps.len());
        for (index, step) in self.program.steps.iter().enumerate() {
            weights.push(match step {
                Step::MaxPool { .. } | Step::AveragePool { .. } => None,
                Step::Conv(step) => Some(self.weights(step, index >= self.trainable_from)?),
            });
        }
        let trains = weights.iter().flatten().any(|weights| !weights.trainable.is_empty());
        let workspace = self.workspace.clone();
        let program = self.program.clone();
        let operation = Fused { program, weights, input_gradient, flat, workspace, kept: Mutex::new(None) };
        apply(&x.permute((0, 2, 3, 1))?, operation, trains)
    }

    fn weights(&self, step: &ConvStep, trains: bool) -> Result<Weights> {
        let names = step.trainable().into_iter().filter(|_| trains);
        let trainable = names.map(|name| self.tensor(&name)).collect::<Result<_>>()?;
        Ok(Weights { folded: step.folded(self.params, self.prefix)?, trainable })
    }

    /// As [`Stage::fused`] in Candle's own operations, on any device.
    pub fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let mut registers = vec![x.contiguous()?];
        for (index, step) in self.program.steps.iter().enumerate() {
            let y = match step {
                Step::MaxPool { input, kernel, stride, pad } => {
                    composed_max_pool(&registers[*input], *kernel, *stride, *pad)?
                }
                Step::AveragePool { input } => registers[*input].mean_keepdim((2, 3))?,
                Step::Conv(step) => self.composed_conv(step, index < self.trainable_from, &registers)?,
            };
            registers.push(y);
        }
        Ok(registers.swap_remove(self.program.steps.len()))
    }

    fn composed_conv(&self, step: &ConvStep, frozen: bool, registers: &[Tensor]) -> Result<Tensor> {
        let get = |name: &str| -> Result<Tensor> {
            let tensor = self.tensor(name)?;
            Ok(if frozen { tensor.detach() } else { tensor })
        };
        let weight = get(&format!("{}.weight", step.name))?;
        let (weight, bias) = match &step.norm {
            None => (weight, get(&format!("{}.bias", step.name))?),
            Some(Norm { name, eps }) => {
                let mean = self.tensor(&format!("{name}.running_mean"))?.detach();
                let var = self.tensor(&format!("{name}.running_var"))?.detach();
                let scale = get(&format!("{name}.weight"))?.div(&(var + *eps)?.sqrt()?)?;
                let bias = (get(&format!("{name}.bias"))? - (mean * &scale)?)?;
                (weight.broadcast_mul(&scale.reshape((step.out_c, 1, 1, 1))?)?, bias)
            }
        };
        let x = &registers[step.input];
        let (x, pad) = match step.pad {
            Pad::Even(pad) => (x.clone(), pad),
            Pad::Same => {
                let (_, _, h, w) = x.dims4()?;
                let pad = crate::kernels::Padding::same(h, w, step.kernel, step.stride);
                (x.pad_with_zeros(2, pad.top, pad.bottom)?.pad_with_zeros(3, pad.left, pad.right)?, 0)
            }
        };
        let groups = if step.depthwise { step.out_c } else { 1 };
        let y = x.conv2d(&weight, pad, step.stride, 1, groups)?;
        let y = y.broadcast_add(&bias.reshape((1, step.out_c, 1, 1))?)?;
        let y = match step.residual {
            Some(register) => (y + &registers[register])?,
            None => y,
        };
        composed_activation(&y, step.act)
    }

    fn tensor(&self, name: &str) -> Result<Tensor> {
        Ok(self.params.get(&format!("{}{name}", self.prefix))?.var.as_tensor().clone())
    }
}

/// Candle's own `relu` lets the gradient through at 0, PyTorch's does not; a mask is plain.
fn composed_activation(x: &Tensor, act: Activation) -> Result<Tensor> {
    let above = |limit: f64| -> Result<Tensor> { Ok(x.gt(limit)?.to_dtype(x.dtype())?.detach()) };
    match act {
        Activation::None => Ok(x.clone()),
        Activation::Relu => Ok((x * above(0.0)?)?),
        Activation::Relu6 => {
            let saturated = x.ge(6.0)?.to_dtype(x.dtype())?.detach();
            let between = (above(0.0)? - &saturated)?;
            Ok(((x * between)? + (saturated * 6.0)?)?)
        }
    }
}

/// Candle's max pooling has no backward where kernel and stride differ, and splits ties; here the first maximum gets it all.
fn composed_max_pool(x: &Tensor, kernel: usize, stride: usize, pad: usize) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let lowest = |shape: (usize, usize, usize, usize)| Tensor::full(f32::MIN, shape, x.device());
    let (side, above) = (lowest((b, c, h, pad))?, lowest((b, c, pad, w + 2 * pad))?);
    let padded = if pad == 0 {
        x.clone()
    } else {
        let wide = Tensor::cat(&[&side, x, &side], 3)?;
        Tensor::cat(&[&above, &wide, &above], 2)?
    };
    let outputs = |size: usize| (size + 2 * pad - kernel) / stride + 1;
    let (oh, ow) = (outputs(h), outputs(w));
    let picks = |offset: usize, count: usize| -> candle_core::Result<Tensor> {
        let indices: Vec<u32> = (0..count).map(|o| (o * stride + offset) as u32).collect();
        Tensor::from_vec(indices, count, x.device())
    };
    let mut windows = Vec::with_capacity(kernel * kernel);
    for dy in 0..kernel {
        let rows = padded.index_select(&picks(dy, oh)?, 2)?;
        for dx in 0..kernel {
            windows.push(rows.index_select(&picks(dx, ow)?, 3)?);
        }
    }
    let windows = Tensor::stack(&windows, 4)?;
    let first = windows.detach().argmax_keepdim(D::Minus1)?;
    Ok(windows.gather(&first, D::Minus1)?.squeeze(4)?)
}

/// The weights of a step.
struct Weights {
    folded: Folded,
    /// The tensors that train, if they do: weight, then γ and β, or the bias.
    trainable: Vec<Tensor>,
}

impl Weights {
    /// Computes the gradients of the tensors and leaves them in the workspace.
    fn leave_gradients(
        &self,
        geometry: &Conv,
        x: &[f32],
        dy: &[f32],
        workspace: &Workspace,
    ) -> candle_core::Result<()> {
        let Folded { weight, norm, bias } = &self.folded;
        let (mut dw, mut db) = (workspace.memory.buffer(weight.elem_count()), workspace.memory.buffer(bias.len()));
        conv::backward_weight(geometry, x, dy, &workspace.memory, &mut dw, &mut db);
        match (norm, self.trainable.as_slice()) {
            (Some(norm), [weight, gamma, beta]) => {
                let mut dgamma = workspace.memory.buffer(bias.len());
                with_values(weight, |weight| through_norm(norm, weight, &db, &mut dw, &mut dgamma))?;
                workspace.leave(weight, dw);
                workspace.leave(gamma, dgamma);
                workspace.leave(beta, db);
            }
            (None, [weight, bias]) => {
                workspace.leave(weight, dw);
                workspace.leave(bias, db);
            }
            _ => candle_core::bail!("a convolution has a bias or a norm"),
        }
        Ok(())
    }
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

/// The whole program as one operation: Candle's graph then holds one node, and activations are freed as backward passes them.
/// The parameters' gradients are left in the workspace.
struct Fused {
    program: Program,
    /// One a convolution.
    weights: Vec<Option<Weights>>,
    input_gradient: bool,
    /// Whether the output is `[B, h·w·C]`.
    flat: bool,
    workspace: Workspace,
    /// What forward keeps for backward.
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    sized: Vec<Sized>,
    /// Every register but the input and the last.
    registers: Vec<Option<Buffer>>,
}

impl Operation for Fused {
    const NAME: &'static str = "stage";

    fn forward(&self, x: &[f32], dims: &[usize]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let &[pictures, h, w, c] = dims else { candle_core::bail!("a stage takes four dimensions; got {dims:?}") };
        let memory = &self.workspace.memory;
        let sized = self.program.sized(Size { h, w, c });
        let steps = self.program.steps.len();
        let size = sized.last().map_or(Size { h, w, c }, Sized::output);
        let mut y = vec![0.0; pictures * size.len()];
        let mut registers: Vec<Option<Buffer>> = Vec::with_capacity(steps);
        for (index, (step, sized)) in self.program.steps.iter().zip(&sized).enumerate() {
            let mut own = (index + 1 < steps).then(|| memory.buffer(pictures * sized.output().len()));
            let out = own.as_deref_mut().unwrap_or(&mut y);
            let input = read(x, &registers, step.input());
            match (step, sized, &self.weights[index]) {
                (Step::Conv(step), Sized::Conv(geometry), Some(Weights { folded, .. })) => {
                    let residual = step.residual.map(|register| read(x, &registers, register));
                    let pack = |weight: &[f32]| ForwardWeights::pack(geometry, weight, folded.scale(), memory);
                    let weights = with_values(&folded.weight, pack)?;
                    conv::forward(&weights, input, &folded.bias, residual, step.act, memory, out);
                }
                (_, Sized::MaxPool(geometry), _) => pool::max_pool_forward(geometry, input, out),
                (_, Sized::AveragePool(size), _) => pool::average_pool_forward(size.h * size.w, size.c, input, out),
                _ => unreachable!("a convolution has weights"),
            }
            registers.push(own);
        }
        if let Ok(mut kept) = self.kept.lock() {
            *kept = Some(Kept { sized, registers });
        }
        let whole = [pictures, size.h, size.w, size.c];
        Ok((y, if self.flat { Shape::from((pictures, size.len())) } else { Shape::from(&whole[..]) }))
    }

    /// Leaves the gradients of the parameters; gives that of the input, where asked for.
    fn backward(&self, x: &[f32], _: &[usize], y: &[f32], dy: &[f32]) -> candle_core::Result<Option<Vec<f32>>> {
        let kept = self.kept.lock().ok().and_then(|mut kept| kept.take());
        let Some(Kept { sized, mut registers }) = kept else {
            candle_core::bail!("a stage's backward runs once a forward")
        };
        // Which registers a gradient is wanted for: those that a trainable step lies before, or the input does.
        let mut wanted = vec![self.input_gradient];
        for (step, weights) in self.program.steps.iter().zip(&self.weights) {
            let upstream = wanted[step.input()] || step.residual().is_some_and(|register| wanted[register]);
            wanted.push(upstream || weights.as_ref().is_some_and(|weights| !weights.trainable.is_empty()));
        }
        let memory = &self.workspace.memory;
        let mut gradients: Vec<Option<Buffer>> = wanted.iter().map(|_| None).collect();
        let mut last = memory.buffer(dy.len());
        last.copy_from_slice(dy);
        gradients[self.program.steps.len()] = Some(last);
        for index in (0..self.program.steps.len()).rev() {
            let step = &self.program.steps[index];
            let own = registers[index].take();
            let Some(mut dy) = gradients[index + 1].take().filter(|_| wanted[index + 1]) else { continue };
            let input = step.input();
            let x = read(x, &registers, input);
            match (step, &sized[index], &self.weights[index]) {
                (Step::Conv(step), Sized::Conv(geometry), Some(weights)) => {
                    backward_activation(step.act, own.as_deref().unwrap_or(y), &mut dy);
                    drop(own);
                    if !weights.trainable.is_empty() {
                        weights.leave_gradients(geometry, x, &dy, &self.workspace)?;
                    }
                    if wanted[input] {
                        let folded = &weights.folded;
                        let pack = |weight: &[f32]| BackwardWeights::pack(geometry, weight, folded.scale(), memory);
                        let weights = with_values(&folded.weight, pack)?;
                        let accumulate = gradients[input].is_some();
                        let dx = gradients[input].get_or_insert_with(|| memory.buffer(x.len()));
                        conv::backward_input(&weights, &dy, accumulate, memory, dx);
                    }
                    if let Some(residual) = step.residual.filter(|register| wanted[*register]) {
                        gather(&mut gradients[residual], dy);
                    }
                }
                (_, Sized::MaxPool(geometry), _) if wanted[input] => {
                    let mut dx = memory.buffer(x.len());
                    pool::max_pool_backward(geometry, x, &dy, &mut dx);
                    gather(&mut gradients[input], dx);
                }
                (_, Sized::AveragePool(size), _) if wanted[input] => {
                    let mut dx = memory.buffer(x.len());
                    pool::average_pool_backward(size.h * size.w, size.c, &dy, &mut dx);
                    gather(&mut gradients[input], dx);
                }
                _ => {}
            }
        }
        Ok(gradients[0].take().map(|dx| dx.to_vec()))
    }
}

/// Adds a gradient to what is there already.
fn gather(sum: &mut Option<Buffer>, gradient: Buffer) {
    match sum {
        Some(sum) => add_to(sum, &gradient),
        none => *none = Some(gradient),
    }
}
