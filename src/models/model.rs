//! A classifier: pretrained backbone and new head, or the baseline.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::network::Network;
use super::zoo::Zoo;
use super::{baseline, efficientnet_lite, resnet};
use crate::base::config::Backbone;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed, Stream};
use crate::kernels::Activation;
use crate::nn::operation::with_values;
use crate::nn::program::{Program, Runner, Size, Stage};
use crate::nn::{Gradients, Params, Workspace};

/// Where a network is cut into a frozen and a trainable part.
/// In the order of the network: what comes after an earlier one is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Before everything: all layers train.
    Images,
    /// Before the upper layers, which train together with the head (phase 2).
    Upper,
    /// After the backbone: the head alone trains (phase 1).
    Features,
}

/// What it takes to build a network, apart from its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Architecture {
    /// The small network from scratch: Conv 32, 64, 128 (3×3, valid, ReLU), each with 2×2 max pooling, Flatten (in the order H, W,
    /// C, as Keras does), Dense 128, ReLU, Dense.
    Baseline {
        /// Number of classes.
        classes: usize,
        /// Side of the input, in pixels.
        image_size: usize,
    },
    /// A pretrained backbone with a new head: global average pooling, Linear(D, hidden), ReLU, Dropout, Linear(hidden, classes).
    Transfer {
        /// The backbone.
        backbone: Backbone,
        /// Width of the head's hidden layer.
        hidden: usize,
        /// Dropout's probability.
        dropout: f64,
        /// Number of classes.
        classes: usize,
    },
}

/// How layers are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ops {
    /// By our kernels, on the CPU.
    Kernels,
    /// By Candle's own operations, on any device.
    Candle,
}

impl Ops {
    /// Our kernels on the CPU, Candle's operations elsewhere. `PETAL_OPS=candle` takes Candle's on the CPU too.
    pub fn for_device(device: &Device) -> Self {
        let asked = std::env::var_os("PETAL_OPS").is_some_and(|ops| ops == "candle");
        if device.is_cpu() && !asked { Self::Kernels } else { Self::Candle }
    }
}

/// A network with its numbers.
#[derive(Debug)]
pub struct Model {
    architecture: Architecture,
    params: Params,
    body: Body,
    /// All steps: those of the body, where it is of our own, and the head's.
    program: Program,
    /// The head's first step.
    head: usize,
    ops: Ops,
    workspace: Workspace,
}

#[derive(Debug)]
enum Body {
    Staged(Network),
    /// From candle-transformers; frozen only.
    Zoo(Backbone),
}

/// One line of a network's summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSummary {
    /// `stem`, `layer1`, …, `head`.
    pub name: String,
    /// Shape of one picture's output: `[C, h, w]` or `[D]`.
    pub output: Vec<usize>,
    /// Numbers in its weights, without batch norm's statistics.
    pub parameters: usize,
    /// How many of them train.
    pub trainable: usize,
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
        let body = match architecture {
            Architecture::Baseline { image_size, .. } if *image_size < 22 => {
                return Err(Error::config("image_size", image_size, "at least 22 pixels for the baseline"));
            }
            Architecture::Baseline { .. } => Body::Staged(baseline::baseline()),
            Architecture::Transfer { backbone: Backbone::EfficientnetLite0, .. } => {
                Body::Staged(efficientnet_lite::efficientnet_lite0())
            }
            Architecture::Transfer { backbone, .. } => {
                resnet::resnet(*backbone).map_or(Body::Zoo(*backbone), Body::Staged)
            }
        };
        let (prefix, mut program) = match (&body, architecture) {
            (Body::Zoo(_), _) => ("", Program::default()),
            (Body::Staged(network), Architecture::Baseline { .. }) => ("", network.program.clone()),
            (Body::Staged(network), Architecture::Transfer { .. }) => ("backbone.", network.program.clone()),
        };
        program = program.under(prefix);
        let head = program.steps.len();
        let features = match &body {
            Body::Staged(network) => network.channels,
            Body::Zoo(backbone) => super::registry::weights(*backbone).features,
        };
        add_head(&mut program, architecture, features);
        let mut model = Self {
            architecture: architecture.clone(),
            params: Params::default(),
            body,
            program,
            head,
            ops,
            workspace: Workspace::default(),
        };
        let shapes = model.shapes()?;
        for (index, (name, shape)) in shapes.iter().enumerate() {
            let mut stream = seed.stream(Purpose::Init, 0, index as u64);
            model.params.insert(name, initial(name, shape, architecture, &mut stream), shape, device)?;
        }
        Ok(model)
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

    /// Names of what trains after this cut, sorted; no running statistics.
    pub fn trainable(&self, cut: Cut) -> Vec<String> {
        let parameters = self.program.parameters(self.trains_from(cut)..self.program.steps.len());
        let trains = parameters.filter(|(_, parameter)| parameter.trains);
        let mut names: Vec<String> = trains.map(|(_, parameter)| parameter.name).collect();
        names.sort();
        names
    }

    /// Names of the tensors that [`Model::before`] reads for this cut, sorted.
    pub fn read_before(&self, cut: Cut) -> Vec<String> {
        let mut names: Vec<String> = match (&self.body, cut) {
            (_, Cut::Images) => Vec::new(),
            (Body::Zoo(_), _) => self.params.shapes("backbone.").into_keys().map(|n| format!("backbone.{n}")).collect(),
            (Body::Staged(_), cut) => {
                self.program.parameters(0..self.step(cut)).map(|(_, parameter)| parameter.name).collect()
            }
        };
        names.sort();
        names
    }

    /// What trains after this cut, by name, sorted: what an optimizer takes. The values are shared with the model.
    pub fn trainable_vars(&self, cut: Cut) -> Result<Vec<(String, Var)>> {
        let names = self.trainable(cut).into_iter();
        names.map(|name| Ok((name.clone(), self.params.get(&name)?.var.clone()))).collect()
    }

    /// Numbers a photo in the backbone's pooled output.
    pub fn features(&self) -> usize {
        match &self.body {
            Body::Staged(network) => network.channels,
            Body::Zoo(backbone) => super::registry::weights(*backbone).features,
        }
    }

    /// What comes before the cut, made ready for pictures of this height and width. It holds a copy of the weights: use it while
    /// they stay as they are.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the backbone is from candle-transformers and the cut is not [`Cut::Features`].
    pub fn frozen(&self, cut: Cut, height: usize, width: usize) -> Result<Frozen<'_>> {
        self.check_zoo(cut)?;
        self.frozen_steps(0, self.step(cut), Size { h: height, w: width, c: 3 })
    }

    /// What comes before the cut, without a graph, for images `[B, 3, H, W]`: `[B, 3, H, W]` again, activations
    /// `[B, C, h, w]`, or features `[B, D]`.
    pub fn before(&self, images: &Tensor, cut: Cut) -> Result<Tensor> {
        let (_, _, h, w) = images.dims4()?;
        self.frozen(cut, h, w)?.run(images)
    }

    /// What comes after the cut, with a graph for backward: logits `[B, K]`. With a stream, dropout is on.
    pub fn after(&self, at_cut: &Tensor, cut: Cut, dropout: Option<&mut Stream>) -> Result<Tensor> {
        self.check_zoo(cut)?;
        let from = self.step(cut);
        self.stage(from, self.trains_from(cut), &at_cut.detach(), false, dropout)
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
        let end = self.program.steps.len();
        let (zoo, rest) = match (&self.body, cut, shape) {
            (_, Cut::Features, shape) => {
                let size = Size { h: 1, w: 1, c: shape.iter().product() };
                (None, self.frozen_steps(self.head, end, size)?)
            }
            (Body::Zoo(_), Cut::Images, &[_, h, w]) => {
                let size = Size { h: 1, w: 1, c: self.features() };
                (Some(self.frozen(Cut::Features, h, w)?), self.frozen_steps(self.head, end, size)?)
            }
            (_, cut, &[c, h, w]) => {
                self.check_zoo(cut)?;
                (None, self.frozen_steps(self.step(cut), end, Size { h, w, c })?)
            }
            _ => return Err(Error::new(ErrorKind::Tensor, format!("a picture has three dimensions; got {shape:?}"))),
        };
        Ok(Inference { zoo, rest })
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
        let Body::Staged(network) = &self.body else {
            let what = "Grad-CAM needs the maps of a convolutional network; this backbone gives none";
            return Err(Error::new(ErrorKind::Config, what).mend("use a ResNet, EfficientNet-Lite0 or the baseline"));
        };
        let (_, c, h, w) = images.dims4()?;
        self.frozen_steps(0, network.maps, Size { h, w, c })?.run(images)
    }

    /// Logits `[B, K]` from the last stage's maps `[B, C, h, w]`, with a graph that reaches the maps.
    pub fn logits_from_maps(&self, maps: &Tensor) -> Result<Tensor> {
        let Body::Staged(network) = &self.body else {
            return Err(Error::new(ErrorKind::Config, "this backbone has no maps"));
        };
        self.stage(network.maps, self.program.steps.len(), maps, true, None)
    }

    /// Stage by stage: output shape and parameters, and how many of them train after this cut.
    pub fn summary(&self, cut: Cut, image_size: usize) -> Result<Vec<StageSummary>> {
        let trainable = self.trainable(cut);
        let count = |names: &mut dyn Iterator<Item = String>| -> Result<(usize, usize)> {
            let (mut all, mut train) = (0, 0);
            for name in names {
                let param = self.params.get(&name)?;
                if !param.buffer {
                    all += param.var.elem_count();
                    train += if trainable.binary_search(&name).is_ok() { param.var.elem_count() } else { 0 };
                }
            }
            Ok((all, train))
        };
        let mut lines = Vec::new();
        match &self.body {
            Body::Staged(network) => {
                let sizes = network.program.sizes(Size { h: image_size, w: image_size, c: 3 });
                let mut from = 0;
                for stage in &network.stages {
                    let parameters = self.program.parameters(from..stage.end);
                    let (parameters, trainable) = count(&mut parameters.map(|(_, parameter)| parameter.name))?;
                    let Size { h, w, c } = sizes[stage.end];
                    lines.push(StageSummary { name: stage.name.clone(), output: vec![c, h, w], parameters, trainable });
                    from = stage.end;
                }
            }
            Body::Zoo(backbone) => {
                let mut names = self.params.iter().map(|(name, _)| name.to_string());
                let mut names = names.by_ref().filter(|name| name.starts_with("backbone."));
                let (parameters, trainable) = count(&mut names)?;
                let output = vec![self.features()];
                lines.push(StageSummary { name: backbone.name().into(), output, parameters, trainable });
            }
        }
        let classes = match self.architecture {
            Architecture::Baseline { classes, .. } | Architecture::Transfer { classes, .. } => classes,
        };
        let head = self.program.parameters(self.head..self.program.steps.len());
        let (parameters, trainable) = count(&mut head.map(|(_, parameter)| parameter.name))?;
        lines.push(StageSummary { name: "head".into(), output: vec![classes], parameters, trainable });
        Ok(lines)
    }

    /// Numbers a photo that training keeps in memory, for images of this side: those at the cut, then of each step behind it, up to
    /// the head.
    pub fn lens(&self, cut: Cut, image_size: usize) -> Vec<usize> {
        let image = Size { h: image_size, w: image_size, c: 3 };
        match (&self.body, cut) {
            (_, Cut::Features) if self.is_transfer() => vec![self.features()],
            (Body::Staged(_), cut) => self.program.range(0..self.head).kept(image, self.step(cut)),
            (Body::Zoo(_), _) => vec![image.len(), self.features()],
        }
    }

    fn is_transfer(&self) -> bool {
        matches!(self.architecture, Architecture::Transfer { .. })
    }

    /// The first step behind a cut.
    fn step(&self, cut: Cut) -> usize {
        match (&self.body, cut) {
            (_, Cut::Images) => 0,
            (Body::Staged(network), Cut::Upper) => network.upper,
            (_, _) => self.head,
        }
    }

    /// The first step that trains behind a cut.
    fn trains_from(&self, cut: Cut) -> usize {
        match (&self.body, cut) {
            (Body::Staged(network), Cut::Upper) => network.upper_trainable,
            (_, cut) => self.step(cut),
        }
    }

    fn check_zoo(&self, cut: Cut) -> Result<()> {
        if cut == Cut::Features || matches!(self.body, Body::Staged(_)) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, "this backbone serves frozen only: its layers cannot be trained")
            .mend("set fine_tune.epochs = 0, or use a ResNet or EfficientNet-Lite0"))
    }

    fn shapes(&self) -> Result<BTreeMap<String, Vec<usize>>> {
        let parameters = self.program.parameters(0..self.program.steps.len());
        let mut shapes: BTreeMap<_, _> = parameters.map(|(_, parameter)| (parameter.name, parameter.shape)).collect();
        if let Body::Zoo(backbone) = &self.body {
            let tensors = Zoo::shapes(*backbone)?.into_iter();
            shapes.extend(tensors.map(|(name, shape)| (format!("backbone.{name}"), shape)));
        }
        Ok(shapes)
    }

    fn frozen_steps(&self, from: usize, to: usize, input: Size) -> Result<Frozen<'_>> {
        let program = self.program.range(from..to);
        let how = match (&self.body, self.ops) {
            (Body::Zoo(backbone), _) if to == self.head => {
                let mut tensors = BTreeMap::new();
                for name in self.params.shapes("backbone.").into_keys() {
                    let tensor = self.params.get(&format!("backbone.{name}"))?.var.as_tensor().detach();
                    tensors.insert(name, tensor);
                }
                let device = tensors.values().next().map_or(Device::Cpu, |tensor| tensor.device().clone());
                How::Zoo(Zoo::new(*backbone, &tensors, &device)?)
            }
            (_, Ops::Kernels) => How::Fused(Runner::new(&program, &self.params, input)?),
            (_, Ops::Candle) => How::Composed(program),
        };
        Ok(Frozen { model: self, how, flat: to >= self.head })
    }

    /// Runs all steps from `from` on, of which those from `trainable_from` on train; gives logits `[B, K]`.
    fn stage(
        &self,
        from: usize,
        trainable_from: usize,
        x: &Tensor,
        input_gradient: bool,
        dropout: Option<&mut Stream>,
    ) -> Result<Tensor> {
        let program = self.program.range(from..self.program.steps.len());
        let Self { params, workspace, .. } = self;
        let stage = Stage { program: &program, trainable_from: trainable_from - from, params, workspace };
        let logits = match self.ops {
            Ops::Kernels => stage.fused(&maps(x)?, input_gradient, dropout)?,
            Ops::Candle => stage.composed(&maps(x)?, dropout)?,
        };
        Ok(logits.flatten_from(1)?)
    }
}

/// What comes after a cut, ready to run.
#[derive(Debug)]
pub struct Inference<'a> {
    /// What gives the features, where it is none of our programs.
    zoo: Option<Frozen<'a>>,
    rest: Frozen<'a>,
}

impl Inference<'_> {
    /// Logits `[B, K]`, without a graph.
    pub fn logits(&self, at_cut: &Tensor) -> Result<Tensor> {
        match &self.zoo {
            Some(zoo) => self.rest.run(&zoo.run(at_cut)?),
            None => self.rest.run(at_cut),
        }
    }

    /// Probabilities of the classes, `[B][K]`.
    pub fn probabilities(&self, at_cut: &Tensor) -> Result<Vec<Vec<f32>>> {
        Ok(candle_nn::ops::softmax(&self.logits(at_cut)?, 1)?.to_vec2()?)
    }
}

/// What comes before a cut, ready to run.
#[derive(Debug)]
pub struct Frozen<'a> {
    model: &'a Model,
    how: How,
    /// Whether it ends with what the head takes.
    flat: bool,
}

#[derive(Debug)]
enum How {
    Fused(Runner),
    Composed(Program),
    Zoo(Zoo),
}

impl Frozen<'_> {
    /// Runs images `[B, 3, H, W]` (or activations) without a graph.
    pub fn run(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.detach();
        let y = match &self.how {
            How::Zoo(zoo) => return Ok(zoo.features(&x)?.detach()),
            How::Composed(program) => {
                let Model { params, workspace, .. } = self.model;
                let stage = Stage { program, trainable_from: program.steps.len(), params, workspace };
                stage.composed(&maps(&x)?, None)?.detach()
            }
            How::Fused(frozen) => {
                let x = maps(&x)?.permute((0, 2, 3, 1))?.contiguous()?;
                let values = with_values(&x, |x| frozen.run(x))?;
                let Size { h, w, c } = frozen.output();
                Tensor::from_vec(values, (x.dim(0)?, h, w, c), x.device())?.permute((0, 3, 1, 2))?
            }
        };
        if self.flat { Ok(y.permute((0, 2, 3, 1))?.contiguous()?.flatten_from(1)?) } else { Ok(y) }
    }
}

/// `[B, C, h, w]`, or `[B, D]` as maps of one pixel.
fn maps(x: &Tensor) -> Result<Tensor> {
    match *x.dims() {
        [pictures, features] => Ok(x.reshape((pictures, features, 1, 1))?),
        _ => Ok(x.clone()),
    }
}

/// Adds the head's steps: dense, ReLU, dropout, dense.
fn add_head(program: &mut Program, architecture: &Architecture, features: usize) {
    let [first, second] = head_names(architecture);
    let (inputs, hidden, classes) = match architecture {
        Architecture::Baseline { classes, image_size } => {
            // Three times: two pixels go at the borders, then every other one.
            let side = (0..3).fold(*image_size, |side, _| (side - 2) / 2);
            (side * side * features, baseline::HIDDEN, *classes)
        }
        Architecture::Transfer { hidden, classes, .. } => (features, *hidden, *classes),
    };
    let mut x = program.linear(program.steps.len(), first, inputs, hidden);
    x = program.activation(x, Activation::Relu);
    if let Architecture::Transfer { dropout, .. } = architecture {
        x = program.dropout(x, *dropout);
    }
    program.linear(x, second, hidden, classes);
}

fn head_names(architecture: &Architecture) -> [&'static str; 2] {
    match architecture {
        Architecture::Baseline { .. } => ["dense1", "dense2"],
        Architecture::Transfer { .. } => ["head.linear1", "head.linear2"],
    }
}

/// First values of a tensor, by its name and shape.
fn initial(name: &str, shape: &[usize], architecture: &Architecture, stream: &mut Stream) -> Vec<f32> {
    let count = shape.iter().product();
    let backbone = name.starts_with("backbone.");
    let zoo = match architecture {
        Architecture::Transfer { backbone: Backbone::VitBase16 | Backbone::ConvnextTiny, .. } => backbone,
        _ => false,
    };
    if name.ends_with(".bias") || name.ends_with(".running_mean") {
        return vec![0.0; count];
    }
    if ends_residual(name, architecture) {
        return vec![0.0; count];
    }
    if name.ends_with(".running_var") || name.ends_with(".gamma") || shape.len() == 1 {
        return vec![1.0; count];
    }
    let normal = |stream: &mut Stream, std: f64| (0..count).map(|_| (std * stream.normal()) as f32).collect();
    match *shape {
        _ if zoo => normal(stream, 0.02),
        // He et al. 2015 by fan-out; a depthwise kernel's fan-out is its own area.
        [o, i, h, w] if backbone => {
            let outputs = if i == 1 { 1 } else { o };
            normal(stream, (2.0 / (h * w * outputs) as f64).sqrt())
        }
        // Glorot & Bengio 2010.
        _ => {
            let area: usize = shape.iter().skip(2).product();
            let limit = (6.0 / (area * (shape[0] + shape[1])) as f64).sqrt();
            (0..count).map(|_| stream.range(-limit, limit) as f32).collect()
        }
    }
}

/// Whether this is the scale of the last norm of a residual branch of a ResNet. It starts at 0 (Goyal et al. 2017,
/// torchvision's `zero_init_residual`): with statistics that are fixed and not measured, every block would else double the
/// variance, until all logits are infinite for practical purposes.
fn ends_residual(name: &str, architecture: &Architecture) -> bool {
    let last = match architecture {
        Architecture::Transfer { backbone: Backbone::Resnet18 | Backbone::Resnet34, .. } => ".bn2.weight",
        Architecture::Transfer { backbone: Backbone::EfficientnetLite0, .. } | Architecture::Baseline { .. } => {
            return false;
        }
        Architecture::Transfer { .. } => ".bn3.weight",
    };
    name.starts_with("backbone.layer") && name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

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
