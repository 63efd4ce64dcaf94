//! A dense layer on our kernels.

use candle_core::{Shape, Tensor, Var};

use super::operation::{Operation, apply, with_values};
use super::workspace::Workspace;
use crate::base::error::Result;
use crate::kernels::linear;

/// `x Wᵀ + b` for `x` `[B, I]`, with a graph: `weight` is `[O, I]`, `bias` is `[O]`. On the CPU.
///
/// The gradients of weight and bias are left in the workspace, as those of a stage are.
pub fn linear(x: &Tensor, weight: &Var, bias: &Var, workspace: &Workspace) -> Result<Tensor> {
    let [weight, bias] = [weight, bias].map(|var| var.as_tensor().clone());
    apply(x, Linear { weight, bias, workspace: workspace.clone() }, true)
}

struct Linear {
    weight: Tensor,
    bias: Tensor,
    workspace: Workspace,
}

impl Operation for Linear {
    const NAME: &'static str = "linear";

    fn forward(&self, x: &[f32], dims: &[usize]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (&[batch, inputs], outputs) = (dims, self.bias.dim(0)?) else {
            candle_core::bail!("a dense layer takes [B, I]; got {dims:?}")
        };
        let mut y = vec![0.0; batch * outputs];
        with_values(&self.weight, |weight| {
            with_values(&self.bias, |bias| linear::forward(inputs, x, weight, bias, &mut y))
        })??;
        Ok((y, Shape::from((batch, outputs))))
    }

    fn backward(&self, x: &[f32], dims: &[usize], _: &[f32], dy: &[f32]) -> candle_core::Result<Option<Vec<f32>>> {
        let inputs = dims[1];
        let [mut dw, mut db] =
            [&self.weight, &self.bias].map(|tensor| self.workspace.memory.buffer(tensor.elem_count()));
        linear::backward_weight(inputs, x, dy, &mut dw, &mut db);
        let mut dx = vec![0.0; x.len()];
        with_values(&self.weight, |weight| linear::backward_input(inputs, dy, weight, &mut dx))?;
        self.workspace.leave(&self.weight, dw);
        self.workspace.leave(&self.bias, db);
        Ok(Some(dx))
    }
}
