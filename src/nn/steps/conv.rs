//! A convolution with what is fused into it: `act(norm(conv(x)) + residual)`.

use candle_core::Tensor;
use serde_json::json;

use super::activation;
use super::norm::{Folded, Norm};
use super::packed::ReadyConv;
use super::step::{Bound, Description, Draws, Needs, Parameter, Place, Ready, Site, Size, Step};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Stream;
use crate::kernels::{self, Activation, Keeps, Memory, Padding, Precision};
use crate::nn::onnx::{Attribute, Graph, Value, ints};

/// Zeros around the input of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pad {
    /// So many on each side (PyTorch).
    Even(usize),
    /// As many as make the output `ceil(input / stride)`, an odd one below and to the right (TensorFlow's "same").
    Same,
}

/// A convolution with what is fused into it: `act(norm(conv(x)) + residual)`.
///
/// ```
/// use candle_core::Device;
/// use petal::kernels::Activation;
/// use petal::nn::Params;
/// use petal::nn::program::{Conv, Program, Runner, Size};
///
/// // The sum of a pixel and its two neighbours, plus the pixel itself, cut off at 0.
/// let mut program = Program::default();
/// program.add(Conv { act: Activation::Relu, ..Conv::new("sum", (1, 1), 3, 1) }, 0, Some(0));
/// let mut params = Params::default();
/// params.insert("sum.weight", vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0], &[1, 1, 3, 3], &Device::Cpu)?;
/// params.insert("sum.bias", vec![0.5], &[1], &Device::Cpu)?;
/// let row = Runner::new(&program, &params, Size { h: 1, w: 4, c: 1 })?;
/// assert_eq!(row.run(&[1.0, 2.0, 3.0, -20.0]), [4.5, 8.5, 0.0, 0.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv {
    /// Prefix of its tensors: `<name>.weight`, `[O, I, k, k]`, and `<name>.bias`, `[O]`, where there is no norm.
    pub name: String,
    /// The batch norm behind it, with the statistics that came with the weights.
    pub norm: Option<Norm>,
    /// Channels of the input.
    pub in_c: usize,
    /// Channels of the output.
    pub out_c: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step between outputs.
    pub stride: usize,
    /// Zeros around the input.
    pub pad: Pad,
    /// Whether each channel has a kernel of its own; the weight is `[O, 1, k, k]` then.
    pub depthwise: bool,
    /// Whether the weight of a 1×1 kernel is `[O, I]`, that of a dense layer on each pixel. It is nothing but the tensor's shape.
    pub flat: bool,
    /// What follows.
    pub act: Activation,
}

impl Conv {
    /// A convolution from so many channels to so many, with a bias; padded so that at stride 1 pictures keep their size, and nothing behind it.
    pub fn new(name: impl Into<String>, (in_c, out_c): (usize, usize), kernel: usize, stride: usize) -> Self {
        let (name, pad) = (name.into(), Pad::Even(kernel / 2));
        Self {
            name,
            norm: None,
            in_c,
            out_c,
            kernel,
            stride,
            pad,
            depthwise: false,
            flat: false,
            act: Activation::None,
        }
    }

    /// A dense layer on each pixel: the weight is `[O, I]`.
    pub fn of_pixels(name: impl Into<String>, channels: (usize, usize)) -> Self {
        Self { flat: true, ..Self::new(name, channels, 1, 1) }
    }

    /// The same with a batch norm behind it in place of the bias.
    #[must_use]
    pub fn with_norm(self, name: impl Into<String>, eps: f64) -> Self {
        Self { norm: Some(Norm { name: name.into(), eps }), ..self }
    }

    /// Whether each pixel goes through it by itself, and meets all channels.
    pub(super) fn is_of_pixels(&self) -> bool {
        let is_padded = matches!(self.pad, Pad::Even(1..));
        self.kernel == 1 && self.stride == 1 && !is_padded && !self.depthwise
    }

    /// What the kernels compute, for pictures of this size.
    pub(super) fn geometry(&self, size: Size) -> kernels::Conv {
        let pad = match self.pad {
            Pad::Even(pad) => Padding::even(pad),
            Pad::Same => Padding::same(size.h, size.w, self.kernel, self.stride),
        };
        let Self { in_c, out_c, kernel, stride, depthwise, .. } = *self;
        kernels::Conv {
            in_h: size.h,
            in_w: size.w,
            in_c,
            out_c,
            kernel,
            stride,
            pad,
            depthwise,
            precision: Precision::F32,
        }
    }

    /// The step as [`Step::ready`] gives it.
    pub(super) fn ready_conv(&self, place: &Place, tensors: &[Bound], memory: &Memory) -> Result<ReadyConv> {
        self.ready_folded(place, Folded::read(self.norm.as_ref(), tensors)?, memory)
    }

    /// The same with weights that were folded before.
    pub(super) fn ready_folded(&self, place: &Place, folded: Folded, memory: &Memory) -> Result<ReadyConv> {
        self.check(place.input)?;
        let conv = kernels::Conv { precision: place.precision, ..self.geometry(place.input) };
        ReadyConv::new(conv, self.act, place, folded, memory)
    }
}

impl Conv {
    /// Whether there is an output at all.
    fn check(&self, Size { h, w, c }: Size) -> Result<()> {
        if !self.output(Size { h, w, c }).is_empty() {
            return Ok(());
        }
        let Self { name, kernel, .. } = self;
        let what = format!("the kernel of {name} is {kernel} × {kernel}; it got maps of {h} × {w}, which are smaller");
        Err(Error::new(ErrorKind::Tensor, what).mend("use larger images"))
    }
}

impl Step for Conv {
    fn describe(&self) -> Description {
        let pad = match self.pad {
            Pad::Even(pad) => json!(pad),
            Pad::Same => json!("same"),
        };
        let mut settings = json!({
            "name": self.name,
            "norm": self.norm,
            "in_c": self.in_c,
            "out_c": self.out_c,
            "kernel": self.kernel,
            "stride": self.stride,
            "pad": pad,
            "depthwise": self.depthwise,
            "act": activation::name(self.act),
        });
        // Said of those alone that are so: what was written of others stays as it was.
        if self.flat {
            settings["flat"] = json!(true);
        }
        Description { kind: "conv", settings, parameters: self.parameters() }
    }

    fn parameters(&self) -> Vec<Parameter> {
        let inputs = if self.depthwise { 1 } else { self.in_c };
        let shape = [self.out_c, inputs, self.kernel, self.kernel];
        let shape = if self.flat { &shape[..2] } else { &shape };
        let weight = Parameter::new(format!("{}.weight", self.name), shape);
        let rest = match &self.norm {
            Some(norm) => norm.parameters(self.out_c),
            None => vec![Parameter::new(format!("{}.bias", self.name), &[self.out_c])],
        };
        std::iter::once(weight).chain(rest).collect()
    }

    fn output(&self, input: Size) -> Size {
        let conv = self.geometry(input);
        Size { h: conv.out_h(), w: conv.out_w(), c: conv.out_c }
    }

    fn activation(&self) -> Activation {
        activation::seen_in_output(self.act)
    }

    fn goes_through_activation(&self) -> bool {
        true
    }

    fn needs(&self, place: &Place) -> Needs {
        // What went into an activation is there only where it is made apart.
        let extra = if self.act.keeps() == Keeps::Input { self.output(place.input).len() } else { 0 };
        Needs { input: true, output: place.own != Activation::None, extra }
    }

    fn ready(&self, place: &Place, tensors: &[Bound], _: Option<Draws>, memory: &Memory) -> Result<Box<dyn Ready>> {
        Ok(Box::new(self.ready_conv(place, tensors, memory)?))
    }

    fn composed(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        tensors: &[Tensor],
        _: Option<&mut Stream>,
    ) -> Result<Tensor> {
        let (_, c, h, w) = x.dims4()?;
        self.check(Size { h, w, c })?;
        let (weight, bias) = match (&self.norm, tensors) {
            (Some(norm), [weight, gamma, beta, mean, var]) => {
                let (scale, bias) = norm.composed([gamma, beta, mean, var])?;
                let each = [vec![self.out_c], vec![1; weight.rank() - 1]].concat();
                (weight.broadcast_mul(&scale.reshape(each)?)?, bias)
            }
            _ => (tensors[0].clone(), tensors[1].clone()),
        };
        let (x, pad) = match self.pad {
            Pad::Even(pad) => (x.clone(), pad),
            Pad::Same => {
                let pad = Padding::same(h, w, self.kernel, self.stride);
                (x.pad_with_zeros(2, pad.top, pad.bottom)?.pad_with_zeros(3, pad.left, pad.right)?, 0)
            }
        };
        let (groups, inputs) = if self.depthwise { (self.out_c, 1) } else { (1, self.in_c) };
        let weight = weight.reshape((self.out_c, inputs, self.kernel, self.kernel))?;
        let y = x.conv2d(&weight, pad, self.stride, 1, groups)?;
        let y = y.broadcast_add(&bias.reshape((1, self.out_c, 1, 1))?)?;
        let y = match residual {
            Some(residual) => (y + residual)?,
            None => y,
        };
        activation::composed(&y, self.act)
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        self.check(site.input.size())?;
        let (x, name, conv) = (site.input, site.name(&self.name), self.geometry(site.input.size()));
        let Self { out_c, kernel, stride, depthwise, .. } = *self;
        let (weight, bias) = Folded::read(self.norm.as_ref(), site.tensors)?.scaled()?;
        let (each, group) = if depthwise { (1, out_c) } else { (self.in_c, 1) };
        let [weight, bias] = graph.weights(&name, &[out_c, each, kernel, kernel], &weight, &bias, x)?;
        let pads = [conv.pad.top, conv.pad.left, conv.pad.bottom, conv.pad.right];
        let settings = [("pads", &pads[..]), ("strides", &[stride; 2]), ("kernel_shape", &[kernel; 2])];
        let mut settings = settings.map(|(name, sizes)| (name, ints(sizes))).to_vec();
        settings.push(("group", Attribute::Int(group as i64)));
        let bare = Self { act: Activation::None, ..self.clone() };
        let sample = x.through(&bare, site.tensors)?;
        let shape = vec![out_c, conv.out_h(), conv.out_w()];
        let mut y = graph.node("Conv", &name, &[&x.name, &weight, &bias], &settings, (shape, sample));
        if let Some(residual) = site.residual {
            y = graph.settle(y)?.plus(residual, graph, &format!("{name}.sum"))?;
        }
        activation::onnx(graph, &name, self.act, y)
    }
}
