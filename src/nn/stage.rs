//! The trainable part of a network: a [`Program`] as one operation with its own backward, or step by step in Candle's own
//! operations.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp2, D, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::Params;
use super::program::{ConvStep, Folded, Norm, Pad, Program, Size, Sized, Step, fold, inverse_root};
use crate::error::Result;
use crate::kernels::{Activation, conv, layout, pool};

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
}

impl Stage<'_> {
    /// The program's output `[B, C', h', w']` for an input `[B, C, h, w]`, with a graph, by our kernels: one operation.
    /// The input gets a gradient only where `input_gradient`.
    pub fn fused(&self, x: &Tensor, input_gradient: bool) -> Result<Tensor> {
        let x = x.permute((0, 2, 3, 1))?.contiguous()?;
        let mut flat = Vec::new();
        let mut weights = Vec::with_capacity(self.program.steps.len());
        for (index, step) in self.program.steps.iter().enumerate() {
            weights.push(match step {
                Step::MaxPool { .. } => Weights::None,
                Step::Conv(step) if index < self.trainable_from => {
                    Weights::Frozen(step.folded(self.params, self.prefix)?)
                }
                Step::Conv(step) => {
                    for name in step.trainable() {
                        flat.push(self.tensor(&name)?.flatten_all()?);
                    }
                    Weights::Trainable(match &step.norm {
                        None => None,
                        Some(Norm { name, .. }) => Some((
                            self.tensor(&format!("{name}.running_mean"))?.to_vec1()?,
                            self.tensor(&format!("{name}.running_var"))?.to_vec1()?,
                        )),
                    })
                }
            });
        }
        // An operation wants two tensors; a stage without parameters gets one number that nobody reads.
        let flat = if flat.is_empty() { Tensor::zeros(1, x.dtype(), x.device())? } else { Tensor::cat(&flat, 0)? };
        let op = Fused { program: self.program.clone(), weights, input_gradient, kept: Mutex::new(None) };
        Ok(x.apply_op2(&flat, op)?.permute((0, 3, 1, 2))?)
    }

    /// The same in Candle's own operations, on any device.
    pub fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let mut registers = vec![x.contiguous()?];
        for (index, step) in self.program.steps.iter().enumerate() {
            let y = match step {
                Step::MaxPool { input, kernel, stride, pad } => {
                    composed_max_pool(&registers[*input], *kernel, *stride, *pad)?
                }
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

/// Where a step's weights are.
enum Weights {
    /// It has none.
    None,
    /// They do not train.
    Frozen(Folded),
    /// They are the next ones in the flat tensor; with the batch norm's mean and variance.
    Trainable(Option<(Vec<f32>, Vec<f32>)>),
}

/// The whole program as one operation on (input, parameters): Candle's graph then holds one node, and activations are freed as
/// backward passes them.
struct Fused {
    program: Program,
    weights: Vec<Weights>,
    input_gradient: bool,
    /// What forward keeps for backward.
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    sized: Vec<Sized>,
    /// Every register but the input.
    registers: Vec<Vec<f32>>,
    /// Folded weights of the steps that train.
    folded: Vec<Option<Folded>>,
}

impl Fused {
    /// The slices of a trainable step in the flat tensor: weight, then γ and β or the bias; and what follows.
    fn slices<'a>(step: &ConvStep, flat: &'a [f32]) -> (&'a [f32], &'a [f32], &'a [f32], &'a [f32]) {
        let (weight, rest) = flat.split_at(step.weight_shape().iter().product());
        let (first, rest) = rest.split_at(step.out_c);
        let (second, rest) = rest.split_at(if step.norm.is_some() { step.out_c } else { 0 });
        (weight, first, second, rest)
    }

    fn forward(&self, x: &[f32], mut flat: &[f32], size: Size) -> Vec<f32> {
        let sized = self.program.sized(size);
        let pictures = x.len() / size.len();
        let mut registers: Vec<Vec<f32>> = Vec::with_capacity(sized.len());
        let mut folded = Vec::with_capacity(sized.len());
        for ((step, sized), weights) in self.program.steps.iter().zip(&sized).zip(&self.weights) {
            let own = match (step, weights) {
                (Step::Conv(step), Weights::Trainable(statistics)) => {
                    let (weight, first, second, rest) = Self::slices(step, flat);
                    flat = rest;
                    Some(match (statistics, &step.norm) {
                        (Some((mean, var)), Some(norm)) => {
                            let scale: Vec<f32> =
                                first.iter().zip(var).map(|(g, v)| g * inverse_root(*v, norm.eps)).collect();
                            let bias = second.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
                            Folded { weight: fold(step, weight, Some(&scale)), bias }
                        }
                        _ => Folded { weight: fold(step, weight, None), bias: first.to_vec() },
                    })
                }
                _ => None,
            };
            let mut y = vec![0.0; pictures * sized.output().len()];
            let read = |register: usize| if register == 0 { x } else { registers[register - 1].as_slice() };
            match (step, sized, weights) {
                (Step::Conv(step), Sized::Conv(geometry), _) => {
                    let folded = match (weights, &own) {
                        (Weights::Frozen(folded), _) | (_, Some(folded)) => folded,
                        _ => unreachable!("a convolution has weights"),
                    };
                    let residual = step.residual.map(read);
                    conv::forward(geometry, read(step.input), &folded.weight, &folded.bias, residual, step.act, &mut y);
                }
                (_, Sized::MaxPool(geometry), _) => pool::max_pool_forward(geometry, read(step.input()), &mut y),
                _ => unreachable!("a step has the sizes of its kind"),
            }
            registers.push(y);
            folded.push(own);
        }
        let y = registers.last().cloned().unwrap_or_else(|| x.to_vec());
        if let Ok(mut kept) = self.kept.lock() {
            *kept = Some(Kept { sized, registers, folded });
        }
        y
    }

    /// Gradients of the input (where asked for) and of the flat parameters.
    fn backward(&self, x: &[f32], flat: &[f32], kept: Kept, dy: Vec<f32>) -> (Option<Vec<f32>>, Vec<f32>) {
        let Kept { sized, mut registers, folded } = kept;
        // Which registers a gradient is wanted for: those that a trainable step lies before, or the input does.
        let mut wanted = vec![self.input_gradient];
        for (step, weights) in self.program.steps.iter().zip(&self.weights) {
            let upstream = wanted[step.input()] || step.residual().is_some_and(|register| wanted[register]);
            wanted.push(upstream || matches!(weights, Weights::Trainable(_)));
        }
        let mut gradients: Vec<Option<Vec<f32>>> = vec![None; wanted.len()];
        gradients[self.program.steps.len()] = Some(dy);
        let mut flat_gradient = vec![0.0; flat.len()];
        let mut end = flat.len();
        for index in (0..self.program.steps.len()).rev() {
            let step = &self.program.steps[index];
            let y = std::mem::take(&mut registers[index]);
            let Some(mut dy) = gradients[index + 1].take().filter(|_| wanted[index + 1]) else { continue };
            let input = step.input();
            let x = if input == 0 { x } else { registers[input - 1].as_slice() };
            match (step, &sized[index]) {
                (Step::Conv(step), Sized::Conv(geometry)) => {
                    conv::backward_activation(step.act, &y, &mut dy);
                    drop(y);
                    let own = folded[index].as_ref();
                    if let Weights::Trainable(statistics) = &self.weights[index] {
                        let count: usize = step.weight_shape().iter().product();
                        let length = count + step.out_c * if step.norm.is_some() { 2 } else { 1 };
                        let own = end - length..end;
                        end -= length;
                        let (weight, rest) = flat[own.clone()].split_at(count);
                        let target = &mut flat_gradient[own];
                        weight_gradient(step, geometry, statistics.as_ref(), x, &dy, weight, rest, target);
                    }
                    if wanted[input] {
                        let weight = match (&self.weights[index], own) {
                            (Weights::Frozen(folded), _) | (_, Some(folded)) => &folded.weight,
                            _ => unreachable!("a convolution has weights"),
                        };
                        let accumulate = gradients[input].is_some();
                        let dx = gradients[input].get_or_insert_with(|| vec![0.0; x.len()]);
                        conv::backward_input(geometry, &dy, weight, accumulate, dx);
                    }
                    if let Some(residual) = step.residual.filter(|register| wanted[*register]) {
                        match &mut gradients[residual] {
                            Some(sum) => {
                                sum.par_chunks_mut(1 << 14).zip(dy.par_chunks(1 << 14)).for_each(|(sum, dy)| {
                                    sum.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
                                });
                            }
                            none => *none = Some(dy),
                        }
                    }
                }
                (_, Sized::MaxPool(geometry)) if wanted[input] => {
                    let mut dx = vec![0.0; x.len()];
                    pool::max_pool_backward(geometry, x, &dy, &mut dx);
                    match &mut gradients[input] {
                        Some(sum) => sum.iter_mut().zip(&dx).for_each(|(sum, dx)| *sum += dx),
                        none => *none = Some(dx),
                    }
                }
                _ => {}
            }
        }
        (gradients[0].take(), flat_gradient)
    }
}

/// The gradients of a step's own tensors, through the folding: `dw = dw'·s`, `dγ = (Σ dw'·w − μ·db') / √(σ²+ε)`, `dβ = db'`.
#[allow(clippy::too_many_arguments)]
fn weight_gradient(
    step: &ConvStep,
    geometry: &crate::kernels::Conv,
    statistics: Option<&(Vec<f32>, Vec<f32>)>,
    x: &[f32],
    dy: &[f32],
    weight: &[f32],
    gamma: &[f32],
    target: &mut [f32],
) {
    let [o, i, k, _] = step.weight_shape();
    let (mut dw, mut db) = (vec![0.0; weight.len()], vec![0.0; o]);
    conv::backward_weight(geometry, x, dy, &mut dw, &mut db);
    let dw = layout::ohwi_to_oihw([o, i, k, k], &dw);
    let (dw_target, rest) = target.split_at_mut(weight.len());
    match (statistics, &step.norm) {
        (Some((mean, var)), Some(norm)) => {
            let (dgamma, dbeta) = rest.split_at_mut(o);
            let row = weight.len() / o;
            dw_target
                .par_chunks_mut(row)
                .zip(dw.par_chunks(row))
                .zip(weight.par_chunks(row))
                .zip(dgamma.par_iter_mut())
                .enumerate()
                .for_each(|(channel, (((target, dw), w), dgamma))| {
                    let inverse = inverse_root(var[channel], norm.eps);
                    let scale = gamma[channel] * inverse;
                    let dot: f64 = dw.iter().zip(w).map(|(d, w)| f64::from(d * w)).sum();
                    *dgamma = (dot - f64::from(mean[channel]) * f64::from(db[channel])) as f32 * inverse;
                    target.iter_mut().zip(dw).for_each(|(t, d)| *t = d * scale);
                });
            dbeta.copy_from_slice(&db);
        }
        _ => {
            dw_target.copy_from_slice(&dw);
            rest.copy_from_slice(&db);
        }
    }
}

impl CustomOp2 for Fused {
    fn name(&self) -> &'static str {
        "stage"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        flat: &CpuStorage,
        flat_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (b, h, w, c) = x_layout.shape().dims4()?;
        let y = self.forward(slice(x, x_layout)?, slice(flat, flat_layout)?, Size { h, w, c });
        let size = *self.program.sizes(Size { h, w, c }).last().unwrap_or(&Size { h, w, c });
        Ok((CpuStorage::F32(y), Shape::from((b, size.h, size.w, size.c))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        flat: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let kept = self.kept.lock().ok().and_then(|mut kept| kept.take());
        let Some(kept) = kept else { candle_core::bail!("a stage's backward runs once a forward") };
        let dy = dy.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
        let (x_storage, x_layout) = x.storage_and_layout();
        let (flat_storage, flat_layout) = flat.storage_and_layout();
        let (candle_core::Storage::Cpu(x_values), candle_core::Storage::Cpu(flat_values)) =
            (&*x_storage, &*flat_storage)
        else {
            candle_core::bail!("a stage runs on the CPU")
        };
        let (dx, dflat) = self.backward(slice(x_values, x_layout)?, slice(flat_values, flat_layout)?, kept, dy);
        let dx = dx.map(|dx| Tensor::from_vec(dx, x.shape(), x.device())).transpose()?;
        Ok((dx, Some(Tensor::from_vec(dflat, flat.shape(), flat.device())?)))
    }
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("a stage wants contiguous tensors"),
    }
}
