//! Two dense layers on each pixel and the activation between them as one step: what lies between is made for a few pixels at a time, and once more on the way
//! back.

use std::any::Any;
use std::sync::Arc;

use candle_core::Tensor;
use rayon::prelude::*;
use serde_json::json;

use super::conv::Conv;
use super::layer_scale::LayerScale;
use super::norm::Folded;
use super::packed::ReadyConv;
use super::step::{
    Bound, Description, Draws, Left, Needs, Parameter, Place, Ready, Site, Size, Step, Sum, Sums, Wanted,
};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{Activation, Buffer, Keeps, Memory, forward_activation};
use crate::nn::onnx::{Graph, Value};
use crate::nn::workspace::Workspace;

/// Numbers between the two that are there at once, about: 512 KiB, which stay in the cache until they are read.
const PART: usize = 1 << 17;

/// How many times more numbers than the weights of a layer these are at least: weights are to be read less often than what they make.
const PER_WEIGHT: usize = 8;

/// `γ · (W₂ act(W₁ x + b₁) + b₂) + residual` on each pixel, as transformers and ConvNeXt have it; the γ is left out where there is none. What went into the
/// activation is kept for the way back, what came out of it is not.
///
/// ```
/// use candle_core::Device;
/// use petal::kernels::Activation;
/// use petal::nn::Params;
/// use petal::nn::program::{Conv, Program, Runner, Size};
/// use petal::nn::steps::Mlp;
///
/// // The sum of the positive and of the negative part, a number and its size.
/// let expand = Conv { act: Activation::HardSwish, ..Conv::of_pixels("fc1", (1, 2)) };
/// let mut program = Program::default();
/// program.add(Mlp { expand, project: Conv::of_pixels("fc2", (2, 1)), scale: None }, 0, None);
/// let mut params = Params::default();
/// params.insert("fc1.weight", vec![1.0, -1.0], &[2, 1], &Device::Cpu)?;
/// params.insert("fc1.bias", vec![0.0, 0.0], &[2], &Device::Cpu)?;
/// params.insert("fc2.weight", vec![1.0, 1.0], &[1, 2], &Device::Cpu)?;
/// params.insert("fc2.bias", vec![0.5], &[1], &Device::Cpu)?;
/// let mlp = Runner::new(&program, &params, Size { h: 1, w: 3, c: 1 })?;
/// assert_eq!(mlp.run(&[4.0, -5.0, 0.0]), [4.5, 5.5, 0.5]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mlp {
    /// The first layer, with its activation.
    pub expand: Conv,
    /// The second, without one.
    pub project: Conv,
    /// What its output is scaled by.
    pub scale: Option<LayerScale>,
}

/// The two steps as one, where they are such layers, or such a pair of them and its scale.
pub fn fuse(first: &dyn Step, second: &dyn Step, _: Size) -> Option<Arc<dyn Step>> {
    let (first, second): (&dyn Any, &dyn Any) = (first, second);
    if let (Some(mlp), Some(scale)) = (first.downcast_ref::<Mlp>(), second.downcast_ref::<LayerScale>()) {
        let fits = mlp.scale.is_none() && mlp.project.norm.is_none() && mlp.project.out_c == scale.channels;
        return fits.then(|| Arc::new(Mlp { scale: Some(scale.clone()), ..mlp.clone() }) as Arc<dyn Step>);
    }
    let (expand, project) = (first.downcast_ref::<Conv>()?, second.downcast_ref::<Conv>()?);
    // Of other activations what came out is enough for the way back, and there already.
    let fits = expand.act.keeps() == Keeps::Input && project.act == Activation::None;
    let each_pixel = expand.is_of_pixels() && project.is_of_pixels();
    (fits && each_pixel)
        .then(|| Arc::new(Mlp { expand: expand.clone(), project: project.clone(), scale: None }) as Arc<dyn Step>)
}

impl Mlp {
    /// How many tensors the first layer has, and both.
    fn counts(&self) -> (usize, usize) {
        let (first, second) = (self.expand.parameters().len(), self.project.parameters().len());
        (first, first + second)
    }
}

impl Step for Mlp {
    fn describe(&self) -> Description {
        let [expand, project] = [&self.expand, &self.project].map(|conv| conv.describe().settings);
        let scale = self.scale.as_ref().map(|scale| scale.describe().settings);
        let settings = json!({ "expand": expand, "project": project, "scale": scale });
        Description { kind: "mlp", settings, parameters: self.parameters() }
    }

    /// Those of the first layer, of the second, and the scale.
    fn parameters(&self) -> Vec<Parameter> {
        let scale = self.scale.as_ref().map(Step::parameters).unwrap_or_default();
        [self.expand.parameters(), self.project.parameters(), scale].concat()
    }

    fn output(&self, input: Size) -> Size {
        self.project.output(self.expand.output(input))
    }

    fn goes_through_activation(&self) -> bool {
        true
    }

    fn needs(&self, place: &Place) -> Needs {
        Needs { input: true, output: false, extra: self.expand.output(place.input).len() }
    }

    fn ready(&self, place: &Place, tensors: &[Bound], _: Option<Draws>, memory: &Memory) -> Result<Box<dyn Ready>> {
        let (first, second) = tensors.split_at(self.counts().0);
        // Pixels have nothing to do with each other: a row of them is a picture, and any number of rows may go together.
        let row = Size { h: 1, ..place.input };
        let (input, between) = (Place { input: row, ..*place }, self.expand.output(row));
        let behind = Place { input: between, through: Activation::None, ..*place };
        let expand = self.expand.ready_conv(&input, first, memory)?;
        let project = match self.scale {
            Some(_) => self.project.ready_folded(&behind, Folded::read_scaled(second)?, memory)?,
            None => self.project.ready_conv(&behind, second, memory)?,
        };
        let weights = self.expand.in_c * self.expand.out_c;
        let together = (PART.max(PER_WEIGHT * weights) / between.len().max(1)).max(1) * row.w;
        Ok(Box::new(ReadyMlp { expand, project, together }))
    }

    fn composed(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        tensors: &[Tensor],
        _: Option<&mut Stream>,
    ) -> Result<Tensor> {
        let (first, both) = self.counts();
        let between = self.expand.composed(x, None, &tensors[..first], None)?;
        let project = |residual| self.project.composed(&between, residual, &tensors[first..both], None);
        match &self.scale {
            Some(scale) => scale.composed(&project(None)?, residual, &tensors[both..], None),
            None => project(residual),
        }
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let (first, both) = self.counts();
        let between = self.expand.onnx(graph, &Site { tensors: &site.tensors[..first], residual: None, ..*site })?;
        let between = graph.settle(between)?;
        let site_of = |residual| Site { tensors: &site.tensors[first..both], input: &between, residual, ..*site };
        let Some(scale) = &self.scale else { return self.project.onnx(graph, &site_of(site.residual)) };
        let y = self.project.onnx(graph, &site_of(None))?;
        let y = graph.settle(y)?;
        scale.onnx(graph, &Site { tensors: &site.tensors[both..], input: &y, ..*site })
    }
}

#[derive(Debug)]
struct ReadyMlp {
    expand: ReadyConv,
    project: ReadyConv,
    /// Pixels that go together.
    together: usize,
}

impl ReadyMlp {
    /// Channels of the input, between, and of the output.
    fn channels(&self) -> [usize; 3] {
        [self.expand.conv.in_c, self.expand.conv.out_c, self.project.conv.out_c]
    }
}

/// A layer's sums, where it trains.
fn sums_of<'a>(to: &'a mut Option<&mut [Buffer]>, accumulate: bool) -> Option<Sums<'a>> {
    to.as_deref_mut().map(|to| Sums { accumulate, to })
}

impl Ready for ReadyMlp {
    fn forward(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32], kept: Option<&mut [f32]>, memory: &Memory) {
        let [inputs, wide, outputs] = self.channels().map(|channels| channels * self.together);
        let mut kept: Vec<_> = kept.unwrap_or_default().chunks_mut(wide).map(Some).collect();
        kept.resize_with(y.len().div_ceil(outputs), || None);
        let parts = y.par_chunks_mut(outputs).zip(x.par_chunks(inputs)).zip(kept).enumerate();
        parts.for_each(|(index, ((y, x), kept))| {
            let residual = residual.map(|residual| &residual[index * outputs..][..y.len()]);
            let mut between = memory.buffer(x.len() / self.expand.conv.in_c * self.expand.conv.out_c);
            self.expand.forward(x, None, &mut between, kept, memory);
            self.project.forward(&between, residual, y, None, memory);
        });
    }

    fn ready_backward(&mut self, wants_input: bool, memory: &Memory) -> Result<()> {
        if wants_input {
            self.expand.pack_backward(memory)?;
        }
        if wants_input || self.expand.folded.trains() {
            self.project.pack_backward(memory)?;
        }
        Ok(())
    }

    /// Those of the first, then those of the second; of no length where it does not train.
    fn sums(&self) -> Vec<usize> {
        let lens = [&self.expand, &self.project].map(ReadyConv::sums_len);
        if lens == [0, 0] { Vec::new() } else { lens.to_vec() }
    }

    /// Part by part, in order: each adds to the sums of those before it.
    fn backward(&self, Left { x, extra, .. }: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        let [inputs, wide, outputs] = self.channels().map(|channels| channels * self.together);
        let Wanted { input, weights } = wanted;
        let (adds, dx) = input.map(|Sum { accumulate, to }| (accumulate, to)).unwrap_or_default();
        let (before, sums) = weights.map(|Sums { accumulate, to }| (accumulate, to)).unwrap_or_default();
        let (mut dx, mut sums) = (dx.chunks_mut(inputs), sums.chunks_mut(1));
        let [mut first, mut second] = [sums.next(), sums.next()].map(|sums| sums.filter(|sums| !sums[0].is_empty()));
        let parts = x.chunks(inputs).zip(extra.chunks(wide)).zip(dy.chunks_mut(outputs));
        for (index, ((x, extra), dy)) in parts.enumerate() {
            let accumulate = before || index > 0;
            let mut between = memory.buffer(extra.len());
            forward_activation(self.expand.act, extra, &mut between);
            let goes_on = self.project.back.is_some();
            let mut gradient = memory.buffer(if goes_on { extra.len() } else { 0 });
            let input = goes_on.then(|| Sum { accumulate: false, to: &mut gradient[..] });
            let left = Left { x: &between, y: &[], extra: &[] };
            self.project.backward(left, dy, Wanted { input, weights: sums_of(&mut second, accumulate) }, memory);
            if goes_on {
                let input = dx.next().map(|to| Sum { accumulate: adds, to });
                let wanted = Wanted { input, weights: sums_of(&mut first, accumulate) };
                self.expand.backward(Left { x, y: &[], extra }, &mut gradient, wanted, memory);
            }
        }
    }

    fn finish(&self, sums: Vec<Buffer>, workspace: &Workspace) -> Result<()> {
        for (conv, sums) in [&self.expand, &self.project].into_iter().zip(&sums) {
            if conv.folded.trains() {
                conv.leave(sums, workspace)?;
            }
        }
        Ok(())
    }
}
