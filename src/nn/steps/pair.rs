//! A pointwise convolution and the depthwise one behind it as one step: what lies between them is never there as a whole.

use std::any::Any;
use std::sync::Arc;

use candle_core::Tensor;
use serde_json::json;

use super::conv::Conv;
use super::packed::ReadyConv;
use super::step::{Bound, Description, Draws, Left, Needs, Parameter, Place, Ready, Site, Size, Step, Sums, Wanted};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::conv::WeightGradient;
use crate::kernels::conv::pair::{self, Layer};
use crate::kernels::{Activation, Buffer, Keeps, Memory, backward_activation};
use crate::nn::onnx::{Graph, Value};
use crate::nn::workspace::Workspace;

/// `depthwise(pointwise(x)) + residual`, each with its norm and activation.
///
/// ```
/// use candle_core::Device;
/// use petal::nn::Params;
/// use petal::nn::program::{Conv, Program, Runner, Size};
/// use petal::nn::steps::Pair;
///
/// // One channel to two: itself and its negative; then each times a number of its own.
/// let pointwise = Conv::new("expand", (1, 2), 1, 1);
/// let depthwise = Conv { depthwise: true, ..Conv::new("scale", (2, 2), 1, 1) };
/// let mut program = Program::default();
/// program.add(Pair { pointwise, depthwise }, 0, None);
/// let mut params = Params::default();
/// params.insert("expand.weight", vec![1.0, -1.0], &[2, 1, 1, 1], &Device::Cpu)?;
/// params.insert("expand.bias", vec![0.0, 0.0], &[2], &Device::Cpu)?;
/// params.insert("scale.weight", vec![10.0, 100.0], &[2, 1, 1, 1], &Device::Cpu)?;
/// params.insert("scale.bias", vec![0.0, 5.0], &[2], &Device::Cpu)?;
/// let pair = Runner::new(&program, &params, Size { h: 1, w: 2, c: 1 })?;
/// assert_eq!(pair.run(&[1.0, 2.0]), [10.0, -95.0, 20.0, -195.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pair {
    /// The first; its kernel is 1×1.
    pub pointwise: Conv,
    /// The second.
    pub depthwise: Conv,
}

/// The two steps as one, where they are such a pair and faster so; `input` is the size of the first one's input.
pub fn fuse(first: &dyn Step, second: &dyn Step, input: Size) -> Option<Arc<dyn Step>> {
    let conv = |step| (step as &dyn Any).downcast_ref::<Conv>();
    let (pointwise, depthwise) = (conv(first)?, conv(second)?);
    // What went into their activations is never there.
    if [pointwise, depthwise].iter().any(|conv| conv.act.keeps() == Keeps::Input) {
        return None;
    }
    let between = pointwise.output(input);
    pair::suits(&pointwise.geometry(input), &depthwise.geometry(between))
        .then(|| Arc::new(Pair { pointwise: pointwise.clone(), depthwise: depthwise.clone() }) as Arc<dyn Step>)
}

impl Step for Pair {
    fn describe(&self) -> Description {
        let steps = [&self.pointwise, &self.depthwise].map(|conv| conv.describe().settings);
        let [pointwise, depthwise] = steps;
        let settings = json!({ "pointwise": pointwise, "depthwise": depthwise });
        Description { kind: "pair", settings, parameters: self.parameters() }
    }

    /// Those of the first, then those of the second.
    fn parameters(&self) -> Vec<Parameter> {
        [self.pointwise.parameters(), self.depthwise.parameters()].concat()
    }

    fn output(&self, input: Size) -> Size {
        self.depthwise.output(self.pointwise.output(input))
    }

    fn activation(&self) -> Activation {
        self.depthwise.activation()
    }

    fn goes_through_activation(&self) -> bool {
        true
    }

    fn needs(&self, place: &Place) -> Needs {
        self.depthwise.needs(place)
    }

    fn ready(&self, place: &Place, tensors: &[Bound], _: Option<Draws>, memory: &Memory) -> Result<Box<dyn Ready>> {
        let (first, second) = tensors.split_at(self.pointwise.parameters().len());
        let between = Place { input: self.pointwise.output(place.input), ..*place };
        let pointwise = self.pointwise.ready_conv(place, first, memory)?;
        let depthwise = self.depthwise.ready_conv(&between, second, memory)?;
        Ok(Box::new(ReadyPair { place: *place, pointwise, depthwise }))
    }

    fn composed(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        tensors: &[Tensor],
        _: Option<&mut Stream>,
    ) -> Result<Tensor> {
        let (first, second) = tensors.split_at(self.pointwise.parameters().len());
        let between = self.pointwise.composed(x, None, first, None)?;
        self.depthwise.composed(&between, residual, second, None)
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let (first, second) = site.tensors.split_at(self.pointwise.parameters().len());
        let between = self.pointwise.onnx(graph, &Site { tensors: first, residual: None, ..*site })?;
        let between = graph.settle(between)?;
        self.depthwise.onnx(graph, &Site { tensors: second, input: &between, ..*site })
    }
}

#[derive(Debug)]
struct ReadyPair {
    place: Place,
    pointwise: ReadyConv,
    depthwise: ReadyConv,
}

fn layer(conv: &ReadyConv) -> Layer<'_> {
    Layer { weights: &conv.weights, bias: &conv.folded.bias, act: conv.act }
}

impl Ready for ReadyPair {
    fn forward(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32], _: Option<&mut [f32]>, memory: &Memory) {
        pair::forward([layer(&self.pointwise), layer(&self.depthwise)], x, residual, memory, y);
    }

    fn ready_backward(&mut self, wants_input: bool, memory: &Memory) -> Result<()> {
        if wants_input {
            self.pointwise.pack_backward(memory)?;
        }
        if wants_input || self.pointwise.folded.trains() {
            self.depthwise.pack_backward(memory)?;
        }
        Ok(())
    }

    /// Those of the first, then those of the second; of no length where it does not train.
    fn sums(&self) -> Vec<usize> {
        let lens = [&self.pointwise, &self.depthwise].map(ReadyConv::sums_len);
        if lens == [0, 0] { Vec::new() } else { lens.to_vec() }
    }

    fn backward(&self, Left { x, y, .. }: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        if self.place.own != Activation::None {
            backward_activation(self.place.own, y, dy);
        }
        let [mut pointwise_sums, mut depthwise_sums] = [None, None];
        if let Some(Sums { accumulate, to: [first, second] }) = wanted.weights {
            let asked = |sums| WeightGradient { accumulate, sums };
            pointwise_sums = Some(&mut first[..]).filter(|sums| !sums.is_empty()).map(asked);
            depthwise_sums = Some(&mut second[..]).filter(|sums| !sums.is_empty()).map(asked);
        }
        let input = self.pointwise.input_gradient(wanted.input, self.place.through);
        let depthwise = self.depthwise.back.as_ref();
        let wanted = pair::Gradients { depthwise, input, pointwise_sums, depthwise_sums };
        pair::backward(layer(&self.pointwise), &self.depthwise.conv, x, dy, wanted, memory);
    }

    fn finish(&self, sums: Vec<Buffer>, workspace: &Workspace) -> Result<()> {
        for (conv, sums) in [&self.pointwise, &self.depthwise].into_iter().zip(&sums) {
            if conv.folded.trains() {
                conv.leave(sums, workspace)?;
            }
        }
        Ok(())
    }
}
