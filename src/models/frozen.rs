//! What comes before a cut, and what comes after it, made ready to run without a graph.

use candle_core::Tensor;

use super::ops::Ops;
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::nn::operation::with_values;
use crate::nn::program::{Program, Runner, Size, Stage};
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
    Fused(Runner),
    Composed(Program),
}

/// The numbers of a model, and how it is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers<'a> {
    pub(super) params: &'a Params,
    pub(super) ops: Ops,
    pub(super) workspace: &'a Workspace,
}

impl<'a> Numbers<'a> {
    /// A program whose steps train from `trainable_from` on, over these numbers.
    pub(super) fn stage<'b>(&self, program: &'b Program, trainable_from: usize) -> Stage<'b>
    where
        'a: 'b,
    {
        let Self { params, workspace, .. } = *self;
        Stage { program, trainable_from, params, workspace }
    }

    /// Runs such a program to its end, with a graph; gives logits `[B, K]`.
    pub(super) fn logits(
        &self,
        program: &Program,
        trainable_from: usize,
        x: &Tensor,
        input_gradient: bool,
        dropout: Option<&mut Stream>,
    ) -> Result<Tensor> {
        let (stage, x) = (self.stage(program, trainable_from), maps(x)?);
        let logits = match self.ops {
            Ops::Kernels => stage.fused(&x, input_gradient, dropout)?,
            Ops::Candle => stage.composed(&x, dropout)?,
        };
        Ok(logits.flatten_from(1)?)
    }

    /// Steps made ready for inputs of this size; `flat`: to give `[B, h·w·C]`.
    pub(super) fn frozen(self, program: Program, input: Size, flat: bool) -> Result<Frozen<'a>> {
        let how = match self.ops {
            Ops::Kernels => How::Fused(Runner::new(&program, self.params, input)?),
            Ops::Candle => How::Composed(program),
        };
        Ok(Frozen { numbers: self, how, flat })
    }
}

impl Frozen<'_> {
    /// Runs images `[B, 3, H, W]` (or activations) without a graph.
    pub fn run(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.detach();
        let y = match &self.how {
            How::Composed(program) => {
                self.numbers.stage(program, program.steps.len()).composed(&maps(&x)?, None)?.detach()
            }
            How::Fused(runner) => {
                let x = maps(&x)?.permute((0, 2, 3, 1))?.contiguous()?;
                let values = with_values(&x, |x| runner.run(x))?;
                let Size { h, w, c } = runner.output();
                Tensor::from_vec(values, (x.dim(0)?, h, w, c), x.device())?.permute((0, 3, 1, 2))?
            }
        };
        if self.flat { Ok(y.permute((0, 2, 3, 1))?.contiguous()?.flatten_from(1)?) } else { Ok(y) }
    }
}

/// What comes after a cut, ready to run.
#[derive(Debug)]
pub struct Inference<'a> {
    /// The steps to the end of the head.
    pub(super) steps: Frozen<'a>,
}

impl Inference<'_> {
    /// Logits `[B, K]`, without a graph.
    pub fn logits(&self, at_cut: &Tensor) -> Result<Tensor> {
        self.steps.run(at_cut)
    }

    /// Probabilities of the classes, `[B][K]`.
    pub fn probabilities(&self, at_cut: &Tensor) -> Result<Vec<Vec<f32>>> {
        Ok(candle_nn::ops::softmax(&self.logits(at_cut)?, 1)?.to_vec2()?)
    }
}

/// `[B, C, h, w]`, or `[B, D]` as maps of one pixel.
fn maps(x: &Tensor) -> Result<Tensor> {
    match *x.dims() {
        [pictures, features] => Ok(x.reshape((pictures, features, 1, 1))?),
        _ => Ok(x.clone()),
    }
}
