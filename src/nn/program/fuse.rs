//! Which steps of a program run: those that do anything, neighbours made one where that is better.

use std::ops::Range;
use std::sync::Arc;

use super::build::Program;
use crate::kernels::Activation;
use crate::nn::steps::{FUSIONS, Fusion, Needs, Place, Size, Step};

/// A step that runs.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) step: Arc<dyn Step>,
    /// The program's steps that it is made of.
    pub(super) made_of: Range<usize>,
    pub(super) input: usize,
    pub(super) residual: Option<usize>,
    pub(super) place: Place,
    pub(super) needs: Needs,
}

impl Planned {
    /// The registers that it reads.
    pub(super) fn reads(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.input).chain(self.residual)
    }
}

/// The steps that do anything, neighbours made one where that is better; and for each register of the program which one of the plan
/// it is, none for what lies within a step.
pub(super) fn fused(program: &Program, input: Size, draws: bool) -> (Vec<Planned>, Vec<Option<usize>>) {
    let sizes = program.sizes(input);
    let mut steps = Vec::with_capacity(program.steps.len());
    let mut registers = vec![Some(0)];
    let register = |registers: &[Option<usize>], of: usize| {
        registers[of].unwrap_or_else(|| unreachable!("what lies within a step has one reader"))
    };
    let place = Place { input, through: Activation::None, own: Activation::None, precision: program.precision };
    let mut index = 0;
    while let Some(node) = program.steps.get(index) {
        if !node.step.is_there(draws) {
            registers.push(registers[node.input]);
            index += 1;
            continue;
        }
        let (mut step, mut residual, mut count) = (node.step.clone(), node.residual, 1);
        // What was made one may be one with the next, too.
        while let Some(next) = program.steps.get(index + count) {
            let last = index + count;
            let follows = next.input == last && residual.is_none() && program.readers(last) == 1;
            let fused = |fuse: &Fusion| fuse(&*step, &*next.step, sizes[node.input]);
            let Some(one) = FUSIONS.iter().filter(|_| follows).find_map(fused) else { break };
            (step, residual, count) = (one, next.residual, count + 1);
        }
        let residual = residual.map(|residual| register(&registers, residual));
        let (input, made_of) = (register(&registers, node.input), index..index + count);
        steps.push(Planned { step, made_of, input, residual, place, needs: Needs::default() });
        registers.resize(registers.len() + count - 1, None);
        registers.push(Some(steps.len()));
        index += count;
    }
    (steps, registers)
}
