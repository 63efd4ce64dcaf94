//! What comes before a cut, and what comes after it, made ready to run without a graph.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::body::Body;
use super::head::Head;
use super::ops::Ops;
use super::zoo::Zoo;
use crate::base::error::Result;
use crate::nn::operation::with_values;
use crate::nn::program::{self, Program, Size};
use crate::nn::stage::Stage;
use crate::nn::{Params, Workspace};

/// What comes before a cut, ready to run.
#[derive(Debug)]
pub struct Frozen<'a> {
    numbers: Numbers<'a>,
    how: How,
    /// Whether it ends with what the head takes.
    flat: bool,
}

#[derive(Debug)]
enum How {
    Fused(program::Packed),
    Composed(Program),
    Zoo(Zoo),
}

/// The numbers of a body, and how it is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers<'a> {
    pub(super) params: &'a Params,
    /// What the names of its tensors begin with there.
    pub(super) prefix: &'static str,
    pub(super) ops: Ops,
    pub(super) workspace: &'a Workspace,
}

impl<'a> Numbers<'a> {
    /// A program whose steps train from `trainable_from` on, over these numbers.
    pub(super) fn stage<'b>(&self, program: &'b Program, trainable_from: usize) -> Stage<'b>
    where
        'a: 'b,
    {
        let Self { params, prefix, workspace, .. } = *self;
        Stage { program, trainable_from, params, prefix, workspace }
    }

    /// Runs such a program; gives `[B, h·w·C]`.
    pub(super) fn flat_stage(
        &self,
        program: &Program,
        trainable_from: usize,
        x: &Tensor,
        input_gradient: bool,
    ) -> Result<Tensor> {
        let stage = self.stage(program, trainable_from);
        match self.ops {
            Ops::Kernels => stage.fused_flat(x, input_gradient),
            Ops::Candle => flat(&stage.composed(x)?),
        }
    }

    /// The steps `from..to` of a body, made ready for inputs of this size; all of one that has no steps.
    pub(super) fn frozen(self, body: &Body, from: usize, to: usize, input: Size) -> Result<Frozen<'a>> {
        let (how, flat) = match body {
            Body::Whole(member) => {
                let mut tensors = BTreeMap::new();
                for name in self.params.shapes(self.prefix).into_keys() {
                    let tensor = self.params.get(&format!("{}{name}", self.prefix))?.var.as_tensor().detach();
                    tensors.insert(name, tensor);
                }
                let device = tensors.values().next().map_or(Device::Cpu, |tensor| tensor.device().clone());
                (How::Zoo(Zoo::new(member.backbone, &tensors, &device)?), false)
            }
            Body::Staged(network) => {
                let program = network.program.range(from, to);
                let how = match self.ops {
                    Ops::Kernels => How::Fused(program::Packed::read(&program, self.params, self.prefix, input)?),
                    Ops::Candle => How::Composed(program),
                };
                (how, to == network.program.steps.len())
            }
        };
        Ok(Frozen { numbers: self, how, flat })
    }
}

impl Frozen<'_> {
    /// Runs images `[B, 3, H, W]` (or activations) without a graph.
    pub fn run(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.detach();
        let y = match &self.how {
            How::Zoo(zoo) => return Ok(zoo.features(&x)?.detach()),
            How::Composed(program) => self.numbers.stage(program, program.steps.len()).composed(&x)?.detach(),
            How::Fused(frozen) => {
                let values = with_values(&x.permute((0, 2, 3, 1))?.contiguous()?, |x| frozen.run(x))?;
                let Size { h, w, c } = frozen.output();
                Tensor::from_vec(values, (x.dim(0)?, h, w, c), x.device())?.permute((0, 3, 1, 2))?
            }
        };
        if self.flat { flat(&y) } else { Ok(y) }
    }
}

/// What comes after a cut, ready to run.
#[derive(Debug)]
pub struct Inference<'a> {
    pub(super) head: Head<'a>,
    /// Gives what the head takes; none where the input already is that.
    pub(super) body: Option<Frozen<'a>>,
}

impl Inference<'_> {
    /// Logits `[B, K]`, without a graph.
    pub fn logits(&self, at_cut: &Tensor) -> Result<Tensor> {
        let at_head = match &self.body {
            Some(body) => body.run(at_cut)?,
            None => at_cut.clone(),
        };
        Ok(self.head.run(&at_head, None)?.detach())
    }

    /// Probabilities of the classes, `[B][K]`.
    pub fn probabilities(&self, at_cut: &Tensor) -> Result<Vec<Vec<f32>>> {
        Ok(candle_nn::ops::softmax(&self.logits(at_cut)?, 1)?.to_vec2()?)
    }
}

/// `[B, C, h, w]` to `[B, h·w·C]`.
fn flat(maps: &Tensor) -> Result<Tensor> {
    Ok(maps.permute((0, 2, 3, 1))?.contiguous()?.flatten_from(1)?)
}
