//! A dense layer.

use candle_core::Tensor;
use serde_json::json;

use super::step::{
    Bound, Description, Draws, Grain, Left, Needs, Parameter, Place, Ready, Site, Size, Step, Sums, Wanted,
};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Stream;
use crate::kernels::{Buffer, Memory, add_to, linear};
use crate::nn::onnx::{Attribute, Graph, Value};
use crate::nn::operation::with_values;
use crate::nn::workspace::Workspace;

/// `x Wᵀ + b` for pictures of `inputs` numbers, in the order rows, columns, channels: `[B, h, w, C]` to `[B, 1, 1, outputs]`.
///
/// It takes the batch as a whole: its weights may be the largest thing of a network, and are read once so.
///
/// ```
/// use candle_core::Device;
/// use petal::nn::Params;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::steps::Linear;
///
/// let mut program = Program::default();
/// program.add(Linear { name: "fc".into(), inputs: 3, outputs: 2 }, 0, None);
/// let mut params = Params::default();
/// params.insert("fc.weight", vec![1.0, 0.0, -1.0, 0.5, 0.5, 0.5], &[2, 3], &Device::Cpu)?;
/// params.insert("fc.bias", vec![10.0, 20.0], &[2], &Device::Cpu)?;
/// let linear = Runner::new(&program, &params, Size { h: 1, w: 1, c: 3 })?;
/// assert_eq!(linear.run(&[1.0, 2.0, 3.0]), [8.0, 23.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Prefix of its tensors: `<name>.weight`, `[outputs, inputs]`, and `<name>.bias`, `[outputs]`.
    pub name: String,
    /// Numbers of a picture.
    pub inputs: usize,
    /// Numbers that it makes of them.
    pub outputs: usize,
}

impl Linear {
    fn check(&self, inputs: usize) -> Result<()> {
        if inputs == self.inputs {
            return Ok(());
        }
        let what = format!("{} takes {} numbers a photo; got {inputs}", self.name, self.inputs);
        Err(Error::new(ErrorKind::Tensor, what).mend("use the image size that the model was made for"))
    }
}

impl Step for Linear {
    fn describe(&self) -> Description {
        let settings = json!({ "name": self.name, "inputs": self.inputs, "outputs": self.outputs });
        Description { kind: "linear", settings, parameters: self.parameters() }
    }

    fn parameters(&self) -> Vec<Parameter> {
        let weight = Parameter::new(format!("{}.weight", self.name), &[self.outputs, self.inputs]);
        vec![weight, Parameter::new(format!("{}.bias", self.name), &[self.outputs])]
    }

    fn output(&self, _: Size) -> Size {
        Size { h: 1, w: 1, c: self.outputs }
    }

    fn grain(&self) -> Grain {
        Grain::Batch
    }

    fn needs(&self, _: &Place) -> Needs {
        Needs { input: true, ..Needs::default() }
    }

    fn ready(&self, place: &Place, tensors: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        self.check(place.input.len())?;
        let [weight, bias] = [0, 1].map(|index| tensors[index].tensor.clone());
        // What cannot be read is found here, and not on the way.
        for tensor in [&weight, &bias] {
            with_values(tensor, |_| ())?;
        }
        Ok(Box::new(ReadyLinear { inputs: self.inputs, weight, bias, trains: tensors[0].trains }))
    }

    fn composed(&self, x: &Tensor, _: Option<&Tensor>, tensors: &[Tensor], _: Option<&mut Stream>) -> Result<Tensor> {
        let x = x.permute((0, 2, 3, 1))?.contiguous()?.flatten_from(1)?;
        self.check(x.dim(1)?)?;
        let y = x.matmul(&tensors[0].t()?)?.broadcast_add(&tensors[1])?;
        Ok(y.reshape((x.dim(0)?, self.outputs, 1, 1))?)
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let (x, name) = (site.input, site.name(&self.name));
        let Size { h, w, c } = x.size();
        self.check(x.size().len())?;
        let [weight, bias] = [0, 1].map(|index| &site.tensors[index].tensor);
        // ONNX's maps lie channel by channel, so its weights do.
        let weight = weight.reshape((self.outputs, h, w, c))?.permute((0, 3, 1, 2))?.flatten_all()?.to_vec1::<f32>()?;
        let flat = match x.shape.len() {
            1 => x.name.clone(),
            _ => graph.node("Flatten", &format!("{name}.input"), &[&x.name], &[], (vec![self.inputs], None)).name,
        };
        let [weight, bias] = graph.weights(&name, &[self.outputs, self.inputs], &weight, &bias.to_vec1::<f32>()?, x)?;
        let made = (vec![self.outputs], x.through(self, site.tensors)?);
        Ok(graph.node("Gemm", &name, &[&flat, &weight, &bias], &[("transB", Attribute::Int(1))], made))
    }
}

/// The gradients of the weight and the bias, added to what is there where `accumulate`.
pub(super) fn weight_gradients(
    inputs: usize,
    x: &[f32],
    dy: &[f32],
    accumulate: bool,
    [dw, db]: [&mut Buffer; 2],
    memory: &Memory,
) {
    if !accumulate {
        return linear::backward_weight(inputs, x, dy, dw, db);
    }
    let (mut more_w, mut more_b) = (memory.buffer(dw.len()), memory.buffer(db.len()));
    linear::backward_weight(inputs, x, dy, &mut more_w, &mut more_b);
    add_to(dw, &more_w);
    add_to(db, &more_b);
}

#[derive(Debug)]
struct ReadyLinear {
    inputs: usize,
    weight: Tensor,
    bias: Tensor,
    trains: bool,
}

/// A tensor's numbers, which [`Step::ready`] has read before.
fn read<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> R {
    with_values(tensor, f).unwrap_or_else(|error| unreachable!("read before: {error}"))
}

impl Ready for ReadyLinear {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], _: Option<&mut [f32]>, _: &Memory) {
        read(&self.weight, |weight| read(&self.bias, |bias| linear::forward(self.inputs, x, weight, bias, y)));
    }

    /// Of the weight, and of the bias.
    fn sums(&self) -> Vec<usize> {
        if self.trains { vec![self.weight.elem_count(), self.bias.elem_count()] } else { Vec::new() }
    }

    fn backward(&self, Left { x, .. }: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        if let Some(Sums { accumulate, to: [dw, db] }) = wanted.weights {
            weight_gradients(self.inputs, x, dy, accumulate, [dw, db], memory);
        }
        if let Some(sum) = wanted.input {
            read(&self.weight, |weight| sum.put(memory, |dx| linear::backward_input(self.inputs, dy, weight, dx)));
        }
    }

    fn finish(&self, sums: Vec<Buffer>, workspace: &Workspace) -> Result<()> {
        for (tensor, gradient) in [&self.weight, &self.bias].into_iter().zip(sums) {
            workspace.leave(tensor, gradient);
        }
        Ok(())
    }
}
