//! The frame of our own operations on the CPU: one node in Candle's graph each, with a backward of its own.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor, Var};

use crate::base::error::Result;

/// An operation on one tensor. Where it has parameters, it leaves their gradients in the workspace.
pub(super) trait Operation: Send + Sync {
    /// Its name in errors.
    const NAME: &'static str;

    /// The output and its shape, for contiguous `x` of shape `dims`.
    fn forward(&self, x: &[f32], dims: &[usize]) -> candle_core::Result<(Vec<f32>, Shape)>;

    /// The gradient of the input, where it is wanted. `y` is what [`Operation::forward`] gave.
    fn backward(&self, x: &[f32], dims: &[usize], y: &[f32], dy: &[f32]) -> candle_core::Result<Option<Vec<f32>>>;
}

/// Runs `operation` on `x`. With `trains`, its backward is called though `x` itself asks for no gradient.
pub(super) fn apply(x: &Tensor, operation: impl Operation + 'static, trains: bool) -> Result<Tensor> {
    // Candle calls an operation's backward only where an argument of it is to get a gradient; this one nobody reads.
    let anchor = Tensor::zeros(1, x.dtype(), x.device())?;
    let anchor = if trains { Var::from_tensor(&anchor)?.as_tensor().clone() } else { anchor };
    Ok(x.contiguous()?.apply_op2(&anchor, Node(operation))?)
}

struct Node<O>(O);

impl<O: Operation> CustomOp2 for Node<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (y, shape) = self.0.forward(slice(x, layout)?, layout.dims())?;
        Ok((CpuStorage::F32(y), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        _: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let dx = with_values(x, |values| {
            with_values(y, |y| with_values(&dy, |dy| self.0.backward(values, x.dims(), y, dy)))
        })????;
        Ok((dx.map(|dx| Tensor::from_vec(dx, x.shape(), x.device())).transpose()?, None))
    }
}

/// Calls `f` with a tensor's numbers, where they lie.
pub(crate) fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> candle_core::Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(values) => Ok(f(slice(values, layout)?)),
        _ => candle_core::bail!("a CPU operation met a tensor on another device"),
    }
}

/// A tensor's numbers, which must lie in one run.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("an operation wants contiguous tensors"),
    }
}
