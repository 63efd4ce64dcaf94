//! The way back: the gradient of a program's output through all steps, to its weights and its input.

use std::ops::Range;

use rayon::prelude::*;

use super::run::{Passed, Runner, Through, Trace};
use super::segments::Section;
use crate::base::error::Result;
use crate::kernels::{Buffer, add_to};
use crate::nn::steps::{Left, Sum, Sums, Wanted};
use crate::nn::workspace::Workspace;

/// Sums of weight gradients so far, step by step.
type Totals = Vec<Option<Vec<Buffer>>>;

/// What is the same for all pictures on the way back.
struct Backward<'a> {
    runner: &'a Runner,
    /// Which registers a gradient is wanted for.
    wanted: Vec<bool>,
}

impl Runner {
    /// Leaves the gradients of the parameters in the workspace; gives that of the input, where it is asked for.
    ///
    /// `left` and `y` are what [`Runner::run_keeping`] gave for `x`; `dy` is the gradient of `y`.
    pub(super) fn backward(
        mut self,
        left: Vec<Through>,
        (x, y, dy): (&[f32], &[f32], &[f32]),
        input_gradient: bool,
        workspace: &Workspace,
    ) -> Result<Option<Vec<f32>>> {
        let wanted = self.wanted(input_gradient);
        for (index, step) in self.steps.iter_mut().enumerate() {
            if wanted[index + 1] {
                step.ready_backward(wanted[self.plan.steps[index].input], &self.memory)?;
            }
        }
        Backward { runner: &self, wanted }.sections(left, (x, y, dy), input_gradient, workspace)
    }

    /// Which registers a gradient is wanted for: those that a trainable step lies before, or the input does.
    fn wanted(&self, input_gradient: bool) -> Vec<bool> {
        let mut wanted = vec![input_gradient];
        for (step, trains) in self.plan.steps.iter().zip(&self.trains) {
            let upstream = step.reads().any(|register| wanted[register]);
            wanted.push(upstream || *trains);
        }
        wanted
    }
}

impl Backward<'_> {
    fn sections(
        &self,
        mut left: Vec<Through>,
        (x, y, dy): (&[f32], &[f32], &[f32]),
        input_gradient: bool,
        workspace: &Workspace,
    ) -> Result<Option<Vec<f32>>> {
        let mut dx = input_gradient.then(|| vec![0.0; x.len()]);
        let (mut gradient, mut output): (Option<Buffer>, Option<Buffer>) = (None, None);
        for section in self.runner.plan.sections.iter().rev() {
            let Some(Through { groups, .. }) = left.pop() else { break };
            let before = left.last_mut().and_then(|through| through.output.take());
            let before = before.map(|kept| kept.open(&self.runner.memory));
            let x = before.as_deref().unwrap_or(x);
            let (y, dy) = (output.as_deref().unwrap_or(y), gradient.as_deref().unwrap_or(dy));
            let start = section.steps.start;
            let mut next = (start > 0 && self.wanted[start]).then(|| self.runner.memory.buffer(x.len()));
            let to = if start == 0 { dx.as_deref_mut() } else { next.as_deref_mut() };
            let sums = self.groups(section, groups, (x, y, dy), to);
            self.leave_gradients(section.steps.start, sums, workspace)?;
            if start > 0 && next.is_none() {
                break;
            }
            (gradient, output) = (next, before);
        }
        Ok(dx)
    }

    /// Takes the groups of a section back; gives their sums of weight gradients.
    fn groups(
        &self,
        section: &Section,
        groups: Vec<Vec<Passed>>,
        (x, y, dy): (&[f32], &[f32], &[f32]),
        dx: Option<&mut [f32]>,
    ) -> Vec<Totals> {
        let sizes = [section.steps.start, section.steps.end].map(|register| self.runner.size(register).len());
        let group = section.group.min(x.len() / sizes[0]).max(1);
        let [from, to] = sizes.map(|size| group * size);
        let mut inputs: Vec<_> = dx.unwrap_or_default().chunks_mut(from).map(Some).collect();
        inputs.resize_with(groups.len(), || None);
        let groups = groups.into_par_iter().zip(inputs);
        let slices = x.par_chunks(from).zip(y.par_chunks(to).zip(dy.par_chunks(to)));
        let sums = groups.zip(slices).map(|((passed, dx), (x, (y, dy)))| {
            let mut sums: Totals = section.steps.clone().map(|_| None).collect();
            self.group(section, passed, (x, y, dy), &mut sums, dx);
            sums
        });
        sums.collect()
    }

    /// Takes the gradient of a group's output back through all segments. The group's own sums of weight gradients grow chunk by
    /// chunk, in order.
    fn group(
        &self,
        section: &Section,
        mut passed: Vec<Passed>,
        (x, y, dy): (&[f32], &[f32], &[f32]),
        sums: &mut Totals,
        dx: Option<&mut [f32]>,
    ) {
        let (mut gradient, mut output): (Option<Buffer>, Option<Buffer>) = (None, None);
        let pictures = x.len() / self.runner.size(section.steps.start).len();
        for segment in section.segments.iter().rev() {
            let Some(Passed { chunks, .. }) = passed.pop() else { break };
            let before = passed.last_mut().and_then(|passed| passed.output.take());
            let before = before.map(|kept| kept.open(&self.runner.memory));
            let (start, end) = (segment.steps.start, segment.steps.end);
            let chunk = segment.pictures.min(pictures);
            let [from, to] = [start, end].map(|register| chunk * self.runner.size(register).len());
            let x = before.as_deref().unwrap_or(x);
            let y = output.as_deref().unwrap_or(y);
            let dy = gradient.as_deref().unwrap_or(dy);
            let mut next = self.wanted[start].then(|| self.runner.memory.buffer(x.len()));
            let sums = &mut sums[start - section.steps.start..][..segment.steps.len()];
            let slices = x.chunks(from).zip(y.chunks(to)).zip(dy.chunks(to));
            for (index, (trace, ((x, y), dy))) in chunks.into_iter().zip(slices).enumerate() {
                let chunk_dx = self.chunk(segment.steps.clone(), trace, (x, y, dy), sums);
                if let (Some(next), Some(chunk_dx)) = (&mut next, chunk_dx) {
                    next[index * from..][..chunk_dx.len()].copy_from_slice(&chunk_dx);
                }
            }
            (gradient, output) = (next, before);
            if gradient.is_none() {
                break;
            }
        }
        if let (Some(dx), Some(gradient)) = (dx, gradient) {
            dx.copy_from_slice(&gradient);
        }
    }

    /// Takes the gradient of a chunk's output back through a segment's steps; gives that of its input, where it is wanted.
    fn chunk(
        &self,
        steps: Range<usize>,
        Trace { registers: mut kept, mut extras }: Trace,
        (x, y, dy): (&[f32], &[f32], &[f32]),
        sums: &mut [Option<Vec<Buffer>>],
    ) -> Option<Buffer> {
        let (memory, first) = (&self.runner.memory, steps.start);
        let mut gradients: Vec<Option<Buffer>> = (0..=steps.len()).map(|_| None).collect();
        let pictures = x.len() / self.runner.size(first).len();
        let mut last = memory.buffer(dy.len());
        last.copy_from_slice(dy);
        gradients[steps.len()] = Some(last);
        // What is open already: its reader needed it.
        let mut registers: Vec<Option<Buffer>> = kept.iter().map(|_| None).collect();
        let mut open = |register: usize, registers: &mut [Option<Buffer>], is_needed: bool| {
            if let Some(kept) = kept[register].take_if(|_| is_needed) {
                registers[register] = Some(kept.open(memory));
            }
        };
        for index in steps.rev() {
            let (step, ready) = (&self.runner.plan.steps[index], &self.runner.steps[index]);
            let extra = extras[index - first].take();
            let gradient = gradients[index + 1 - first].take();
            let Some(mut dy) = gradient.filter(|_| self.wanted[index + 1]) else { continue };
            open(index - first, &mut registers, step.needs.output);
            let (own, input) = (registers[index - first].take(), step.input - first);
            if input > 0 {
                open(input - 1, &mut registers, step.needs.input);
            }
            let left = Left {
                x: input.checked_sub(1).map_or(x, |input| registers[input].as_deref().unwrap_or_default()),
                y: if index + 1 - first == registers.len() { y } else { own.as_deref().unwrap_or_default() },
                extra: extra.as_deref().unwrap_or_default(),
            };
            let lens = ready.sums();
            let weights = (!lens.is_empty()).then(|| {
                let sums = &mut sums[index - first];
                let accumulate = sums.is_some();
                let new = || lens.iter().map(|len| memory.buffer(*len)).collect();
                Sums { accumulate, to: sums.get_or_insert_with(new) }
            });
            let input = self.wanted[step.input].then(|| {
                let accumulate = gradients[input].is_some();
                let new = || memory.buffer(pictures * step.place.input.len());
                Sum { accumulate, to: gradients[input].get_or_insert_with(new) }
            });
            ready.backward(left, &mut dy, Wanted { input, weights }, memory);
            if let Some(residual) = step.residual.filter(|register| self.wanted[*register]) {
                gather(&mut gradients[residual - first], dy);
            }
        }
        gradients[0].take()
    }

    /// Adds the groups' sums, in order, and leaves the gradients of the tensors in the workspace.
    fn leave_gradients(&self, first: usize, groups: Vec<Totals>, workspace: &Workspace) -> Result<()> {
        let mut groups = groups.into_iter();
        let Some(mut totals) = groups.next() else { return Ok(()) };
        for group in groups {
            for (total, sum) in totals.iter_mut().zip(group) {
                if let (Some(total), Some(sum)) = (total, sum) {
                    total.iter_mut().zip(&sum).for_each(|(total, sum)| add_to(total, sum));
                }
            }
        }
        for (index, total) in totals.into_iter().enumerate() {
            if let Some(total) = total {
                self.runner.steps[first + index].finish(total, workspace)?;
            }
        }
        Ok(())
    }
}

/// Adds a gradient to what is there already.
fn gather(sum: &mut Option<Buffer>, gradient: Buffer) {
    match sum {
        Some(sum) => add_to(sum, &gradient),
        none => *none = Some(gradient),
    }
}
