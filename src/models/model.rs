//! A classifier: pretrained backbone and new head, or the baseline.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};

use super::architecture::Architecture;
use super::body::body;
use super::cut::Cut;
use super::frozen::{Frozen, Inference, Numbers};
use super::network::Network;
use super::ops::Ops;
use super::{head, init};
use crate::base::config::Precision;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed, Stream};
use crate::nn::program::{Program, Size};
use crate::nn::{Gradients, Params, Workspace};

/// A network with its numbers.
#[derive(Debug)]
pub struct Model {
    architecture: Architecture,
    params: Params,
    body: Network,
    /// The steps of the body, and of the head behind them.
    program: Program,
    ops: Ops,
    workspace: Workspace,
}

impl Model {
    /// A network with random numbers from the seed: He-normal convolutions as in torchvision, Glorot-uniform and zero biases
    /// in the head and the baseline as in Keras, batch norms that change nothing, but for those that end a residual branch:
    /// they start at 0.
    pub fn new(architecture: &Architecture, seed: Seed, device: &Device) -> Result<Self> {
        Self::with_ops(architecture, seed, device, Ops::for_device(device))
    }

    /// The same, computed in a chosen way.
    pub fn with_ops(architecture: &Architecture, seed: Seed, device: &Device, ops: Ops) -> Result<Self> {
        let (body, init) = body(architecture)?;
        let prefix = architecture.prefix();
        let mut program = body.program.clone().under(prefix);
        head::add(&mut program, architecture, body.features);
        let steps = program.parameters(body.end()..program.steps.len());
        let mut shapes: BTreeMap<_, _> = steps.map(|(_, head)| (head.name, head.shape)).collect();
        shapes.extend(body.tensors(0, body.end()).into_iter().map(|(name, shape)| (format!("{prefix}{name}"), shape)));
        let mut params = Params::default();
        for (index, (name, shape)) in shapes.iter().enumerate() {
            let mut stream = seed.stream(Purpose::Init, 0, index as u64);
            let values = match name.strip_prefix(prefix) {
                Some(name) => init(name, shape, &mut stream),
                None => init::keras(name, shape, &mut stream),
            };
            params.insert(name, values, shape, device)?;
        }
        Ok(Self { architecture: architecture.clone(), params, body, program, ops, workspace: Workspace::default() })
    }

    /// The same, with convolutions that multiply in this precision; what else is computed stays `f32`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for another one than `f32` where Candle computes the network: on a GPU, and with `PETAL_OPS=candle`.
    pub fn in_precision(mut self, precision: Precision) -> Result<Self> {
        if precision != Precision::F32 && self.ops != Ops::Kernels {
            return Err(Error::config("precision", "bf16", "f32 where Candle computes the network")
                .mend("set precision to f32"));
        }
        self.program.precision = precision;
        Ok(self)
    }

    /// In what its convolutions multiply.
    pub fn precision(&self) -> Precision {
        self.program.precision
    }

    /// What it was built from.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// All tensors; a backbone's under `backbone.`, its head's under `head.`.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// How its layers are computed.
    pub fn ops(&self) -> Ops {
        self.ops
    }

    /// Where its numbers are.
    pub fn device(&self) -> Device {
        self.params.iter().next().map_or(Device::Cpu, |(_, param)| param.var.device().clone())
    }

    /// All its steps.
    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    /// What it is before its head.
    pub(super) fn body(&self) -> &Network {
        &self.body
    }

    /// Names of what trains after this cut, sorted; no running statistics.
    pub fn trainable(&self, cut: Cut) -> Vec<String> {
        let mut names = self.head_names();
        names.extend(self.prefixed(self.body.trainable(self.body.trainable_from(cut))));
        names.sort();
        names
    }

    /// Names of the tensors that [`Model::before`] reads for this cut, sorted.
    pub fn read_before(&self, cut: Cut) -> Vec<String> {
        let mut names: Vec<String> = self.prefixed(self.body.tensors(0, self.body.step_of(cut)).into_keys()).collect();
        names.sort();
        names
    }

    /// Names of the head's tensors.
    pub(super) fn head_names(&self) -> Vec<String> {
        let steps = self.program.parameters(self.body.end()..self.program.steps.len());
        steps.map(|(_, parameter)| parameter.name).collect()
    }

    fn prefixed(&self, names: impl IntoIterator<Item = String>) -> impl Iterator<Item = String> {
        let prefix = self.architecture.prefix();
        names.into_iter().map(move |name| format!("{prefix}{name}"))
    }

    /// What trains after this cut, by name, sorted: what an optimizer takes. The values are shared with the model.
    pub fn trainable_vars(&self, cut: Cut) -> Result<Vec<(String, Var)>> {
        let names = self.trainable(cut).into_iter();
        names.map(|name| Ok((name.clone(), self.params.get(&name)?.var.clone()))).collect()
    }

    /// How many stages below the head each tensor is that trains after this cut, in the order of [`Model::trainable`]; the head's are at 0.
    pub fn depths(&self, cut: Cut) -> Result<Vec<usize>> {
        let prefix = self.architecture.prefix();
        let head = self.head_names();
        let depth = |name: String| match head.contains(&name) {
            true => Ok(0),
            false => self.body.depth(name.strip_prefix(prefix).unwrap_or(&name)),
        };
        self.trainable(cut).into_iter().map(depth).collect()
    }

    /// Whether photos of any size can be put to it: no part of it fits one size only.
    pub fn takes_any_size(&self) -> bool {
        self.architecture.is_transfer()
    }

    /// Whether it has a backbone, whose pooled output says what is on a photo.
    pub fn has_features(&self) -> bool {
        self.architecture.is_transfer()
    }

    /// Numbers a photo in the backbone's pooled output.
    pub fn features(&self) -> usize {
        self.body.features
    }

    /// What comes before the cut, made ready for pictures of this height and width. It holds a copy of the weights: use it while
    /// they stay as they are.
    pub fn frozen(&self, cut: Cut, height: usize, width: usize) -> Result<Frozen<'_>> {
        self.ready(0, self.body.step_of(cut), Size { h: height, w: width, c: 3 })
    }

    /// What comes before the cut, without a graph, for images `[B, 3, H, W]`: `[B, 3, H, W]` again, activations
    /// `[B, C, h, w]`, or features `[B, D]`.
    pub fn before(&self, images: &Tensor, cut: Cut) -> Result<Tensor> {
        let (_, _, h, w) = images.dims4()?;
        self.frozen(cut, h, w)?.run(images)
    }

    /// What comes after the cut, with a graph for backward: logits `[B, K]`. With a stream, dropout is on.
    pub fn after(&self, at_cut: &Tensor, cut: Cut, dropout: Option<&mut Stream>) -> Result<Tensor> {
        let (from, trainable_from) = (self.body.step_of(cut), self.body.trainable_from(cut));
        let program = self.program.range(from..self.program.steps.len());
        self.numbers().logits(&program, trainable_from - from, &at_cut.detach(), false, dropout)
    }

    /// The gradients of a loss that was computed from [`Model::after`]. Not by `loss.backward()`: that would leave out what our own
    /// operations compute.
    pub fn backward(&self, loss: &Tensor) -> Result<Gradients> {
        self.workspace.backward(loss)
    }

    /// What comes after the cut, without a graph or dropout, made ready once for inputs of this shape: `[3, H, W]` of images,
    /// `[C, h, w]` of activations, `[D]` of features. As [`Model::frozen`], it holds a copy of the weights.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] for a shape that is not one of a picture, where the cut is before the features.
    pub fn inference(&self, cut: Cut, shape: &[usize]) -> Result<Inference<'_>> {
        let input = match (cut, shape) {
            (Cut::Features, shape) => Size { h: 1, w: 1, c: shape.iter().product() },
            (_, &[c, h, w]) => Size { h, w, c },
            _ => return Err(Error::new(ErrorKind::Tensor, format!("a picture has three dimensions; got {shape:?}"))),
        };
        Ok(Inference { steps: self.ready(self.body.step_of(cut), self.program.steps.len(), input)? })
    }

    /// What comes after the cut, without a graph or dropout: logits `[B, K]`. For more than one batch,
    /// [`Model::inference`] saves work.
    pub fn infer(&self, at_cut: &Tensor, cut: Cut) -> Result<Tensor> {
        self.inference(cut, &at_cut.dims()[1..])?.logits(at_cut)
    }

    /// Logits `[B, K]` of images `[B, 3, H, W]`, without a graph or dropout.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        self.infer(images, Cut::Images)
    }

    /// Numbers a photo that training keeps in memory, for images of this side: those at the cut, then of each step behind it.
    pub fn lens(&self, cut: Cut, image_size: usize) -> Vec<usize> {
        if cut == Cut::Features && self.architecture.is_transfer() {
            return vec![self.features()];
        }
        let image = Size { h: image_size, w: image_size, c: 3 };
        self.body.program.kept(image, self.body.step_of(cut))
    }

    pub(super) fn numbers(&self) -> Numbers<'_> {
        let Self { params, ops, workspace, .. } = self;
        Numbers { params, ops: *ops, workspace }
    }

    /// The steps `from..to`, made ready for inputs of this size.
    pub(super) fn ready(&self, from: usize, to: usize, input: Size) -> Result<Frozen<'_>> {
        self.numbers().frozen(self.program.range(from..to), input, to >= self.body.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Backbone;

    fn count(model: &Model, cut: Cut) -> usize {
        model.trainable(cut).iter().map(|name| model.params().get(name).unwrap().var.elem_count()).sum()
    }

    #[test]
    fn parameters_are_as_asked_for() {
        let baseline = Architecture::Baseline { classes: 5, image_size: 224 };
        let baseline = Model::new(&baseline, Seed(1), &Device::Cpu).unwrap();
        assert_eq!(count(&baseline, Cut::Images), 11_169_605);
        let resnet50 = Architecture::Transfer { backbone: Backbone::Resnet50, hidden: 256, dropout: 0.3, classes: 5 };
        let resnet50 = Model::new(&resnet50, Seed(1), &Device::Cpu).unwrap();
        assert_eq!(count(&resnet50, Cut::Features), 525_829);
        assert_eq!(count(&resnet50, Cut::Upper), 525_829 + 16_936_448);
        assert_eq!(count(&resnet50, Cut::Images), 525_829 + 23_508_032);
        let summary = resnet50.summary(Cut::Upper, 224).unwrap();
        assert_eq!(summary[4].output, [2048, 7, 7]);
        assert_eq!(summary.iter().map(|line| line.trainable).sum::<usize>(), 525_829 + 16_936_448);
    }
}
