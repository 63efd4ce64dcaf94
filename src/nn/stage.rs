//! The trainable part of a network: a [`Program`] as one operation with its own backward, or step by step in Candle's own
//! operations.

use std::ops::Range;
use std::sync::Mutex;

use candle_core::{D, Shape, Tensor};
use rayon::prelude::*;

use super::Params;
use super::operation::{Operation, apply, with_values};
use super::program::{
    ConvStep, Folded, FoldedNorm, GROUP, Left, Norm, Packed, Pad, Passed, Program, Size, Sized, Step, read,
};
use super::workspace::Workspace;
use crate::base::error::Result;
use crate::kernels::conv::pair;
use crate::kernels::conv::{self, BackwardWeights, InputGradient, WeightGradient};
use crate::kernels::{Activation, Buffer, Conv, Memory, add_to, backward_activation, pool};

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
        let mut folded = Vec::with_capacity(self.program.steps.len());
        let mut trainable = Vec::with_capacity(self.program.steps.len());
        for (index, step) in self.program.steps.iter().enumerate() {
            let Step::Conv(step) = step else {
                folded.push(None);
                trainable.push(Vec::new());
                continue;
            };
            folded.push(Some(step.folded(self.params, self.prefix)?));
            let names = step.trainable().into_iter().filter(|_| index >= self.trainable_from);
            trainable.push(names.map(|name| self.tensor(&name)).collect::<Result<_>>()?);
        }
        let trains = trainable.iter().any(|tensors| !tensors.is_empty());
        let (program, workspace) = (self.program.clone(), self.workspace.clone());
        let kept = Mutex::new(None);
        let operation = Fused { program, folded, trainable, input_gradient, flat, workspace, kept };
        apply(&x.permute((0, 2, 3, 1))?, operation, trains)
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
        Activation::Silu => Ok(x.silu()?),
        Activation::HardSwish => Ok(((x * composed_activation(&(x + 3.0)?, Activation::Relu6)?)? / 6.0)?),
        Activation::Gelu => Ok(x.gelu_erf()?),
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
    folded: Vec<Option<Folded>>,
    /// For each step the tensors that train: weight, then γ and β, or the bias.
    trainable: Vec<Vec<Tensor>>,
    input_gradient: bool,
    /// Whether the output is `[B, h·w·C]`.
    flat: bool,
    workspace: Workspace,
    /// What forward keeps for backward.
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    packed: Packed,
    /// Group by group, segment by segment.
    groups: Vec<Vec<Passed>>,
}

/// What backward works with.
struct Backward<'a> {
    packed: &'a Packed,
    /// Which registers a gradient is wanted for.
    wanted: Vec<bool>,
    /// For each step whose input's gradient is wanted, its weights.
    weights: Vec<Option<BackwardWeights>>,
}

/// Sums of weight gradients so far, by step.
type Sums = Vec<Option<Buffer>>;

impl Operation for Fused {
    const NAME: &'static str = "stage";

    fn forward(&self, x: &[f32], dims: &[usize]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let &[pictures, h, w, c] = dims else { candle_core::bail!("a stage takes four dimensions; got {dims:?}") };
        let packed = Packed::new(&self.program, &self.folded, Size { h, w, c }, &self.workspace.memory);
        let packed = packed.map_err(candle_core::Error::wrap)?;
        let (y, groups) = packed.run_keeping(x);
        let size = packed.output();
        if let Ok(mut kept) = self.kept.lock() {
            *kept = Some(Kept { packed, groups });
        }
        let whole = [pictures, size.h, size.w, size.c];
        Ok((y, if self.flat { Shape::from((pictures, size.len())) } else { Shape::from(&whole[..]) }))
    }

    /// Leaves the gradients of the parameters; gives that of the input, where asked for.
    fn backward(&self, x: &[f32], _: &[usize], y: &[f32], dy: &[f32]) -> candle_core::Result<Option<Vec<f32>>> {
        let kept = self.kept.lock().ok().and_then(|mut kept| kept.take());
        let Some(Kept { packed, groups }) = kept else { candle_core::bail!("a stage's backward runs once a forward") };
        let wanted = self.wanted();
        let weights = self.backward_weights(&packed, &wanted)?;
        let backward = Backward { packed: &packed, wanted, weights };
        let (from, to) = (GROUP * packed.size(0).len(), GROUP * packed.output().len());
        let mut dx = vec![0.0; if self.input_gradient { x.len() } else { 0 }];
        let mut inputs: Vec<_> = dx.chunks_mut(from).map(Some).collect();
        inputs.resize_with(groups.len(), || None);
        let groups = groups.into_par_iter().zip(inputs);
        let slices = x.par_chunks(from).zip(y.par_chunks(to).zip(dy.par_chunks(to)));
        let sums = groups.zip(slices).map(|((passed, dx), (x, (y, dy)))| {
            let mut sums: Sums = self.folded.iter().map(|_| None).collect();
            self.backward_group(&backward, passed, (x, y, dy), &mut sums, dx);
            sums
        });
        self.leave_gradients(&packed, sums.collect())?;
        Ok(self.input_gradient.then_some(dx))
    }
}

impl Fused {
    /// Which registers a gradient is wanted for: those that a trainable step lies before, or the input does.
    fn wanted(&self) -> Vec<bool> {
        let mut wanted = vec![self.input_gradient];
        for (step, trainable) in self.program.steps.iter().zip(&self.trainable) {
            let upstream = wanted[step.input()] || step.residual().is_some_and(|register| wanted[register]);
            wanted.push(upstream || !trainable.is_empty());
        }
        wanted
    }

    fn backward_weights(&self, packed: &Packed, wanted: &[bool]) -> candle_core::Result<Vec<Option<BackwardWeights>>> {
        let steps = self.program.steps.iter().zip(&packed.sized).zip(&self.folded);
        let pack = |((step, sized), folded): ((&Step, &Sized), &Option<Folded>)| match (sized, folded) {
            (Sized::Conv(conv), Some(folded)) if wanted[step.input()] => {
                let memory = &self.workspace.memory;
                let pack = |weight: &[f32]| BackwardWeights::pack(conv, weight, folded.scale(), memory);
                with_values(&folded.weight, pack).map(Some)
            }
            _ => Ok(None),
        };
        steps.map(pack).collect()
    }

    /// Takes the gradient of a group's output back through all segments. The group's own sums of weight gradients grow chunk by
    /// chunk, in order.
    fn backward_group(
        &self,
        backward: &Backward,
        mut passed: Vec<Passed>,
        (x, y, dy): (&[f32], &[f32], &[f32]),
        sums: &mut Sums,
        dx: Option<&mut [f32]>,
    ) {
        let packed = backward.packed;
        let mut gradient: Option<Buffer> = None;
        for segment in packed.segments.iter().rev() {
            let Some(Passed { output, chunks }) = passed.pop() else { break };
            let (start, end) = (segment.steps.start, segment.steps.end);
            let (from, to) = (segment.pictures * packed.size(start).len(), segment.pictures * packed.size(end).len());
            let x = passed.last().and_then(|passed| passed.output.as_deref()).unwrap_or(x);
            let y = output.as_deref().unwrap_or(y);
            let dy = gradient.as_deref().unwrap_or(dy);
            let mut next = backward.wanted[start].then(|| self.workspace.memory.buffer(x.len()));
            let slices = x.chunks(from).zip(y.chunks(to)).zip(dy.chunks(to));
            for (index, (left, ((x, y), dy))) in chunks.into_iter().zip(slices).enumerate() {
                let chunk_dx = self.backward_chunk(backward, segment.steps.clone(), left, (x, y, dy), sums);
                if let (Some(next), Some(chunk_dx)) = (&mut next, chunk_dx) {
                    next[index * from..][..chunk_dx.len()].copy_from_slice(&chunk_dx);
                }
            }
            gradient = next;
            if gradient.is_none() {
                break;
            }
        }
        if let (Some(dx), Some(gradient)) = (dx, gradient) {
            dx.copy_from_slice(&gradient);
        }
    }

    /// Takes the gradient of a chunk's output back through a segment's steps; gives that of its input, where it is wanted.
    fn backward_chunk(
        &self,
        backward: &Backward,
        steps: Range<usize>,
        Left { mut registers, mut places }: Left,
        (x, y, dy): (&[f32], &[f32], &[f32]),
        sums: &mut Sums,
    ) -> Option<Buffer> {
        let memory = &self.workspace.memory;
        let (first, wanted) = (steps.start, &backward.wanted);
        let mut gradients: Vec<Option<Buffer>> = (0..=steps.len()).map(|_| None).collect();
        let mut last = memory.buffer(dy.len());
        last.copy_from_slice(dy);
        gradients[steps.len()] = Some(last);
        for index in steps.rev() {
            let step = &self.program.steps[index];
            let own = registers[index - first].take();
            let Some(mut dy) = gradients[index + 1 - first].take().filter(|_| wanted[index + 1]) else { continue };
            let (input, wants_input) = (step.input() - first, wanted[step.input()]);
            let packed = backward.packed;
            let (before, pictures) = (&packed.before, dy.len() / packed.size(index + 1).len());
            match (step, &packed.sized[index]) {
                (Step::Conv(step), Sized::Conv(conv)) => {
                    if before[index + 1] != step.act {
                        backward_activation(step.act, own.as_deref().unwrap_or(y), &mut dy);
                    }
                    // Where the input was made within this step, both steps go back together.
                    let pair = input.checked_sub(1).filter(|before| packed.within_next[first + before]);
                    let from = pair.map_or(input, |pair| self.program.steps[first + pair].input() - first);
                    let x = read(x, &registers, from);
                    let [mut own_sums, mut pair_sums] = [None, None];
                    let (earlier, later) = sums.split_at_mut(index);
                    if !self.trainable[index].is_empty() {
                        own_sums = Some(weight_gradient(conv, &mut later[0], memory));
                    }
                    if let Some(pair) = pair.map(|pair| first + pair).filter(|pair| !self.trainable[*pair].is_empty())
                        && let Sized::Conv(conv) = &packed.sized[pair]
                    {
                        pair_sums = Some(weight_gradient(conv, &mut earlier[pair], memory));
                    }
                    let weights = &backward.weights;
                    let input =
                        weights[pair.map_or(index, |pair| first + pair)].as_ref().map(|weights| InputGradient {
                            weights,
                            before: before[first + from],
                            accumulate: gradients[from].is_some(),
                            dx: gradients[from].get_or_insert_with(|| memory.buffer(x.len())),
                        });
                    match pair {
                        None => conv::backward(conv, x, &dy, input, own_sums, memory),
                        Some(pair) => {
                            let depthwise = weights[index].as_ref();
                            let (pointwise_sums, depthwise_sums) = (pair_sums, own_sums);
                            let wanted = pair::Gradients { depthwise, input, pointwise_sums, depthwise_sums };
                            pair::backward(packed.layer(first + pair), conv, x, &dy, wanted, memory);
                        }
                    }
                    if let Some(residual) = step.residual.filter(|register| wanted[*register]) {
                        gather(&mut gradients[residual - first], dy);
                    }
                }
                (_, Sized::MaxPool(geometry)) if wants_input => {
                    let places = places[index - first].take();
                    let places = places.unwrap_or_else(|| unreachable!("the places of the maxima are kept"));
                    let (y, mut dx) = (own.as_deref().unwrap_or(y), memory.buffer(pictures * geometry.in_len()));
                    pool::max_pool_backward(geometry, y, &places, &dy, before[step.input()], &mut dx);
                    gather(&mut gradients[input], dx);
                }
                (_, Sized::AveragePool(size)) if wants_input => {
                    let mut dx = memory.buffer(pictures * size.len());
                    pool::average_pool_backward(size.h * size.w, size.c, &dy, &mut dx);
                    gather(&mut gradients[input], dx);
                }
                _ => {}
            }
        }
        gradients[0].take()
    }

    /// Adds the groups' sums, in order, and leaves the gradients of the tensors in the workspace.
    fn leave_gradients(&self, packed: &Packed, groups: Vec<Sums>) -> candle_core::Result<()> {
        let Workspace { memory, .. } = &self.workspace;
        let mut groups = groups.into_iter();
        let Some(mut totals) = groups.next() else { return Ok(()) };
        for group in groups {
            for (total, sum) in totals.iter_mut().zip(group) {
                if let (Some(total), Some(sum)) = (total, sum) {
                    add_to(total, &sum);
                }
            }
        }
        for (index, total) in totals.into_iter().enumerate() {
            let (Some(total), Some(folded), Sized::Conv(conv)) = (total, &self.folded[index], &packed.sized[index])
            else {
                continue;
            };
            let (mut dw, mut db) = (memory.buffer(conv.weights()), memory.buffer(conv.out_c));
            conv::finish_weight(conv, &total, &mut dw, &mut db);
            match (&folded.norm, self.trainable[index].as_slice()) {
                (Some(norm), [weight, gamma, beta]) => {
                    let mut dgamma = memory.buffer(conv.out_c);
                    with_values(weight, |weight| through_norm(norm, weight, &db, &mut dw, &mut dgamma))?;
                    self.workspace.leave(weight, dw);
                    self.workspace.leave(gamma, dgamma);
                    self.workspace.leave(beta, db);
                }
                (None, [weight, bias]) => {
                    self.workspace.leave(weight, dw);
                    self.workspace.leave(bias, db);
                }
                _ => candle_core::bail!("a convolution has a bias or a norm"),
            }
        }
        Ok(())
    }
}

/// Asks for a convolution's sums, to add to those there already.
fn weight_gradient<'a>(conv: &Conv, sums: &'a mut Option<Buffer>, memory: &Memory) -> WeightGradient<'a> {
    let accumulate = sums.is_some();
    WeightGradient { accumulate, sums: sums.get_or_insert_with(|| memory.buffer(conv::sums_len(conv))) }
}

/// Adds a gradient to what is there already.
fn gather(sum: &mut Option<Buffer>, gradient: Buffer) {
    match sum {
        Some(sum) => add_to(sum, &gradient),
        none => *none = Some(gradient),
    }
}
