//! A dense layer on our kernels: one operation with its own backward.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor, Var};

use super::stage::{slice, with_values};
use super::workspace::Workspace;
use crate::error::Result;
use crate::kernels::linear;

/// `x Wᵀ + b` for `x` `[B, I]`, with a graph: `weight` is `[O, I]`, `bias` is `[O]`. On the CPU.
///
/// The gradients of weight and bias are left in the workspace, as those of a stage are.
pub fn linear(x: &Tensor, weight: &Var, bias: &Var, workspace: &Workspace) -> Result<Tensor> {
    // Candle calls an operation's backward only where an argument of it is to get a gradient.
    let anchor = Var::zeros(1, x.dtype(), x.device())?;
    let [weight, bias] = [weight, bias].map(|var| var.as_tensor().clone());
    Ok(x.contiguous()?.apply_op2(&anchor, Linear { weight, bias, workspace: workspace.clone() })?)
}

struct Linear {
    weight: Tensor,
    bias: Tensor,
    workspace: Workspace,
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let ((batch, inputs), outputs) = (x_layout.shape().dims2()?, self.bias.dim(0)?);
        let x = slice(x, x_layout)?;
        let mut y = vec![0.0; batch * outputs];
        with_values(&self.weight, |weight| {
            with_values(&self.bias, |bias| linear::forward(inputs, x, weight, bias, &mut y))
        })??;
        Ok((CpuStorage::F32(y), Shape::from((batch, outputs))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        _: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let (dy, inputs) = (dy.contiguous()?, x.dim(1)?);
        let (mut dw, mut db) = (vec![0.0; self.weight.elem_count()], vec![0.0; self.bias.elem_count()]);
        let mut dx = vec![0.0; x.elem_count()];
        with_values(&dy, |dy| -> candle_core::Result<()> {
            with_values(x, |x| linear::backward_weight(inputs, x, dy, &mut dw, &mut db))?;
            with_values(&self.weight, |weight| linear::backward_input(inputs, dy, weight, &mut dx))
        })??;
        self.workspace.leave(&self.weight, Tensor::from_vec(dw, self.weight.shape(), x.device())?);
        self.workspace.leave(&self.bias, Tensor::from_vec(db, self.bias.shape(), x.device())?);
        Ok((Some(Tensor::from_vec(dx, x.shape(), x.device())?), None))
    }
}
