//! A classifier: pretrained backbone and new head, or the baseline.

use candle_core::{Device, Tensor, Var};

use super::architecture::Architecture;
use super::body::{Body, trainable_backbones};
use super::cut::Cut;
use super::frozen::{Frozen, Inference, Numbers};
use super::head::Head;
use super::init;
use super::ops::Ops;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed, Stream};
use crate::nn::program::Size;
use crate::nn::{Gradients, Params, Workspace};

/// A network with its numbers.
#[derive(Debug)]
pub struct Model {
    architecture: Architecture,
    params: Params,
    body: Body,
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
        let (body, init) = Body::of(architecture)?;
        let prefix = architecture.prefix();
        let mut shapes = architecture.head_shapes(body.features());
        shapes.extend(body.shapes().into_iter().map(|(name, shape)| (format!("{prefix}{name}"), shape)));
        let mut params = Params::default();
        for (index, (name, shape)) in shapes.iter().enumerate() {
            let mut stream = seed.stream(Purpose::Init, 0, index as u64);
            let values = match name.strip_prefix(prefix) {
                Some(name) => init(name, shape, &mut stream),
                None => init::keras(name, shape, &mut stream),
            };
            params.insert(name, values, shape, device)?;
        }
        Ok(Self { architecture: architecture.clone(), params, body, ops, workspace: Workspace::default() })
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

    /// What it is before its head.
    pub(super) fn body(&self) -> &Body {
        &self.body
    }

    /// Names of what trains after this cut, sorted; no running statistics.
    pub fn trainable(&self, cut: Cut) -> Vec<String> {
        let mut names: Vec<String> = self.architecture.head_shapes(self.features()).into_keys().collect();
        names.extend(self.prefixed(self.body.trainable(cut)));
        names.sort();
        names
    }

    /// Names of the tensors that [`Model::before`] reads for this cut, sorted.
    pub fn read_before(&self, cut: Cut) -> Vec<String> {
        let mut names: Vec<String> = self.prefixed(self.body.read_before(cut)).collect();
        names.sort();
        names
    }

    fn prefixed(&self, names: Vec<String>) -> impl Iterator<Item = String> {
        let prefix = self.architecture.prefix();
        names.into_iter().map(move |name| format!("{prefix}{name}"))
    }

    /// What trains after this cut, by name, sorted: what an optimizer takes. The values are shared with the model.
    pub fn trainable_vars(&self, cut: Cut) -> Result<Vec<(String, Var)>> {
        let names = self.trainable(cut).into_iter();
        names.map(|name| Ok((name.clone(), self.params.get(&name)?.var.clone()))).collect()
    }

    /// Numbers a photo in the backbone's pooled output.
    pub fn features(&self) -> usize {
        self.body.features()
    }

    /// What comes before the cut, made ready for pictures of this height and width. It holds a copy of the weights: use it while
    /// they stay as they are.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the backbone is from candle-transformers and the cut is not [`Cut::Features`].
    pub fn frozen(&self, cut: Cut, height: usize, width: usize) -> Result<Frozen<'_>> {
        let to = match cut {
            Cut::Features => self.body.end(),
            _ => self.body.network()?.step_of(cut),
        };
        self.numbers().frozen(&self.body, 0, to, Size { h: height, w: width, c: 3 })
    }

    /// What comes before the cut, without a graph, for images `[B, 3, H, W]`: `[B, 3, H, W]` again, activations
    /// `[B, C, h, w]`, or features `[B, D]`.
    pub fn before(&self, images: &Tensor, cut: Cut) -> Result<Tensor> {
        let (_, _, h, w) = images.dims4()?;
        self.frozen(cut, h, w)?.run(images)
    }

    /// What comes after the cut, with a graph for backward: logits `[B, K]`. With a stream, dropout is on.
    pub fn after(&self, at_cut: &Tensor, cut: Cut, dropout: Option<&mut Stream>) -> Result<Tensor> {
        if cut == Cut::Features {
            return self.head().run(at_cut, dropout);
        }
        let network = self.body.network()?;
        let from = network.step_of(cut);
        let program = network.program.range(from, network.program.steps.len());
        let at_cut = at_cut.detach();
        let at_head = self.numbers().flat_stage(&program, network.trainable_from(cut) - from, &at_cut, false)?;
        self.head().run(&at_head, dropout)
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
        let from = match cut {
            Cut::Upper => self.body.network()?.step_of(cut),
            Cut::Images | Cut::Features => 0,
        };
        let body = match (cut, shape) {
            (Cut::Features, _) => None,
            (_, &[c, h, w]) => Some(self.numbers().frozen(&self.body, from, self.body.end(), Size { h, w, c })?),
            _ => return Err(Error::new(ErrorKind::Tensor, format!("a picture has three dimensions; got {shape:?}"))),
        };
        Ok(Inference { head: self.head(), body })
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

    /// The last stage's maps `[B, C, h, w]`, without a graph: what Grad-CAM weighs.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the backbone is from candle-transformers: it has no such maps.
    pub fn maps(&self, images: &Tensor) -> Result<Tensor> {
        let network = self.body.network().map_err(|_| {
            let what = "Grad-CAM needs the maps of a convolutional network; this backbone gives none";
            Error::new(ErrorKind::Config, what).mend(format!("use the baseline, or one of {}", trainable_backbones()))
        })?;
        let (_, c, h, w) = images.dims4()?;
        self.numbers().frozen(&self.body, 0, network.maps, Size { h, w, c })?.run(images)
    }

    /// Logits `[B, K]` from the last stage's maps `[B, C, h, w]`, with a graph that reaches the maps.
    pub fn logits_from_maps(&self, maps: &Tensor) -> Result<Tensor> {
        let network = self.body.network().map_err(|_| Error::new(ErrorKind::Config, "this backbone has no maps"))?;
        let tail = network.program.range(network.maps, network.program.steps.len());
        self.head().run(&self.numbers().flat_stage(&tail, tail.steps.len(), maps, true)?, None)
    }

    /// Numbers a photo that training keeps in memory, for images of this side: those at the cut, then of each step behind it.
    pub fn lens(&self, cut: Cut, image_size: usize) -> Vec<usize> {
        if cut == Cut::Features && self.architecture.is_transfer() {
            return vec![self.features()];
        }
        self.body.lens(cut, image_size)
    }

    fn numbers(&self) -> Numbers<'_> {
        let Self { params, ops, workspace, .. } = self;
        Numbers { params, prefix: self.architecture.prefix(), ops: *ops, workspace }
    }

    fn head(&self) -> Head<'_> {
        let Self { architecture, params, ops, workspace, .. } = self;
        Head { architecture, params, ops: *ops, workspace }
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
