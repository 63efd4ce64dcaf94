//! An activation that stands alone, with nothing to be fused into.

use candle_core::Tensor;
use serde_json::json;

use super::step::{Bound, Description, Draws, Grain, Left, Needs, Place, Ready, Site, Size, Step, Sum, Wanted};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{self, Keeps, Memory, add_to, backward_activation, forward_activation};
use crate::nn::onnx::{Graph, Value};

/// An activation, number by number.
///
/// ```
/// use petal::kernels;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::{Params, steps};
///
/// let mut program = Program::default();
/// program.add(steps::Activation(kernels::Activation::Relu6), 0, None);
/// let relu6 = Runner::new(&program, &Params::default(), Size { h: 1, w: 3, c: 1 })?;
/// assert_eq!(relu6.run(&[-1.0, 2.5, 7.0]), [0.0, 2.5, 6.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation(pub kernels::Activation);

impl Step for Activation {
    fn describe(&self) -> Description {
        Description { kind: "activation", settings: json!({ "act": name(self.0) }), parameters: Vec::new() }
    }

    fn output(&self, input: Size) -> Size {
        input
    }

    fn grain(&self) -> Grain {
        Grain::Any
    }

    fn is_there(&self, _: bool) -> bool {
        self.0 != kernels::Activation::None
    }

    fn activation(&self) -> kernels::Activation {
        seen_in_output(self.0)
    }

    fn needs(&self, place: &Place) -> Needs {
        Needs { input: self.0.keeps() == Keeps::Input, output: place.own != kernels::Activation::None, extra: 0 }
    }

    fn ready(&self, place: &Place, _: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        Ok(Box::new(ReadyActivation { act: self.0, own: place.own }))
    }

    fn composed(&self, x: &Tensor, _: Option<&Tensor>, _: &[Tensor], _: Option<&mut Stream>) -> Result<Tensor> {
        composed(x, self.0)
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        // It has no tensors and so no name; what it reads has one.
        onnx(graph, site.input.stem(), self.0, site.input.clone())
    }
}

#[derive(Debug)]
struct ReadyActivation {
    act: kernels::Activation,
    /// What of it is to go back through here.
    own: kernels::Activation,
}

impl Ready for ReadyActivation {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], _: Option<&mut [f32]>, _: &Memory) {
        forward_activation(self.act, x, y);
    }

    fn backward(&self, Left { x, y, .. }: Left, dy: &mut [f32], wanted: Wanted, _: &Memory) {
        if self.act.keeps() == Keeps::Input {
            backward_activation(self.act, x, dy);
        } else if self.own != kernels::Activation::None {
            backward_activation(self.own, y, dy);
        }
        match wanted.input {
            Some(Sum { accumulate: true, to }) => add_to(to, dy),
            Some(Sum { accumulate: false, to }) => to.copy_from_slice(dy),
            None => {}
        }
    }
}

/// The activation, where its gradient can be told from what came out of it.
pub(super) fn seen_in_output(act: kernels::Activation) -> kernels::Activation {
    if act.keeps() == Keeps::Output { act } else { kernels::Activation::None }
}

/// The name that descriptions give an activation.
pub(super) fn name(act: kernels::Activation) -> &'static str {
    match act {
        kernels::Activation::None => "none",
        kernels::Activation::Relu => "relu",
        kernels::Activation::Relu6 => "relu6",
        kernels::Activation::Silu => "silu",
        kernels::Activation::HardSwish => "hard_swish",
        kernels::Activation::Gelu => "gelu",
        kernels::Activation::Sigmoid => "sigmoid",
        kernels::Activation::HardSigmoid => "hard_sigmoid",
    }
}

/// As nodes named after `name`.
pub(super) fn onnx(graph: &mut Graph, name: &str, act: kernels::Activation, x: Value) -> Result<Value> {
    if act == kernels::Activation::None {
        return Ok(x);
    }
    let made = (x.shape.clone(), x.through(&Activation(act), &[])?);
    let name = format!("{name}.{}", self::name(act));
    // What comes between is never rounded, and needs no sample.
    let between = |graph: &mut Graph, op: &str, part: &str, inputs: &[&str]| {
        graph.node(op, &format!("{name}.{part}"), inputs, &[], (x.shape.clone(), None)).name
    };
    Ok(match act {
        kernels::Activation::None => x,
        kernels::Activation::Relu => graph.node("Relu", &name, &[&x.name], &[], made),
        kernels::Activation::Relu6 => {
            let [zero, six] = [0.0, 6.0].map(|number| graph.number(number));
            graph.node("Clip", &name, &[&x.name, &zero, &six], &[], made)
        }
        kernels::Activation::Silu => {
            let sigmoid = between(graph, "Sigmoid", "sigmoid", &[&x.name]);
            graph.node("Mul", &name, &[&x.name, &sigmoid], &[], made)
        }
        kernels::Activation::HardSwish => graph.node("HardSwish", &name, &[&x.name], &[], made),
        kernels::Activation::Sigmoid => graph.node("Sigmoid", &name, &[&x.name], &[], made),
        // `HardSigmoid` takes a factor that would be rounded: min(max(x + 3, 0), 6) / 6.
        kernels::Activation::HardSigmoid => {
            let [zero, three, six] = [0.0, 3.0, 6.0].map(|number| graph.number(number));
            let moved = between(graph, "Add", "moved", &[&x.name, &three]);
            let clipped = between(graph, "Clip", "clipped", &[&moved, &zero, &six]);
            graph.node("Div", &name, &[&clipped, &six], &[], made)
        }
        // `Gelu` is of opset 20: x · (1 + erf(x / √2)) / 2.
        kernels::Activation::Gelu => {
            let [root, one, half] = [std::f32::consts::SQRT_2, 1.0, 0.5].map(|number| graph.number(number));
            let scaled = between(graph, "Div", "scaled", &[&x.name, &root]);
            let erf = between(graph, "Erf", "erf", &[&scaled]);
            let part = between(graph, "Add", "part", &[&erf, &one]);
            let whole = between(graph, "Mul", "whole", &[&x.name, &part]);
            graph.node("Mul", &name, &[&whole, &half], &[], made)
        }
    })
}

/// In Candle's own operations. Candle's own `relu` lets the gradient through at 0, PyTorch's does not; a mask is plain.
pub(super) fn composed(x: &Tensor, act: kernels::Activation) -> Result<Tensor> {
    let above = |limit: f64| -> Result<Tensor> { Ok(x.gt(limit)?.to_dtype(x.dtype())?.detach()) };
    match act {
        kernels::Activation::None => Ok(x.clone()),
        kernels::Activation::Relu => Ok((x * above(0.0)?)?),
        kernels::Activation::Relu6 => {
            let saturated = x.ge(6.0)?.to_dtype(x.dtype())?.detach();
            let between = (above(0.0)? - &saturated)?;
            Ok(((x * between)? + (saturated * 6.0)?)?)
        }
        kernels::Activation::Silu => Ok((x * candle_nn::ops::sigmoid(x)?)?),
        kernels::Activation::HardSwish => Ok((x * composed(x, kernels::Activation::HardSigmoid)?)?),
        kernels::Activation::Gelu => Ok(x.gelu_erf()?),
        kernels::Activation::Sigmoid => Ok(candle_nn::ops::sigmoid(x)?),
        kernels::Activation::HardSigmoid => Ok((composed(&(x + 3.0)?, kernels::Activation::Relu6)? / 6.0)?),
    }
}
