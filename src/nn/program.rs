//! A convolutional network as a straight line of fused steps.
//!
//! Architectures are written once, as a [`Program`]; three readers run it: inference on the CPU (here), training on the CPU
//! and both on Candle's own operations (in [`stage`](super::stage)).

use std::ops::Range;

use candle_core::Tensor;
use rayon::prelude::*;

use super::Params;
use super::operation::with_values;
use crate::base::error::Result;
use crate::kernels::conv::pair::{self, Layer};
use crate::kernels::conv::{self, ForwardWeights};
use crate::kernels::{Activation, Buffer, Conv, MaxPool, Memory, Padding, pool};

/// Zeros around the input of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pad {
    /// So many on each side (PyTorch).
    Even(usize),
    /// As many as make the output `ceil(input / stride)`, an odd one below and to the right (TensorFlow's "same").
    Same,
}

/// One step of a [`Program`]. Register 0 is the program's input, register `i + 1` the output of step `i`.
#[derive(Clone, Debug)]
pub enum Step {
    /// `act(norm(conv(input)) + residual)`.
    Conv(ConvStep),
    /// Max pooling; padding is never the maximum.
    MaxPool {
        /// Register to read.
        input: usize,
        /// Side of the window.
        kernel: usize,
        /// Step between windows.
        stride: usize,
        /// Padding on each side.
        pad: usize,
    },
    /// The average of each channel over the whole picture.
    AveragePool {
        /// Register to read.
        input: usize,
    },
}

/// A convolution and what is fused into it.
#[derive(Clone, Debug)]
pub struct ConvStep {
    /// Register to read.
    pub input: usize,
    /// Register to add before the activation.
    pub residual: Option<usize>,
    /// Prefix of its tensors: `<name>.weight`, and `<name>.bias` where there is no norm.
    pub name: String,
    /// The batch norm behind it, with the statistics that came with the weights.
    pub norm: Option<Norm>,
    /// Channels of the input.
    pub in_c: usize,
    /// Channels of the output.
    pub out_c: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step between outputs.
    pub stride: usize,
    /// Zeros around the input.
    pub pad: Pad,
    /// Whether each channel has a kernel of its own.
    pub depthwise: bool,
    /// What follows.
    pub act: Activation,
}

/// A batch norm with fixed statistics.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Prefix of its tensors: `.weight`, `.bias`, `.running_mean`, `.running_var`.
    pub name: String,
    /// Added to the variance.
    pub eps: f64,
}

/// A convolutional network as a straight line of fused steps.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The steps in order.
    pub steps: Vec<Step>,
}

/// A picture's size at one register: rows, columns, channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Size {
    /// Numbers a picture.
    pub fn len(self) -> usize {
        self.h * self.w * self.c
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl ConvStep {
    /// Shape of its weight as stored, `[O, I, k, k]`.
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.out_c, if self.depthwise { 1 } else { self.in_c }, self.kernel, self.kernel]
    }

    /// Its tensors by name and shape, trainable ones first.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = vec![(format!("{}.weight", self.name), self.weight_shape().to_vec())];
        let per_channel = vec![self.out_c];
        match &self.norm {
            Some(norm) => {
                for part in ["weight", "bias", "running_mean", "running_var"] {
                    tensors.push((format!("{}.{part}", norm.name), per_channel.clone()));
                }
            }
            None => tensors.push((format!("{}.bias", self.name), per_channel)),
        }
        tensors
    }

    /// The names of the tensors that train: weight, then γ and β, or the bias.
    pub fn trainable(&self) -> Vec<String> {
        let trains = |name: &String| !name.ends_with(".running_mean") && !name.ends_with(".running_var");
        self.tensors().into_iter().map(|(name, _)| name).filter(trains).collect()
    }

    fn geometry(&self, size: Size) -> Conv {
        let pad = match self.pad {
            Pad::Even(pad) => Padding::even(pad),
            Pad::Same => Padding::same(size.h, size.w, self.kernel, self.stride),
        };
        let Self { in_c, out_c, kernel, stride, depthwise, .. } = *self;
        Conv { in_h: size.h, in_w: size.w, in_c, out_c, kernel, stride, pad, depthwise }
    }
}

/// A step with its sizes known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sized {
    Conv(Conv),
    MaxPool(MaxPool),
    /// Of pictures of this size.
    AveragePool(Size),
}

impl Sized {
    pub(super) fn output(&self) -> Size {
        match self {
            Self::Conv(conv) => Size { h: conv.out_h(), w: conv.out_w(), c: conv.out_c },
            Self::MaxPool(pool) => Size { h: pool.out_h(), w: pool.out_w(), c: pool.channels },
            Self::AveragePool(size) => Size { h: 1, w: 1, c: size.c },
        }
    }
}

impl Step {
    pub(super) fn input(&self) -> usize {
        match self {
            Self::Conv(step) => step.input,
            Self::MaxPool { input, .. } | Self::AveragePool { input } => *input,
        }
    }

    pub(super) fn residual(&self) -> Option<usize> {
        match self {
            Self::Conv(step) => step.residual,
            Self::MaxPool { .. } | Self::AveragePool { .. } => None,
        }
    }
}

impl Program {
    /// Adds a convolution; gives the register of its output.
    pub fn conv(&mut self, step: ConvStep) -> usize {
        self.steps.push(Step::Conv(step));
        self.steps.len()
    }

    /// Adds a max pooling; gives the register of its output.
    pub fn max_pool(&mut self, input: usize, kernel: usize, stride: usize, pad: usize) -> usize {
        self.steps.push(Step::MaxPool { input, kernel, stride, pad });
        self.steps.len()
    }

    /// Adds the average over the whole picture; gives the register of its output.
    pub fn average_pool(&mut self, input: usize) -> usize {
        self.steps.push(Step::AveragePool { input });
        self.steps.len()
    }

    /// The convolutions among the steps `from..to`, with their positions.
    pub fn convs(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, &ConvStep)> {
        let steps = self.steps.iter().enumerate().take(to).skip(from);
        steps.filter_map(|(index, step)| match step {
            Step::Conv(step) => Some((index, step)),
            Step::MaxPool { .. } | Step::AveragePool { .. } => None,
        })
    }

    /// The steps from `from` to the end, as a program of its own whose input is what step `from - 1` gives.
    ///
    /// Only a place where nothing older is read later can be cut: a block's boundary.
    pub fn range(&self, from: usize, to: usize) -> Self {
        let shift = |register: usize| register - from;
        let steps = self.steps[from..to].iter().cloned().map(|step| match step {
            Step::Conv(step) => {
                Step::Conv(ConvStep { input: shift(step.input), residual: step.residual.map(shift), ..step })
            }
            Step::MaxPool { input, kernel, stride, pad } => Step::MaxPool { input: shift(input), kernel, stride, pad },
            Step::AveragePool { input } => Step::AveragePool { input: shift(input) },
        });
        Self { steps: steps.collect() }
    }

    /// Each step with its sizes, for input pictures of this size.
    pub(super) fn sized(&self, input: Size) -> Vec<Sized> {
        let mut registers = vec![input];
        let mut sized = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let size = registers[step.input()];
            let one = match step {
                Step::Conv(step) => Sized::Conv(step.geometry(size)),
                Step::MaxPool { kernel, stride, pad, .. } => Sized::MaxPool(MaxPool {
                    in_h: size.h,
                    in_w: size.w,
                    channels: size.c,
                    kernel: *kernel,
                    stride: *stride,
                    pad: *pad,
                }),
                Step::AveragePool { .. } => Sized::AveragePool(size),
            };
            registers.push(one.output());
            sized.push(one);
        }
        sized
    }

    /// Size of each register for input pictures of this size: the input's, then each step's output.
    pub fn sizes(&self, input: Size) -> Vec<Size> {
        std::iter::once(input).chain(self.sized(input).iter().map(Sized::output)).collect()
    }

    /// For each step whether its output is made within the next one, and never whole: that of a pointwise convolution that only a
    /// depthwise one behind it reads.
    fn within_next(&self, sized: &[Sized]) -> Vec<bool> {
        let pair = |index: usize| {
            let (Some(Step::Conv(next)), Sized::Conv(first)) = (self.steps.get(index + 1), &sized[index]) else {
                return false;
            };
            let Sized::Conv(second) = &sized[index + 1] else { return false };
            let alone = self.readers(index + 1) == 1 && next.input == index + 1;
            alone && self.steps[index].residual().is_none() && pair::suits(first, second)
        };
        (0..self.steps.len()).map(pair).collect()
    }

    /// How many times a register is read.
    fn readers(&self, register: usize) -> usize {
        let reads = self.steps.iter().flat_map(|step| [Some(step.input()), step.residual()]);
        reads.flatten().filter(|read| *read == register).count()
    }

    /// For each step the registers that it reads when it runs, where those `within_next` don't run on their own.
    fn reads(&self, within_next: &[bool]) -> Vec<Vec<usize>> {
        let reads = |(index, step): (usize, &Step)| {
            let input = match index.checked_sub(1).filter(|before| within_next[*before]) {
                Some(before) => self.steps[before].input(),
                None => step.input(),
            };
            let own = [Some(input), step.residual()].into_iter().flatten();
            own.filter(|_| !within_next[index]).collect()
        };
        self.steps.iter().enumerate().map(reads).collect()
    }
}

/// For each register, the last step that reads it.
fn last_use(reads: &[Vec<usize>]) -> Vec<usize> {
    let mut last = vec![0; reads.len() + 1];
    for (index, registers) in reads.iter().enumerate() {
        for register in registers {
            last[*register] = index;
        }
    }
    last
}

impl Program {
    /// Numbers a picture that training the steps from `from` on keeps of each register from there on: all, but of one that only a max
    /// pooling reads, where its maxima were, and nothing of one that is made within a step.
    pub fn kept(&self, input: Size, from: usize) -> Vec<usize> {
        let (sizes, before) = (self.sizes(input), self.activations_of_one_reader());
        let mut kept: Vec<usize> = sizes.iter().map(|size| size.len()).collect();
        for (index, within) in self.within_next(&self.sized(input)).into_iter().enumerate() {
            if within && index >= from {
                kept[index + 1] = 0;
            }
        }
        for (index, step) in self.steps.iter().enumerate() {
            let register = step.input();
            if matches!(step, Step::MaxPool { .. }) && register > from && before[register] != Activation::None {
                kept[register] = sizes[index + 1].len();
            }
        }
        kept.split_off(from)
    }

    /// For each register the activation that it came out of, where one step alone reads it, and can take its gradient to before
    /// the activation at once.
    fn activations_of_one_reader(&self) -> Vec<Activation> {
        let mut before = vec![Activation::None; self.steps.len() + 1];
        for step in &self.steps {
            if let (Some(Step::Conv(from)), Step::Conv(_) | Step::MaxPool { .. }) =
                (step.input().checked_sub(1).map(|from| &self.steps[from]), step)
                && self.readers(step.input()) == 1
            {
                before[step.input()] = from.act;
            }
        }
        before
    }
}

/// A convolution's weights, with its batch norm as a scale and a bias of each output channel.
#[derive(Clone, Debug)]
pub(super) struct Folded {
    /// In PyTorch's order, not scaled.
    pub(super) weight: Tensor,
    /// What the batch norm was folded from.
    pub(super) norm: Option<FoldedNorm>,
    /// The layer's own, or `β − μ·scale`.
    pub(super) bias: Vec<f32>,
}

/// By output channel.
#[derive(Clone, Debug)]
pub(super) struct FoldedNorm {
    /// `γ / √(σ²+ε)`.
    pub(super) scale: Vec<f32>,
    /// μ.
    pub(super) mean: Vec<f32>,
    /// `1 / √(σ²+ε)`.
    pub(super) inverse: Vec<f32>,
}

impl Folded {
    /// What the weights of each output channel are multiplied by.
    pub(super) fn scale(&self) -> Option<&[f32]> {
        self.norm.as_ref().map(|norm| norm.scale.as_slice())
    }
}

impl ConvStep {
    /// Reads and folds its tensors, which lie in `params` under `prefix`.
    pub(super) fn folded(&self, params: &Params, prefix: &str) -> Result<Folded> {
        let tensor = |name: String| -> Result<Tensor> {
            Ok(params.get(&format!("{prefix}{name}"))?.var.as_tensor().contiguous()?)
        };
        let weight = tensor(format!("{}.weight", self.name))?;
        let Some(Norm { name, eps }) = &self.norm else {
            let bias = tensor(format!("{}.bias", self.name))?.to_vec1()?;
            return Ok(Folded { weight, norm: None, bias });
        };
        let values = |part: &str| -> Result<Vec<f32>> { Ok(tensor(format!("{name}.{part}"))?.to_vec1()?) };
        let (gamma, beta) = (values("weight")?, values("bias")?);
        let (mean, var) = (values("running_mean")?, values("running_var")?);
        let inverse: Vec<f32> = var.iter().map(|var| inverse_root(*var, *eps)).collect();
        let scale: Vec<f32> = gamma.iter().zip(&inverse).map(|(gamma, inverse)| gamma * inverse).collect();
        let bias = beta.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Ok(Folded { weight, norm: Some(FoldedNorm { scale, mean, inverse }), bias })
    }
}

/// `1 / √(variance + ε)`, computed in f64.
fn inverse_root(variance: f32, eps: f64) -> f32 {
    (1.0 / (f64::from(variance) + eps).sqrt()) as f32
}

/// A program with its weights packed, for pictures of one size.
#[derive(Debug)]
pub struct Packed {
    program: Program,
    pub(super) sized: Vec<Sized>,
    /// One a convolution, with its bias.
    weights: Vec<Option<(ForwardWeights, Vec<f32>)>>,
    input: Size,
    /// For each step whether its output is made within the next one.
    pub(super) within_next: Vec<bool>,
    /// For each step the registers that it reads.
    reads: Vec<Vec<usize>>,
    last_use: Vec<usize>,
    /// For each register the activation that its only reader takes its gradient through; where there are several, none, and
    /// the step that wrote it does.
    pub(super) before: Vec<Activation>,
    pub(super) segments: Vec<Segment>,
    memory: Memory,
}

/// Steps that so many pictures go through together: few where a picture is large, so that it stays in the cache from one step to
/// the next; many where the weights are what is large, so that they are read less often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) steps: Range<usize>,
    pub(super) pictures: usize,
}

/// The most pictures that go through all steps together. Neither their number nor a segment's depends on the threads, and no
/// picture's numbers depend on its neighbours.
pub(super) const GROUP: usize = 16;

/// What the pictures of a chunk take at the widest step of its segment, in numbers, about.
pub const CHUNK: usize = 1 << 19;

/// How many times more numbers the pictures of a chunk take than the weights of a step, about.
const PER_WEIGHT: usize = 8;

/// What a group of pictures left on its way through a segment.
#[derive(Debug)]
pub(super) struct Passed {
    /// The segment's output; the last segment's is elsewhere.
    pub(super) output: Option<Buffer>,
    /// Chunk by chunk.
    pub(super) chunks: Vec<Left>,
}

/// What a chunk's steps left, step by step.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// The outputs; the last one's is elsewhere. One that only a max pooling reads is gone: its gradient is known without.
    pub(super) registers: Vec<Option<Buffer>>,
    /// Where a max pooling found its maxima.
    pub(super) places: Vec<Option<Buffer>>,
}

impl Packed {
    /// Packs folded weights, one a convolution. All memory comes from `memory`.
    pub(super) fn new(program: &Program, folded: &[Option<Folded>], input: Size, memory: &Memory) -> Result<Self> {
        let sized = program.sized(input);
        let mut weights = Vec::with_capacity(sized.len());
        for (folded, sized) in folded.iter().zip(&sized) {
            weights.push(match (folded, sized) {
                (Some(folded), Sized::Conv(conv)) => {
                    let pack = |weight: &[f32]| ForwardWeights::pack(conv, weight, folded.scale(), memory);
                    Some((with_values(&folded.weight, pack)?, folded.bias.clone()))
                }
                _ => None,
            });
        }
        let within_next = program.within_next(&sized);
        let reads = program.reads(&within_next);
        Ok(Self {
            weights,
            input,
            last_use: last_use(&reads),
            before: program.activations_of_one_reader(),
            segments: segments(program, &program.sizes(input), &reads),
            within_next,
            reads,
            memory: memory.clone(),
            program: program.clone(),
            sized,
        })
    }

    /// Reads, folds and packs the weights as they are now, which lie in `params` under `prefix`.
    pub fn read(program: &Program, params: &Params, prefix: &str, input: Size) -> Result<Self> {
        let folded = program.steps.iter().map(|step| match step {
            Step::Conv(step) => step.folded(params, prefix).map(Some),
            Step::MaxPool { .. } | Step::AveragePool { .. } => Ok(None),
        });
        Self::new(program, &folded.collect::<Result<Vec<_>>>()?, input, &Memory::default())
    }

    /// Size of a picture's output.
    pub fn output(&self) -> Size {
        self.size(self.sized.len())
    }

    /// Runs pictures `[B, h, w, c]` through all steps.
    ///
    /// # Panics
    /// Where `x` is not a whole number of pictures.
    pub fn run(&self, x: &[f32]) -> Vec<f32> {
        self.run_groups(x, false).0
    }

    /// The same, and what each group of pictures left on its way, segment by segment.
    pub(super) fn run_keeping(&self, x: &[f32]) -> (Vec<f32>, Vec<Vec<Passed>>) {
        self.run_groups(x, true)
    }

    fn run_groups(&self, x: &[f32], keep: bool) -> (Vec<f32>, Vec<Vec<Passed>>) {
        assert_eq!(x.len() % self.input.len(), 0, "whole pictures");
        if self.segments.is_empty() {
            return (x.to_vec(), Vec::new());
        }
        let (from, to) = (GROUP * self.input.len(), GROUP * self.output().len());
        let mut y = vec![0.0; x.len() / self.input.len() * self.output().len()];
        let groups = x.par_chunks(from).zip(y.par_chunks_mut(to));
        let passed = groups.map(|(x, y)| self.run_group(x, keep, y)).collect();
        (y, passed)
    }

    /// Takes a group of pictures through one segment after the other.
    fn run_group(&self, x: &[f32], keep: bool, y: &mut [f32]) -> Vec<Passed> {
        let pictures = x.len() / self.input.len();
        let mut passed: Vec<Passed> = Vec::with_capacity(self.segments.len());
        for (index, segment) in self.segments.iter().enumerate() {
            let (from, to) = (self.size(segment.steps.start).len(), self.size(segment.steps.end).len());
            let is_last = index + 1 == self.segments.len();
            let mut own = (!is_last).then(|| self.memory.buffer(pictures * to));
            let input = passed.last().and_then(|passed| passed.output.as_deref()).unwrap_or(x);
            let output = own.as_deref_mut().unwrap_or(&mut *y);
            let chunks = input.par_chunks(segment.pictures * from).zip(output.par_chunks_mut(segment.pictures * to));
            let chunks = chunks.map(|(x, y)| self.run_chunk(&segment.steps, x, keep, y)).collect();
            if !keep {
                passed.clear();
            }
            passed.push(Passed { output: own, chunks });
        }
        passed
    }

    /// Takes a few pictures through a segment's steps.
    fn run_chunk(&self, steps: &Range<usize>, x: &[f32], keep: bool, y: &mut [f32]) -> Left {
        let first = steps.start;
        let pictures = x.len() / self.size(first).len();
        let Left { mut registers, mut places } = Left::default();
        for index in steps.clone() {
            if self.within_next[index] {
                registers.push(None);
                places.push(None);
                continue;
            }
            let step = &self.program.steps[index];
            let is_last = index + 1 == steps.end;
            let mut own = (!is_last).then(|| self.memory.buffer(pictures * self.size(index + 1).len()));
            let out = own.as_deref_mut().unwrap_or(&mut *y);
            let mut maxima = None;
            let read = |register: usize| read(x, &registers, register - first);
            match (step, &self.sized[index], &self.weights[index]) {
                (Step::Conv(step), _, Some(_)) if step.input > first && self.within_next[step.input - 1] => {
                    let pair = [step.input - 1, index].map(|index| self.layer(index));
                    let residual = step.residual.map(read);
                    pair::forward(pair, read(self.reads[index][0]), residual, &self.memory, out);
                }
                (Step::Conv(step), _, Some((weights, bias))) => {
                    let residual = step.residual.map(read);
                    conv::forward(weights, read(step.input), bias, residual, step.act, &self.memory, out);
                }
                (_, Sized::MaxPool(pool), _) => {
                    maxima = keep.then(|| self.memory.buffer(out.len()));
                    pool::max_pool_forward(pool, read(step.input()), out, maxima.as_deref_mut());
                }
                (_, Sized::AveragePool(size), _) => {
                    pool::average_pool_forward(size.h * size.w, size.c, read(step.input()), out);
                }
                _ => unreachable!("a convolution has weights"),
            }
            registers.push(own);
            places.push(maxima);
            for &register in &self.reads[index] {
                let pooled = matches!(step, Step::MaxPool { .. }) && self.before[register] != Activation::None;
                if (!keep || pooled) && register > first && self.last_use[register] == index {
                    registers[register - first - 1] = None;
                }
            }
        }
        if keep { Left { registers, places } } else { Left::default() }
    }

    /// The convolution of a step.
    pub(super) fn layer(&self, index: usize) -> Layer<'_> {
        match (&self.program.steps[index], &self.weights[index]) {
            (Step::Conv(step), Some((weights, bias))) => Layer { weights, bias, act: step.act },
            _ => unreachable!("a convolution has weights"),
        }
    }

    /// Size of a register.
    pub(super) fn size(&self, register: usize) -> Size {
        if register == 0 { self.input } else { self.sized[register - 1].output() }
    }
}

/// A register; the first is the input.
pub(super) fn read<'a>(x: &'a [f32], registers: &'a [Option<Buffer>], register: usize) -> &'a [f32] {
    match register {
        0 => x,
        register => registers[register - 1].as_deref().unwrap_or_else(|| unreachable!("freed after its last use")),
    }
}

/// Divides a program into segments, at places where nothing older is read later.
fn segments(program: &Program, sizes: &[Size], reads: &[Vec<usize>]) -> Vec<Segment> {
    let last_use = last_use(reads);
    let mut segments: Vec<Segment> = Vec::new();
    let (mut start, mut widest, mut chunk) = (0, 0, CHUNK);
    for (index, step) in program.steps.iter().enumerate() {
        // What is made within the next step is never there as a whole.
        let output = (!reads[index].is_empty()).then_some(index + 1);
        let registers = reads[index].iter().copied().chain(output);
        widest = widest.max(registers.map(|register| sizes[register].len()).sum());
        if let Step::Conv(step) = step {
            chunk = chunk.max(PER_WEIGHT * step.weight_shape().iter().product::<usize>());
        }
        let end = index + 1;
        if end < program.steps.len() && (0..end).any(|register| last_use[register] >= end) {
            continue;
        }
        // A power of two divides a group evenly.
        let pictures = 1 << (chunk / widest).clamp(1, GROUP).ilog2();
        match segments.last_mut() {
            Some(last) if last.pictures == pictures => last.steps.end = end,
            _ => segments.push(Segment { steps: start..end, pictures }),
        }
        (start, widest, chunk) = (end, 0, CHUNK);
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks with a residual each: the input of a block lives until its end.
    fn program() -> Program {
        let conv = |input: usize, residual: Option<usize>, name: &str| ConvStep {
            input,
            residual,
            name: name.into(),
            norm: None,
            in_c: 3,
            out_c: 3,
            kernel: 3,
            stride: 1,
            pad: Pad::Even(1),
            depthwise: false,
            act: Activation::Relu,
        };
        let mut program = Program::default();
        program.conv(conv(0, None, "a"));
        program.conv(conv(1, None, "b"));
        program.conv(conv(2, Some(1), "c"));
        program.conv(conv(3, None, "d"));
        program.conv(conv(4, Some(3), "e"));
        program
    }

    #[test]
    fn segments_end_where_nothing_older_is_read_later_and_large_pictures_go_alone() {
        let program = program();
        let segments = |program: &Program, side: usize| {
            let size = Size { h: side, w: side, c: 3 };
            segments(program, &program.sizes(size), &program.reads(&program.within_next(&program.sized(size))))
        };
        assert_eq!(segments(&program, 5), [Segment { steps: 0..5, pictures: GROUP }]);
        // A register takes 3 · 140² = 58,800 numbers; the first step needs two of them, the others up to three.
        let expected = [Segment { steps: 0..1, pictures: 4 }, Segment { steps: 1..5, pictures: 2 }];
        assert_eq!(segments(&program, 140), expected);
        let mut program = program.clone();
        let x = program.max_pool(5, 100, 100, 0);
        let conv = program.steps[4].clone();
        let Step::Conv(conv) = conv else { unreachable!() };
        program.conv(ConvStep { input: x, residual: None, ..conv });
        let expected = [Segment { steps: 0..6, pictures: 1 }, Segment { steps: 6..7, pictures: GROUP }];
        assert_eq!(segments(&program, 1000), expected);
    }

    #[test]
    fn running_again_gives_the_same_bytes() {
        let program = program();
        let mut params = Params::default();
        for (_, step) in program.convs(0, 5) {
            for (name, shape) in step.tensors() {
                let count: usize = shape.iter().product();
                let values = (0..count).map(|i| ((i * 37 + name.len()) % 11) as f32 / 11.0 - 0.4).collect();
                params.insert(name, values, &shape, &candle_core::Device::Cpu).unwrap();
            }
        }
        let size = Size { h: 5, w: 5, c: 3 };
        let packed = Packed::read(&program, &params, "", size).unwrap();
        let pictures = |count: usize| -> Vec<f32> { (0..count * size.len()).map(|i| (i % 13) as f32 - 6.0).collect() };
        let many = packed.run(&pictures(11));
        // Fewer pictures afterwards, in memory that others have used.
        assert_eq!(packed.run(&pictures(2)), many[..2 * size.len()]);
        assert_eq!(packed.run(&pictures(11)), many);
    }
}
