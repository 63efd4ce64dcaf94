//! How many pictures go through which steps together.

use std::ops::Range;

use super::fuse::Planned;
use crate::kernels::Precision;
use crate::nn::steps::{Grain, Parameter, Size};

/// The most pictures that go through all steps together. Neither their number nor a segment's depends on the threads, and no
/// picture's numbers depend on its neighbours.
const GROUP: usize = 16;

/// What the pictures of a chunk take at the widest step of its segment, in numbers, about.
pub const CHUNK: usize = 1 << 19;

/// How many times more numbers the pictures of a chunk take than the weights of a step, about.
const PER_WEIGHT: usize = 8;

/// Neighbouring steps of one grain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) steps: Range<usize>,
    /// The most pictures that go through it together.
    pub(super) group: usize,
    /// In what it keeps what the way back reads.
    pub(super) keeps: Precision,
    pub(super) segments: Vec<Segment>,
}

/// Steps that so many pictures go through together: few where a picture is large, so that it stays in the cache from one step to
/// the next; many where the weights are what is large, so that they are read less often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) steps: Range<usize>,
    pub(super) pictures: usize,
}

/// Divides steps into sections by their grain, at places where nothing older is read later.
///
/// # Panics
/// Where the grain changes at another place: such a program can't be run.
pub(super) fn sections(steps: &[Planned], sizes: &[Size], last_use: &[usize]) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut start = 0;
    while start < steps.len() {
        let grain = steps[start..].iter().map(|step| step.step.grain()).find(|grain| *grain != Grain::Any);
        let other = |step: &Planned| step.step.grain() != Grain::Any && Some(step.step.grain()) != grain;
        let end = steps[start..].iter().position(other).map_or(steps.len(), |len| start + len);
        assert!(end == steps.len() || is_place_to_cut(last_use, end), "older steps are read across a change of grain");
        let range = start..end;
        sections.push(match grain {
            Some(Grain::Batch) => {
                let all = Segment { steps: range.clone(), pictures: usize::MAX };
                // Numbers of a head: few beside its weights.
                Section { steps: range, group: usize::MAX, keeps: Precision::F32, segments: vec![all] }
            }
            _ => {
                let (segments, keeps) = (segments(range.clone(), steps, sizes, last_use), steps[start].place.precision);
                Section { steps: range, group: GROUP, keeps, segments }
            }
        });
        start = end;
    }
    sections
}

/// Whether steps from `end` on read only what the step before gives.
fn is_place_to_cut(last_use: &[usize], end: usize) -> bool {
    last_use[..end].iter().all(|last| *last < end)
}

/// Divides the steps of a section into segments, at places where nothing older is read later.
fn segments(range: Range<usize>, steps: &[Planned], sizes: &[Size], last_use: &[usize]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let (mut start, mut widest, mut chunk) = (range.start, 0, CHUNK);
    for index in range.clone() {
        let registers = steps[index].reads().chain([index + 1]);
        widest = widest.max(registers.map(|register| sizes[register].len()).sum());
        let weights = steps[index].step.parameters().iter().map(Parameter::count).max();
        chunk = chunk.max(PER_WEIGHT * weights.unwrap_or(0));
        let end = index + 1;
        if end < range.end && !is_place_to_cut(last_use, end) {
            continue;
        }
        // A power of two divides a group evenly.
        let pictures = 1 << (chunk / widest.max(1)).clamp(1, GROUP).ilog2();
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
    use super::super::build::Program;
    use super::super::plan::Plan;
    use super::*;
    use crate::kernels::Activation;
    use crate::nn::steps::Conv;

    fn conv(name: &str) -> Conv {
        Conv { act: Activation::Relu, ..Conv::new(name, (3, 3), 3, 1) }
    }

    /// Two blocks with a residual each: the input of a block lives until its end.
    fn program() -> Program {
        let mut program = Program::default();
        program.add(conv("a"), 0, None);
        program.add(conv("b"), 1, None);
        program.add(conv("c"), 2, Some(1));
        program.add(conv("d"), 3, None);
        program.add(conv("e"), 4, Some(3));
        program
    }

    fn sections(program: &Program, side: usize) -> Vec<Section> {
        Plan::new(program, Size { h: side, w: side, c: 3 }, true).sections
    }

    #[test]
    fn segments_end_where_nothing_older_is_read_later_and_large_pictures_go_alone() {
        let mut program = program();
        assert_eq!(sections(&program, 5)[0].segments, [Segment { steps: 0..5, pictures: GROUP }]);
        // A register takes 3 · 140² = 58,800 numbers; the first step needs two of them, the others up to three.
        let expected = [Segment { steps: 0..1, pictures: 4 }, Segment { steps: 1..5, pictures: 2 }];
        assert_eq!(sections(&program, 140)[0].segments, expected);
        let x = program.max_pool(5, 100, 100, 0);
        program.add(conv("e"), x, None);
        let expected = [Segment { steps: 0..6, pictures: 1 }, Segment { steps: 6..7, pictures: GROUP }];
        assert_eq!(sections(&program, 1000)[0].segments, expected);
    }

    #[test]
    fn sections_are_of_one_grain_and_an_activation_belongs_to_what_is_before_it() {
        let mut program = program();
        let x = program.linear(5, "f", 75, 4);
        let x = program.activation(x, Activation::Relu);
        let x = program.dropout(x, 0.5);
        program.linear(x, "g", 4, 2);
        let sections = sections(&program, 5);
        let steps = sections.iter().map(|section| (section.steps.clone(), section.group));
        assert_eq!(steps.collect::<Vec<_>>(), [(0..5, GROUP), (5..9, usize::MAX)]);
        // Without random numbers there is one step fewer.
        let without = Plan::new(&program, Size { h: 5, w: 5, c: 3 }, false);
        assert_eq!(without.sections[1].steps, 5..8);
        assert_eq!(without.steps[7].input, 7);
    }
}
