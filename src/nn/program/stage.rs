//! A program in Candle's graph: as one operation with its own backward, or step by step in Candle's own operations.

use std::sync::Mutex;

use candle_core::{Shape, Tensor};

use super::build::Program;
use super::run::{Runner, Through};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::nn::operation::{Operation, apply};
use crate::nn::steps::{Size, Step};
use crate::nn::{Params, Workspace};

/// What makes the output of a step, from its input, otherwise than the step itself; nothing where it does not.
pub type Instead<'a> = dyn FnMut(&dyn Step, &Tensor) -> Result<Option<Tensor>> + 'a;

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
    pub fn composed(&self, x: &Tensor, dropout: Option<&mut Stream>) -> Result<Tensor> {
        self.composed_by(x, dropout, &mut |_, _| Ok(None))
    }

    /// The same, where a step's output may be made otherwise.
    ///
    /// # Errors
    /// As there; and what `instead` gives.
    pub fn composed_by(&self, x: &Tensor, mut dropout: Option<&mut Stream>, instead: &mut Instead) -> Result<Tensor> {
        let mut registers = vec![x.contiguous()?];
        for (index, node) in self.program.steps.iter().enumerate() {
            let tensors = node.tensors(self.params)?.into_iter();
            let detach = |(tensor, trains): (Tensor, bool)| {
                if trains && index >= self.trainable_from { tensor } else { tensor.detach() }
            };
            let tensors: Vec<Tensor> = tensors.map(detach).collect();
            let (x, residual) = (&registers[node.input], node.residual.map(|register| &registers[register]));
            let y = match instead(&*node.step, x)? {
                Some(y) => y,
                None => node.step.composed(x, residual, &tensors, dropout.as_deref_mut())?,
            };
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

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::kernels::Activation;
    use crate::nn::steps::Conv;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 11) % 101) as f32 / 25.0 - 2.0).collect()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max)
    }

    /// A convolution whose output is added later, an activation that stands alone, and a head, under every activation.
    #[test]
    fn both_ways_agree_under_every_activation() {
        for act in Activation::ALL {
            let conv = |name: &str| Conv { act, ..Conv::new(name, (3, 3), 3, 1) };
            let mut program = Program::default();
            let a = program.conv(0, conv("a"));
            let b = program.add(conv("b"), a, Some(a));
            let c = program.max_pool(b, 2, 2, 0);
            let c = program.activation(c, act);
            let c = program.linear(c, "c", 3 * 2 * 2, 7);
            let c = program.activation(c, act);
            program.linear(c, "d", 7, 2);
            let mut params = Params::default();
            for (index, parameter) in program.parameters(0..program.steps.len()) {
                let values = numbers(parameter.count(), index).iter().map(|value| value / 4.0).collect();
                params.insert(parameter.name, values, &parameter.shape, &Device::Cpu).unwrap();
            }
            let workspace = Workspace::default();
            let stage = Stage { program: &program, trainable_from: 0, params: &params, workspace: &workspace };
            let x = Tensor::from_vec(numbers(18 * 3 * 4 * 4, 5), (18, 3, 4, 4), &Device::Cpu).unwrap();
            let x = Var::from_tensor(&x).unwrap();
            let (fused, composed) = (stage.fused(&x, true, None).unwrap(), stage.composed(&x, None).unwrap());
            assert!(largest_difference(&fused, &composed) < 1e-4, "{act:?}");
            let loss = |y: &Tensor| y.sqr().unwrap().mean_all().unwrap();
            let (own, candle) = (workspace.backward(&loss(&fused)).unwrap(), loss(&composed).backward().unwrap());
            let vars = params.iter().map(|(name, param)| (name, &param.var)).chain([("x", &x)]);
            for (name, var) in vars {
                let off = largest_difference(&own.get(var).unwrap().unwrap(), candle.get(var).unwrap());
                assert!(off < 1e-3, "{name} under {act:?}: {off}");
            }
        }
    }
}
