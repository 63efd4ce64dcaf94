//! The way forward: pictures through all steps of a program.

use candle_core::Tensor;
use rayon::prelude::*;

use super::build::Program;
use super::fuse::Planned;
use super::kept::Kept;
use super::plan::Plan;
use super::segments::{Section, Segment};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{Buffer, Memory, Precision};
use crate::nn::Params;
use crate::nn::steps::{Bound, Draws, Ready, Size};

/// A program with its weights as they were when it was made, ready to run on pictures of one size.
#[derive(Debug)]
pub struct Runner {
    pub(super) plan: Plan,
    /// One for each step of the plan.
    pub(super) steps: Vec<Box<dyn Ready>>,
    /// For each step of the plan whether anything of it trains.
    pub(super) trains: Vec<bool>,
    pub(super) memory: Memory,
}

/// What the pictures left on their way through a section.
#[derive(Debug)]
pub(super) struct Through {
    /// The section's output; the last section's is elsewhere.
    pub(super) output: Option<Kept>,
    /// Group by group, segment by segment.
    pub(super) groups: Vec<Vec<Passed>>,
}

/// What a group of pictures left on its way through a segment.
#[derive(Debug)]
pub(super) struct Passed {
    /// The segment's output; the last segment's is elsewhere.
    pub(super) output: Option<Kept>,
    /// Chunk by chunk.
    pub(super) chunks: Vec<Trace>,
}

/// What a chunk's steps left, step by step.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// The outputs that the way back reads; the last one's is elsewhere.
    pub(super) registers: Vec<Option<Kept>>,
    /// What they left besides.
    pub(super) extras: Vec<Option<Buffer>>,
}

impl Runner {
    /// Makes a program ready for inference, without random numbers. `params` holds its tensors.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`](crate::ErrorKind::Weights) for a tensor that is missing;
    /// [`ErrorKind::Tensor`](crate::ErrorKind::Tensor) where pictures of this size don't fit the weights.
    pub fn new(program: &Program, params: &Params, input: Size) -> Result<Self> {
        Self::training(program, program.steps.len(), params, input, None, &Memory::default())
    }

    /// The same with steps from `trainable_from` on to get gradients. All memory comes from `memory`.
    pub(super) fn training(
        program: &Program,
        trainable_from: usize,
        params: &Params,
        input: Size,
        mut draws: Option<(&mut Stream, usize)>,
        memory: &Memory,
    ) -> Result<Self> {
        let plan = Plan::new(program, input, draws.is_some());
        let (mut steps, mut trains) = (Vec::with_capacity(plan.steps.len()), Vec::with_capacity(plan.steps.len()));
        for Planned { step, made_of, place, .. } in &plan.steps {
            let mut bounds = Vec::new();
            for index in made_of.clone() {
                let bound =
                    |(tensor, trains): (Tensor, bool)| Bound { tensor, trains: trains && index >= trainable_from };
                bounds.extend(program.steps[index].tensors(params)?.into_iter().map(bound));
            }
            trains.push(bounds.iter().any(|bound| bound.trains));
            let draws = draws.as_mut().map(|(stream, pictures)| Draws { stream, pictures: *pictures });
            steps.push(step.ready(place, &bounds, draws, memory)?);
        }
        Ok(Self { plan, steps, trains, memory: memory.clone() })
    }

    /// Size of a picture's output.
    pub fn output(&self) -> Size {
        self.size(self.steps.len())
    }

    /// Runs pictures `[B, h, w, C]` through all steps.
    ///
    /// # Panics
    /// Where `x` is not a whole number of pictures.
    pub fn run(&self, x: &[f32]) -> Vec<f32> {
        self.run_sections(x, false).0
    }

    /// The same, and what was left on the way, section by section.
    pub(super) fn run_keeping(&self, x: &[f32]) -> (Vec<f32>, Vec<Through>) {
        self.run_sections(x, true)
    }

    fn run_sections(&self, x: &[f32], keep: bool) -> (Vec<f32>, Vec<Through>) {
        let sections = &self.plan.sections;
        assert_eq!(x.len() % self.size(0).len(), 0, "whole pictures");
        if sections.is_empty() {
            return (x.to_vec(), Vec::new());
        }
        let pictures = x.len() / self.size(0).len();
        let mut y = vec![0.0; pictures * self.output().len()];
        let mut left: Vec<Through> = Vec::with_capacity(sections.len());
        let mut before: Option<Buffer> = None;
        for (index, section) in sections.iter().enumerate() {
            let (from, to) = (self.size(section.steps.start).len(), self.size(section.steps.end).len());
            let group = section.group.min(pictures).max(1);
            let mut own = (index + 1 < sections.len()).then(|| self.memory.buffer(pictures * to));
            let input = before.as_deref().unwrap_or(x);
            let output = own.as_deref_mut().unwrap_or(&mut *y);
            let groups = input.par_chunks(group * from).zip(output.par_chunks_mut(group * to));
            let groups = groups.map(|(x, y)| self.run_group(section, x, keep, y)).collect();
            let done = std::mem::replace(&mut before, own);
            if keep {
                if let (Some(through), Some(output)) = (left.last_mut(), done) {
                    through.output = Some(Kept::new(output, section.keeps, &self.memory));
                }
                left.push(Through { output: None, groups });
            }
        }
        (y, left)
    }

    /// Takes a group of pictures through one segment after the other.
    fn run_group(&self, section: &Section, x: &[f32], keep: bool, y: &mut [f32]) -> Vec<Passed> {
        let pictures = x.len() / self.size(section.steps.start).len();
        let mut passed: Vec<Passed> = Vec::with_capacity(section.segments.len());
        let mut before: Option<Buffer> = None;
        for (index, segment) in section.segments.iter().enumerate() {
            let (from, to) = (self.size(segment.steps.start).len(), self.size(segment.steps.end).len());
            let is_last = index + 1 == section.segments.len();
            let mut own = (!is_last).then(|| self.memory.buffer(pictures * to));
            let input = before.as_deref().unwrap_or(x);
            let output = own.as_deref_mut().unwrap_or(&mut *y);
            let chunk = segment.pictures.min(pictures);
            let chunks = input.par_chunks(chunk * from).zip(output.par_chunks_mut(chunk * to));
            let chunks = chunks.map(|(x, y)| self.run_chunk(segment, x, keep.then_some(section.keeps), y)).collect();
            let done = std::mem::replace(&mut before, own);
            if keep {
                if let (Some(passed), Some(output)) = (passed.last_mut(), done) {
                    passed.output = Some(Kept::new(output, section.keeps, &self.memory));
                }
                passed.push(Passed { output: None, chunks });
            }
        }
        passed
    }

    /// Takes a few pictures through a segment's steps. What the way back reads is left in this precision, if in any.
    fn run_chunk(&self, segment: &Segment, x: &[f32], keep: Option<Precision>, y: &mut [f32]) -> Trace {
        let Segment { steps, .. } = segment;
        let first = steps.start;
        let pictures = x.len() / self.size(first).len();
        let mut registers: Vec<Option<Buffer>> = Vec::with_capacity(steps.len());
        let mut left = Trace::default();
        for index in steps.clone() {
            let step = &self.plan.steps[index];
            let is_last = index + 1 == steps.end;
            let mut own = (!is_last).then(|| self.memory.buffer(pictures * self.size(index + 1).len()));
            let out = own.as_deref_mut().unwrap_or(&mut *y);
            let extra = step.needs.extra;
            let mut extra = (keep.is_some() && extra > 0).then(|| self.memory.buffer(pictures * extra));
            let read = |register: usize| read(x, &registers, register - first);
            let residual = step.residual.map(read);
            self.steps[index].forward(read(step.input), residual, out, extra.as_deref_mut(), &self.memory);
            registers.push(own);
            left.registers.push(None);
            left.extras.push(extra);
            for register in step.reads().filter(|register| *register > first && self.plan.last_use[*register] == index)
            {
                // Here and not later: it is in the cache still.
                let done = registers[register - first - 1].take();
                if let (Some(precision), Some(numbers), true) = (keep, done, self.plan.kept[register]) {
                    left.registers[register - first - 1] = Some(Kept::new(numbers, precision, &self.memory));
                }
            }
        }
        left
    }

    /// Size of a register.
    pub(super) fn size(&self, register: usize) -> Size {
        self.plan.sizes[register]
    }
}

/// A register; the first is the input.
fn read<'a>(x: &'a [f32], registers: &'a [Option<Buffer>], register: usize) -> &'a [f32] {
    match register {
        0 => x,
        register => registers[register - 1].as_deref().unwrap_or_else(|| unreachable!("freed after its last use")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Activation;

    #[test]
    fn running_again_gives_the_same_bytes() {
        let mut program = Program::default();
        let x = program.max_pool(0, 2, 1, 0);
        let x = program.linear(x, "a", 4 * 4 * 3, 7);
        let x = program.activation(x, Activation::Relu);
        let x = program.dropout(x, 0.5);
        program.linear(x, "b", 7, 4);
        let mut params = Params::default();
        for (_, parameter) in program.parameters(0..program.steps.len()) {
            let values = (0..parameter.count()).map(|i| ((i * 37 + parameter.name.len()) % 11) as f32 / 11.0 - 0.4);
            let (name, shape) = (parameter.name.clone(), &parameter.shape);
            params.insert(name, values.collect(), shape, &candle_core::Device::Cpu).unwrap();
        }
        let size = Size { h: 5, w: 5, c: 3 };
        let runner = Runner::new(&program, &params, size).unwrap();
        let pictures = |count: usize| -> Vec<f32> { (0..count * size.len()).map(|i| (i % 13) as f32 - 6.0).collect() };
        let many = runner.run(&pictures(21));
        // Fewer pictures afterwards, in memory that others have used.
        assert_eq!(runner.run(&pictures(2)), many[..2 * runner.output().len()]);
        assert_eq!(runner.run(&pictures(21)), many);
    }
}
