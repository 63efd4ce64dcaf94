//! A program in Candle's graph: as one operation with its own backward, or step by step in Candle's own operations.

use std::sync::Mutex;

use candle_core::{Shape, Tensor};

use super::build::Program;
use super::run::{Runner, Through};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::nn::operation::{Operation, apply};
use crate::nn::steps::Size;
use crate::nn::{Params, Workspace};

/// A program whose first steps may be frozen.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    /// The steps.
    pub program: &'a Program,
    /// Steps from this one on train; those before it are frozen.
    pub trainable_from: usize,
    /// The tensors.
    pub params: &'a Params,
    /// Where operations leave their parameters' gradients.
    pub workspace: &'a Workspace,
}

impl Stage<'_> {
    /// The program's output `[B, C', h', w']` for an input `[B, C, h, w]`, with a graph, by our kernels: one operation.
    /// The input gets a gradient only where `input_gradient`. Dropout is there only with a stream to draw from.
    ///
    /// # Errors
    /// As [`Runner::new`].
    pub fn fused(&self, x: &Tensor, input_gradient: bool, dropout: Option<&mut Stream>) -> Result<Tensor> {
        let (pictures, c, h, w) = x.dims4()?;
        let (Self { program, params, workspace, trainable_from }, size) = (self, Size { h, w, c });
        let draws = dropout.map(|stream| (stream, pictures));
        let runner = Runner::training(program, *trainable_from, params, size, draws, &workspace.memory)?;
        let (output, trains) = (runner.output(), runner.trains.contains(&true));
        let ready = Mutex::new(Some((runner, Vec::new())));
        let fused = Fused { output, input_gradient, workspace: (*workspace).clone(), ready };
        Ok(apply(&x.permute((0, 2, 3, 1))?, fused, trains)?.permute((0, 3, 1, 2))?)
    }

    /// As [`Stage::fused`] in Candle's own operations, on any device.
    ///
    /// # Errors
    /// As there.
    pub fn composed(&self, x: &Tensor, mut dropout: Option<&mut Stream>) -> Result<Tensor> {
        let mut registers = vec![x.contiguous()?];
        for (index, node) in self.program.steps.iter().enumerate() {
            let tensors = node.tensors(self.params)?.into_iter();
            let detach = |(tensor, trains): (Tensor, bool)| {
                if trains && index >= self.trainable_from { tensor } else { tensor.detach() }
            };
            let tensors: Vec<Tensor> = tensors.map(detach).collect();
            let residual = node.residual.map(|register| &registers[register]);
            let y = node.step.composed(&registers[node.input], residual, &tensors, dropout.as_deref_mut())?;
            registers.push(y);
        }
        Ok(registers.swap_remove(self.program.steps.len()))
    }
}

/// The whole program as one operation: Candle's graph then holds one node, and activations are freed as backward passes them.
/// The parameters' gradients are left in the workspace.
struct Fused {
    /// Size of a picture's output.
    output: Size,
    input_gradient: bool,
    workspace: Workspace,
    /// The program, with what forward keeps for backward; none once that has run.
    ready: Mutex<Option<(Runner, Vec<Through>)>>,
}

impl Operation for Fused {
    const NAME: &'static str = "stage";

    fn forward(&self, x: &[f32], dims: &[usize]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let Ok(mut ready) = self.ready.lock() else { candle_core::bail!("a stage has failed before") };
        let Some((runner, left)) = ready.as_mut() else { candle_core::bail!("a stage runs forward, then back") };
        let y;
        (y, *left) = runner.run_keeping(x);
        let Size { h, w, c } = self.output;
        Ok((y, Shape::from((dims[0], h, w, c))))
    }

    /// Leaves the gradients of the parameters; gives that of the input, where asked for.
    fn backward(&self, x: &[f32], _: &[usize], y: &[f32], dy: &[f32]) -> candle_core::Result<Option<Vec<f32>>> {
        let ready = self.ready.lock().ok().and_then(|mut ready| ready.take());
        let Some((runner, left)) = ready else { candle_core::bail!("a stage's backward runs once a forward") };
        let back = runner.backward(left, (x, y, dy), self.input_gradient, &self.workspace);
        back.map_err(candle_core::Error::wrap)
    }
}
