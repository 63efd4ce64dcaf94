//! What is known of a program before it runs on pictures of one size: where gradients go through activations, what is kept for the way
//! back, and how many pictures go together.

use super::build::Program;
use super::fuse::{Planned, fused};
use super::kept::memory_of;
use super::segments::{Section, sections};
use crate::kernels::Activation;
use crate::nn::steps::Size;

/// The steps that really run, for pictures of one size. Its registers are its own: 0 is the input, `i + 1` the output of step `i`.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Planned>,
    /// Size of each register.
    pub(super) sizes: Vec<Size>,
    /// For each register, the last step that reads it.
    pub(super) last_use: Vec<usize>,
    /// For each register whether the way back reads it.
    pub(super) kept: Vec<bool>,
    pub(super) sections: Vec<Section>,
}

impl Plan {
    /// `draws`: whether there are random numbers for steps that want them.
    pub(super) fn new(program: &Program, input: Size, draws: bool) -> Self {
        let mut steps = fused(program, input, draws).0;
        let mut sizes = vec![input];
        for step in &mut steps {
            step.place.input = sizes[step.input];
            sizes.push(step.step.output(step.place.input));
        }
        hand_activations_on(&mut steps);
        for step in &mut steps {
            step.needs = step.step.needs(&step.place);
        }
        let (mut last_use, mut kept) = (vec![0; sizes.len()], vec![false; sizes.len()]);
        for (index, step) in steps.iter().enumerate() {
            step.reads().for_each(|register| last_use[register] = index);
            kept[step.input] |= step.needs.input;
            kept[index + 1] |= step.needs.output;
        }
        let sections = sections(&steps, &sizes, &last_use);
        Self { steps, sizes, last_use, kept, sections }
    }
}

/// Where a register has one reader alone, and that can take the gradient back through the activation that it came out of, it does:
/// it goes over these numbers anyway.
fn hand_activations_on(steps: &mut [Planned]) {
    let mut readers = vec![0; steps.len() + 1];
    steps.iter().flat_map(Planned::reads).for_each(|register| readers[register] += 1);
    for step in &mut *steps {
        step.place.own = step.step.activation();
    }
    for index in 0..steps.len() {
        let input = steps[index].input;
        if input > 0 && readers[input] == 1 && steps[index].step.goes_through_activation() {
            let own = &mut steps[input - 1].place.own;
            steps[index].place.through = std::mem::replace(own, Activation::None);
        }
    }
}

impl Program {
    /// Numbers a picture that training the steps from `from` on keeps of each register from there on: what is read on the way back,
    /// with what a step leaves besides its output; and in any case the first and the last. Two that are kept as bf16 count as one.
    pub fn kept(&self, input: Size, from: usize) -> Vec<usize> {
        let program = self.range(from..self.steps.len());
        let input = self.sizes(input)[from];
        let (plan, registers) = (Plan::new(&program, input, true), fused(&program, input, true).1);
        let last = plan.steps.len();
        let numbers = |register: usize| {
            let extra = register.checked_sub(1).map_or(0, |step| plan.steps[step].needs.extra);
            let (section, len) =
                (plan.sections.iter().find(|section| section.steps.end > register), plan.sizes[register].len());
            let own = match section {
                _ if register == 0 || register == last => len,
                Some(section) if plan.kept[register] => memory_of(len, section.keeps),
                _ => 0,
            };
            own + extra
        };
        registers.into_iter().map(|register| register.map_or(0, numbers)).collect()
    }
}
