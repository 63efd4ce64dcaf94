//! A convolutional network as a straight line of fused steps.
//!
//! Architectures are written once, as a [`Program`]; three readers run it: inference on the CPU (here), training on the CPU
//! and both on Candle's own operations (in [`stage`](super::stage)).

use std::sync::Mutex;

use rayon::prelude::*;

use super::Params;
use crate::error::Result;
use crate::kernels::conv::{self, Packed};
use crate::kernels::{Activation, Conv, MaxPool, Padding, layout, pool};

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
}

impl Sized {
    pub(super) fn output(&self) -> Size {
        match self {
            Self::Conv(conv) => Size { h: conv.out_h(), w: conv.out_w(), c: conv.out_c },
            Self::MaxPool(pool) => Size { h: pool.out_h(), w: pool.out_w(), c: pool.channels },
        }
    }
}

impl Step {
    pub(super) fn input(&self) -> usize {
        match self {
            Self::Conv(step) => step.input,
            Self::MaxPool { input, .. } => *input,
        }
    }

    pub(super) fn residual(&self) -> Option<usize> {
        match self {
            Self::Conv(step) => step.residual,
            Self::MaxPool { .. } => None,
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

    /// The convolutions among the steps `from..to`, with their positions.
    pub fn convs(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, &ConvStep)> {
        let steps = self.steps.iter().enumerate().take(to).skip(from);
        steps.filter_map(|(index, step)| match step {
            Step::Conv(step) => Some((index, step)),
            Step::MaxPool { .. } => None,
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

    /// For each register, the last step that reads it.
    fn last_use(&self) -> Vec<usize> {
        let mut last = vec![0; self.steps.len() + 1];
        for (index, step) in self.steps.iter().enumerate() {
            last[step.input()] = index;
            if let Some(residual) = step.residual() {
                last[residual] = index;
            }
        }
        last
    }
}

/// A convolution's weights with its batch norm folded in: `w·γ/√(σ²+ε)` in OHWI order, `β − μ·γ/√(σ²+ε)`.
#[derive(Clone, Debug)]
pub(super) struct Folded {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// Folds a batch norm's scale, by output channel, into weights in OIHW order; gives them in OHWI order.
pub(super) fn fold(step: &ConvStep, weight: &[f32], scale: Option<&[f32]>) -> Vec<f32> {
    let [o, i, k, _] = step.weight_shape();
    let mut folded = layout::oihw_to_ohwi([o, i, k, k], weight);
    if let Some(scale) = scale {
        folded.par_chunks_mut(i * k * k).zip(scale).for_each(|(row, scale)| row.iter_mut().for_each(|w| *w *= scale));
    }
    folded
}

impl ConvStep {
    /// Reads and folds its tensors, which lie in `params` under `prefix`.
    pub(super) fn folded(&self, params: &Params, prefix: &str) -> Result<Folded> {
        let values = |name: String| -> Result<Vec<f32>> {
            Ok(params.get(&format!("{prefix}{name}"))?.var.flatten_all()?.to_vec1::<f32>()?)
        };
        let weight = values(format!("{}.weight", self.name))?;
        let Some(Norm { name, eps }) = &self.norm else {
            return Ok(Folded { weight: fold(self, &weight, None), bias: values(format!("{}.bias", self.name))? });
        };
        let (gamma, beta) = (values(format!("{name}.weight"))?, values(format!("{name}.bias"))?);
        let (mean, var) = (values(format!("{name}.running_mean"))?, values(format!("{name}.running_var"))?);
        let scale: Vec<f32> = gamma.iter().zip(&var).map(|(g, v)| g * inverse_root(*v, *eps)).collect();
        let bias = beta.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Ok(Folded { weight: fold(self, &weight, Some(&scale)), bias })
    }
}

/// `1 / √(variance + ε)`, computed in f64.
pub(super) fn inverse_root(variance: f32, eps: f64) -> f32 {
    (1.0 / (f64::from(variance) + eps).sqrt()) as f32
}

/// A program with frozen weights, packed for pictures of one size.
#[derive(Debug)]
pub struct Frozen {
    program: Program,
    sized: Vec<Sized>,
    /// One a convolution.
    packed: Vec<Option<(Packed, Vec<f32>)>>,
    input: Size,
    output: Size,
    plan: Plan,
    /// Memory for the registers of chunks that were run before, to be used again: fresh memory costs as much as computing.
    scratch: Mutex<Vec<Slots>>,
}

/// Memory for registers, by slot.
type Slots = Vec<Vec<f32>>;

/// Pictures that go through all steps together. Their number does not depend on the threads, and no picture's numbers depend
/// on its neighbours.
const CHUNK: usize = 4;

impl Frozen {
    /// Folds and packs the program's weights.
    pub fn new(program: &Program, params: &Params, prefix: &str, input: Size) -> Result<Self> {
        let sized = program.sized(input);
        let mut packed = Vec::with_capacity(sized.len());
        for (step, sized) in program.steps.iter().zip(&sized) {
            packed.push(match (step, sized) {
                (Step::Conv(step), Sized::Conv(conv)) => {
                    let folded = step.folded(params, prefix)?;
                    Some((Packed::new(conv, &folded.weight), folded.bias))
                }
                _ => None,
            });
        }
        let output = sized.last().map_or(input, Sized::output);
        let plan = Plan::new(program, &sized);
        Ok(Self { program: program.clone(), sized, packed, input, output, plan, scratch: Mutex::default() })
    }

    /// Size of a picture's output.
    pub fn output(&self) -> Size {
        self.output
    }

    /// Runs pictures `[B, h, w, c]` through all steps.
    ///
    /// # Panics
    /// Where `x` is not a whole number of pictures.
    pub fn run(&self, x: &[f32]) -> Vec<f32> {
        assert_eq!(x.len() % self.input.len(), 0, "whole pictures");
        if self.program.steps.is_empty() {
            return x.to_vec();
        }
        let pictures = x.len() / self.input.len();
        let mut y = vec![0.0; pictures * self.output.len()];
        x.par_chunks(CHUNK * self.input.len()).zip(y.par_chunks_mut(CHUNK * self.output.len())).for_each(|(x, y)| {
            let kept = self.scratch.lock().ok().and_then(|mut scratch| scratch.pop());
            let mut slots = kept.unwrap_or_else(|| vec![Vec::new(); self.plan.slots]);
            self.run_chunk(x, &mut slots, y);
            if let Ok(mut scratch) = self.scratch.lock() {
                scratch.push(slots);
            }
        });
        y
    }

    fn run_chunk(&self, x: &[f32], slots: &mut Slots, y: &mut [f32]) {
        let pictures = x.len() / self.input.len();
        for (index, (step, sized)) in self.program.steps.iter().zip(&self.sized).enumerate() {
            let is_last = index + 1 == self.program.steps.len();
            let slot = self.plan.slot[index];
            let len = pictures * sized.output().len();
            let mut own = std::mem::take(&mut slots[slot]);
            if own.len() < len && !is_last {
                own.resize(len, 0.0);
            }
            let read = |register: usize| match register {
                0 => x,
                register => &slots[self.plan.slot[register - 1]][..pictures * self.sized[register - 1].output().len()],
            };
            let out = if is_last { &mut *y } else { &mut own[..len] };
            match (step, sized, &self.packed[index]) {
                (Step::Conv(step), _, Some((packed, bias))) => {
                    conv::forward_packed(packed, read(step.input), bias, step.residual.map(read), step.act, out);
                }
                (_, Sized::MaxPool(pool), _) => pool::max_pool_forward(pool, read(step.input()), out),
                _ => unreachable!("a convolution has weights"),
            }
            slots[slot] = own;
        }
    }
}

/// Which registers share memory: those that are never needed at the same time.
#[derive(Debug)]
struct Plan {
    /// The slot of each step's output.
    slot: Vec<usize>,
    /// How many there are.
    slots: usize,
}

impl Plan {
    fn new(program: &Program, sized: &[Sized]) -> Self {
        let last_use = program.last_use();
        // For each slot: how long it is, and whether a register lives in it.
        let mut slots: Vec<(usize, bool)> = Vec::new();
        let mut slot = Vec::with_capacity(sized.len());
        for (index, step) in sized.iter().enumerate() {
            let len = step.output().len();
            // The free slot that fits best: the shortest that is long enough, else the longest.
            let free = slots.iter().enumerate().filter(|(_, (_, taken))| !taken);
            let best = free.min_by_key(|(_, (own, _))| if *own >= len { (0, *own) } else { (1, usize::MAX - own) });
            let chosen = match best {
                Some((chosen, _)) => chosen,
                None => {
                    slots.push((0, false));
                    slots.len() - 1
                }
            };
            slots[chosen] = (slots[chosen].0.max(len), true);
            slot.push(chosen);
            for register in (1..=index).filter(|register| last_use[*register] == index) {
                slots[slot[register - 1]].1 = false;
            }
        }
        Self { slot, slots: slots.len() }
    }
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
    fn registers_share_memory_only_when_none_is_needed() {
        let program = program();
        let plan = Plan::new(&program, &program.sized(Size { h: 5, w: 5, c: 3 }));
        assert_eq!(plan.slots, 3, "{plan:?}");
        for (index, step) in program.steps.iter().enumerate() {
            for register in std::iter::once(step.input()).chain(step.residual()).filter(|register| *register > 0) {
                // What is read was written last by its own step.
                let writers = plan.slot[..index].iter().rposition(|slot| *slot == plan.slot[register - 1]);
                assert_eq!(writers, Some(register - 1), "step {index} reads register {register}");
                assert_ne!(plan.slot[index], plan.slot[register - 1], "step {index} writes over what it reads");
            }
        }
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
        let frozen = Frozen::new(&program, &params, "", size).unwrap();
        let pictures = |count: usize| -> Vec<f32> { (0..count * size.len()).map(|i| (i % 13) as f32 - 6.0).collect() };
        let many = frozen.run(&pictures(11));
        // Fewer pictures afterwards, in memory that others have used.
        assert_eq!(frozen.run(&pictures(2)), many[..2 * size.len()]);
        assert_eq!(frozen.run(&pictures(11)), many);
    }
}
