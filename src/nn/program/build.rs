//! Writing a program: its steps, and which registers they read.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;
use serde::Serialize;

use crate::base::error::Result;
use crate::kernels::{Activation, Precision};
use crate::nn::Params;
use crate::nn::steps::{self, AveragePool, Conv, Description, Dropout, Linear, MaxPool, Parameter, Size, Step};

/// A network as a straight line of steps.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The steps in order.
    pub steps: Vec<Node>,
    /// In what its convolutions multiply, where the kernels compute it.
    pub precision: Precision,
}

/// A step in a [`Program`], with what it reads. Register 0 is the program's input, register `i + 1` the output of step `i`.
#[derive(Clone, Debug)]
pub struct Node {
    /// What is computed.
    pub step: Arc<dyn Step>,
    /// Register to read.
    pub input: usize,
    /// Register to add.
    pub residual: Option<usize>,
    /// What stands before the names of the step's tensors.
    pub prefix: Arc<str>,
}

impl Node {
    /// The step's tensors, with their names in the network.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter> {
        let named =
            |parameter: Parameter| Parameter { name: format!("{}{}", self.prefix, parameter.name), ..parameter };
        self.step.parameters().into_iter().map(named)
    }

    /// The numbers of its tensors, with whether they may train, in the step's order.
    pub(super) fn tensors(&self, params: &Params) -> Result<Vec<(Tensor, bool)>> {
        let tensor = |parameter: Parameter| -> Result<_> {
            Ok((params.get(&parameter.name)?.var.as_tensor().clone(), parameter.trains))
        };
        self.parameters().map(tensor).collect()
    }
}

/// A step of a program as it says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The step.
    #[serde(flatten)]
    pub step: Description,
    /// Register that it reads.
    pub input: usize,
    /// Register that it adds.
    pub residual: Option<usize>,
    /// Size of a picture of its output.
    pub output: Size,
}

impl Program {
    /// Adds a step that reads the register `input`, and adds `residual` before its activation; gives the register of its output.
    pub fn add(&mut self, step: impl Step, input: usize, residual: Option<usize>) -> usize {
        self.steps.push(Node { step: Arc::new(step), input, residual, prefix: "".into() });
        self.steps.len()
    }

    /// Adds a convolution; gives the register of its output. One that adds a residual: [`Program::add`].
    pub fn conv(&mut self, input: usize, step: Conv) -> usize {
        self.add(step, input, None)
    }

    /// Adds a max pooling; gives the register of its output.
    pub fn max_pool(&mut self, input: usize, kernel: usize, stride: usize, pad: usize) -> usize {
        self.add(MaxPool { kernel, stride, pad }, input, None)
    }

    /// Adds the average over the whole picture; gives the register of its output.
    pub fn average_pool(&mut self, input: usize) -> usize {
        self.add(AveragePool, input, None)
    }

    /// Adds a dense layer from `inputs` numbers a picture to `outputs`; gives the register of its output.
    pub fn linear(&mut self, input: usize, name: &str, inputs: usize, outputs: usize) -> usize {
        self.add(Linear { name: name.into(), inputs, outputs }, input, None)
    }

    /// Adds an activation that stands alone; gives the register of its output.
    pub fn activation(&mut self, input: usize, act: Activation) -> usize {
        self.add(steps::Activation(act), input, None)
    }

    /// Adds dropout, which is there only where there are random numbers; gives the register of its output.
    pub fn dropout(&mut self, input: usize, p: f64) -> usize {
        self.add(Dropout { p }, input, None)
    }

    /// The program with the names of its tensors below `prefix`.
    pub fn under(mut self, prefix: &str) -> Self {
        for node in &mut self.steps {
            node.prefix = format!("{prefix}{}", node.prefix).into();
        }
        self
    }

    /// The steps `range`, as a program of its own whose input is what the step before it gives.
    ///
    /// Only a place where nothing older is read later can be cut: a block's boundary.
    pub fn range(&self, range: Range<usize>) -> Self {
        let shift = |register: usize| register - range.start;
        let cut = |node: &Node| Node { input: shift(node.input), residual: node.residual.map(shift), ..node.clone() };
        Self { steps: self.steps[range.clone()].iter().map(cut).collect(), precision: self.precision }
    }

    /// The tensors of the steps `range`, each with its step's position.
    pub fn parameters(&self, range: Range<usize>) -> impl Iterator<Item = (usize, Parameter)> {
        let nodes = self.steps[range.clone()].iter().enumerate();
        nodes.flat_map(move |(index, node)| node.parameters().map(move |parameter| (range.start + index, parameter)))
    }

    /// Size of each register for input pictures of this size: the input's, then each step's output.
    pub fn sizes(&self, input: Size) -> Vec<Size> {
        let mut sizes = vec![input];
        for node in &self.steps {
            sizes.push(node.step.output(sizes[node.input]));
        }
        sizes
    }

    /// The steps as they say of themselves, for input pictures of this size.
    pub fn describe(&self, input: Size) -> Vec<Line> {
        let sizes = self.sizes(input);
        let line = |(node, output): (&Node, &Size)| {
            let step = Description { parameters: node.parameters().collect(), ..node.step.describe() };
            Line { step, input: node.input, residual: node.residual, output: *output }
        };
        self.steps.iter().zip(&sizes[1..]).map(line).collect()
    }

    /// How many times a register is read.
    pub(super) fn readers(&self, register: usize) -> usize {
        let reads = self.steps.iter().flat_map(|node| [Some(node.input), node.residual]);
        reads.flatten().filter(|read| *read == register).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_describes_itself_with_the_names_that_its_tensors_have() {
        let mut program = Program::default();
        let x = program.max_pool(0, 2, 2, 0);
        program.linear(x, "dense", 12, 5);
        let program = program.under("net.");
        let lines = program.describe(Size { h: 4, w: 4, c: 3 });
        let expected = serde_json::json!([
            {
                "kind": "max_pool", "settings": { "kernel": 2, "stride": 2, "pad": 0 }, "parameters": [],
                "input": 0, "residual": null, "output": { "h": 2, "w": 2, "c": 3 },
            },
            {
                "kind": "linear", "settings": { "name": "dense", "inputs": 12, "outputs": 5 },
                "parameters": [
                    { "name": "net.dense.weight", "shape": [5, 12], "trains": true },
                    { "name": "net.dense.bias", "shape": [5], "trains": true },
                ],
                "input": 1, "residual": null, "output": { "h": 1, "w": 1, "c": 5 },
            },
        ]);
        assert_eq!(serde_json::to_value(&lines).unwrap(), expected);
        // A cut shifts what is read, and nothing else.
        let tail = program.range(1..2);
        assert_eq!((tail.steps[0].input, tail.steps[0].step.describe()), (0, program.steps[1].step.describe()));
    }
}
