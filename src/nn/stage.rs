//! The trainable part of a network: a [`Program`] as one operation with its own backward, or step by step in Candle's own
//! operations.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp2, D, Layout, Shape, Tensor, Var};
use rayon::prelude::*;

use super::Params;
use super::program::{ConvStep, Folded, Norm, Pad, Program, Size, Sized, Step, fold, inverse_root};
use super::workspace::{Buffer, Workspace};
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
    /// Where operations leave their parameters' gradients.
    pub workspace: &'a Workspace,
}

impl Stage<'_> {
    /// The program's output `[B, C', h', w']` for an input `[B, C, h, w]`, with a graph, by our kernels: one operation.
    /// The input gets a gradient only where `input_gradient`.
    pub fn fused(&self, x: &Tensor, input_gradient: bool) -> Result<Tensor> {
        let x = x.permute((0, 2, 3, 1))?.contiguous()?;
        let mut weights = Vec::with_capacity(self.program.steps.len());
        for (index, step) in self.program.steps.iter().enumerate() {
            weights.push(match step {
                Step::MaxPool { .. } => Weights::None,
                Step::Conv(step) if index < self.trainable_from => {
                    Weights::Frozen(step.folded(self.params, self.prefix)?)
                }
                Step::Conv(step) => Weights::Trainable(self.trainable(step)?),
            });
        }
        // Candle calls an operation's backward only where an argument of it is to get a gradient.
        let trains = weights.iter().any(|weights| matches!(weights, Weights::Trainable(_)));
        let anchor = Tensor::zeros(1, x.dtype(), x.device())?;
        let anchor = if trains { Var::from_tensor(&anchor)?.as_tensor().clone() } else { anchor };
        let workspace = self.workspace.clone();
        let op = Fused { program: self.program.clone(), weights, input_gradient, workspace, kept: Mutex::new(None) };
        Ok(x.apply_op2(&anchor, op)?.permute((0, 3, 1, 2))?)
    }

    fn trainable(&self, step: &ConvStep) -> Result<Trainable> {
        let statistics = match &step.norm {
            None => None,
            Some(Norm { name, .. }) => Some((
                self.tensor(&format!("{name}.running_mean"))?.to_vec1()?,
                self.tensor(&format!("{name}.running_var"))?.to_vec1()?,
            )),
        };
        let tensors = step.trainable().iter().map(|name| self.tensor(name)).collect::<Result<_>>()?;
        Ok(Trainable { tensors, statistics })
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
    /// They do.
    Trainable(Trainable),
}

/// The tensors of a step that trains.
struct Trainable {
    /// Weight, then γ and β, or the bias.
    tensors: Vec<Tensor>,
    /// The batch norm's mean and variance.
    statistics: Option<(Vec<f32>, Vec<f32>)>,
}

impl Trainable {
    /// The weights as they are now, folded.
    fn folded(&self, step: &ConvStep) -> candle_core::Result<Folded> {
        let values = self.tensors[1..].iter().map(|tensor| tensor.to_vec1::<f32>());
        let values = values.collect::<candle_core::Result<Vec<_>>>()?;
        let (scale, bias) = match (&self.statistics, &step.norm, values.as_slice()) {
            (Some((mean, var)), Some(norm), [gamma, beta]) => {
                let scale: Vec<f32> = gamma.iter().zip(var).map(|(g, v)| g * inverse_root(*v, norm.eps)).collect();
                let bias = beta.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
                (Some(scale), bias)
            }
            (_, _, [bias, ..]) => (None, bias.clone()),
            _ => candle_core::bail!("a convolution has a bias or a norm"),
        };
        let weight = with_values(&self.tensors[0], |weight| fold(step, weight, scale.as_deref()))?;
        Ok(Folded { weight, bias })
    }

    /// Computes the gradients of the tensors and leaves them in the workspace.
    fn leave_gradients(
        &self,
        step: &ConvStep,
        geometry: &crate::kernels::Conv,
        x: &[f32],
        dy: &[f32],
        workspace: &Workspace,
    ) -> candle_core::Result<()> {
        let [o, i, k, _] = step.weight_shape();
        let mut dw = workspace.buffer(self.tensors[0].elem_count());
        let mut db = vec![0.0; o];
        conv::backward_weight(geometry, x, dy, &mut dw, &mut db);
        let mut dw = if step.depthwise { dw.to_vec() } else { layout::ohwi_to_oihw([o, i, k, k], &dw) };
        let mut gradients = Vec::with_capacity(3);
        if let (Some((mean, var)), Some(norm)) = (&self.statistics, &step.norm) {
            let gamma = self.tensors[1].to_vec1::<f32>()?;
            let statistics = Statistics { mean, var, gamma: &gamma, eps: norm.eps };
            gradients.push(with_values(&self.tensors[0], |weight| through_norm(&statistics, weight, &db, &mut dw))?);
        }
        gradients.push(db);
        gradients.insert(0, dw);
        for (tensor, gradient) in self.tensors.iter().zip(gradients) {
            workspace.leave(tensor, Tensor::from_vec(gradient, tensor.shape(), tensor.device())?);
        }
        Ok(())
    }
}

/// A batch norm that folds into weights.
struct Statistics<'a> {
    mean: &'a [f32],
    var: &'a [f32],
    gamma: &'a [f32],
    eps: f64,
}

/// Takes the gradient of the folded weights to that of the weights, in place, and gives that of γ:
/// `dw = dw'·s`, `dγ = (Σ dw'·w − μ·db') / √(σ²+ε)`; `dβ` is `db'` itself.
fn through_norm(norm: &Statistics, weight: &[f32], db: &[f32], dw: &mut [f32]) -> Vec<f32> {
    let row = weight.len() / db.len();
    let channels = dw.par_chunks_mut(row).zip(weight.par_chunks(row)).enumerate();
    channels
        .map(|(channel, (dw, w))| {
            let inverse = inverse_root(norm.var[channel], norm.eps);
            let scale = norm.gamma[channel] * inverse;
            let dot: f64 = dw.iter().zip(w).map(|(d, w)| f64::from(d * w)).sum();
            dw.iter_mut().for_each(|d| *d *= scale);
            (dot - f64::from(norm.mean[channel]) * f64::from(db[channel])) as f32 * inverse
        })
        .collect()
}

/// The whole program as one operation: Candle's graph then holds one node, and activations are freed as backward passes them.
/// Its second argument is an anchor that nobody reads; the parameters' gradients are left in the workspace.
struct Fused {
    program: Program,
    weights: Vec<Weights>,
    input_gradient: bool,
    workspace: Workspace,
    /// What forward keeps for backward.
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    sized: Vec<Sized>,
    /// Every register but the input.
    registers: Vec<Option<Buffer>>,
    /// Folded weights of the steps that train.
    folded: Vec<Option<Folded>>,
}

/// A register; the first is the input.
fn read<'a>(x: &'a [f32], registers: &'a [Option<Buffer>], register: usize) -> &'a [f32] {
    match register {
        0 => x,
        register => registers[register - 1].as_deref().unwrap_or_else(|| unreachable!("freed when its step is passed")),
    }
}

impl Fused {
    fn forward(&self, x: &[f32], size: Size) -> candle_core::Result<Vec<f32>> {
        let sized = self.program.sized(size);
        let pictures = x.len() / size.len();
        let mut registers: Vec<Option<Buffer>> = Vec::with_capacity(sized.len());
        let mut folded = Vec::with_capacity(sized.len());
        for ((step, sized), weights) in self.program.steps.iter().zip(&sized).zip(&self.weights) {
            let own = match (step, weights) {
                (Step::Conv(step), Weights::Trainable(trainable)) => Some(trainable.folded(step)?),
                _ => None,
            };
            let mut y = self.workspace.buffer(pictures * sized.output().len());
            match (step, sized) {
                (Step::Conv(step), Sized::Conv(geometry)) => {
                    let Folded { weight, bias } = self.folded(weights, own.as_ref());
                    let residual = step.residual.map(|register| read(x, &registers, register));
                    let input = read(x, &registers, step.input);
                    conv::forward(geometry, input, weight, bias, residual, step.act, &mut y);
                }
                (_, Sized::MaxPool(geometry)) => {
                    pool::max_pool_forward(geometry, read(x, &registers, step.input()), &mut y);
                }
                _ => unreachable!("a step has the sizes of its kind"),
            }
            registers.push(Some(y));
            folded.push(own);
        }
        let y = read(x, &registers, registers.len()).to_vec();
        if let Ok(mut kept) = self.kept.lock() {
            *kept = Some(Kept { sized, registers, folded });
        }
        Ok(y)
    }

    fn folded<'a>(&self, weights: &'a Weights, own: Option<&'a Folded>) -> &'a Folded {
        match (weights, own) {
            (Weights::Frozen(folded), _) | (_, Some(folded)) => folded,
            _ => unreachable!("a convolution has weights"),
        }
    }

    /// Leaves the gradients of the parameters; gives that of the input, where asked for.
    fn backward(&self, x: &[f32], kept: Kept, dy: &[f32]) -> candle_core::Result<Option<Vec<f32>>> {
        let Kept { sized, mut registers, folded } = kept;
        // Which registers a gradient is wanted for: those that a trainable step lies before, or the input does.
        let mut wanted = vec![self.input_gradient];
        for (step, weights) in self.program.steps.iter().zip(&self.weights) {
            let upstream = wanted[step.input()] || step.residual().is_some_and(|register| wanted[register]);
            wanted.push(upstream || matches!(weights, Weights::Trainable(_)));
        }
        let mut gradients: Vec<Option<Buffer>> = wanted.iter().map(|_| None).collect();
        let mut last = self.workspace.buffer(dy.len());
        last.copy_from_slice(dy);
        gradients[self.program.steps.len()] = Some(last);
        for index in (0..self.program.steps.len()).rev() {
            let step = &self.program.steps[index];
            let y = registers[index].take();
            let Some(mut dy) = gradients[index + 1].take().filter(|_| wanted[index + 1]) else { continue };
            let input = step.input();
            let x = read(x, &registers, input);
            match (step, &sized[index]) {
                (Step::Conv(step), Sized::Conv(geometry)) => {
                    if let Some(y) = y {
                        conv::backward_activation(step.act, &y, &mut dy);
                    }
                    if let Weights::Trainable(trainable) = &self.weights[index] {
                        trainable.leave_gradients(step, geometry, x, &dy, &self.workspace)?;
                    }
                    if wanted[input] {
                        let weight = &self.folded(&self.weights[index], folded[index].as_ref()).weight;
                        let accumulate = gradients[input].is_some();
                        let dx = gradients[input].get_or_insert_with(|| self.workspace.buffer(x.len()));
                        conv::backward_input(geometry, &dy, weight, accumulate, dx);
                    }
                    if let Some(residual) = step.residual.filter(|register| wanted[*register]) {
                        gather(&mut gradients[residual], dy);
                    }
                }
                (_, Sized::MaxPool(geometry)) if wanted[input] => {
                    let mut dx = self.workspace.buffer(x.len());
                    pool::max_pool_backward(geometry, x, &dy, &mut dx);
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
        Some(sum) => sum.par_chunks_mut(1 << 14).zip(gradient.par_chunks(1 << 14)).for_each(|(sum, gradient)| {
            sum.iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += gradient);
        }),
        none => *none = Some(gradient),
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
        _: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (b, h, w, c) = x_layout.shape().dims4()?;
        let y = self.forward(slice(x, x_layout)?, Size { h, w, c })?;
        let size = *self.program.sizes(Size { h, w, c }).last().unwrap_or(&Size { h, w, c });
        Ok((CpuStorage::F32(y), Shape::from((b, size.h, size.w, size.c))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        _: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let kept = self.kept.lock().ok().and_then(|mut kept| kept.take());
        let Some(kept) = kept else { candle_core::bail!("a stage's backward runs once a forward") };
        let dx = with_values(&dy.contiguous()?, |dy| with_values(x, |x| self.backward(x, kept, dy)))???;
        Ok((dx.map(|dx| Tensor::from_vec(dx, x.shape(), x.device())).transpose()?, None))
    }
}

/// Calls `f` with a tensor's numbers, where they lie.
pub(super) fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> candle_core::Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(values) => Ok(f(slice(values, layout)?)),
        _ => candle_core::bail!("a CPU operation met a tensor on another device"),
    }
}

/// A tensor's numbers, which must lie in one run.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("an operation wants contiguous tensors"),
    }
}
