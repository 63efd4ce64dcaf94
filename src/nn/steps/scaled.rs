//! A convolution and the layer scale behind it as one step: the scale is a part of the weights, and nothing lies between them.

use std::any::Any;
use std::sync::Arc;

use candle_core::Tensor;
use serde_json::json;

use super::conv::Conv;
use super::layer_scale::LayerScale;
use super::norm::Folded;
use super::step::{Bound, Description, Draws, Needs, Parameter, Place, Ready, Site, Size, Step};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{Activation, Memory};
use crate::nn::onnx::{Graph, Value};

/// `γ · conv(x) + residual`, computed as one convolution with weights and a bias that are scaled.
///
/// ```
/// use candle_core::Device;
/// use petal::nn::Params;
/// use petal::nn::program::{Conv, Program, Runner, Size};
/// use petal::nn::steps::{LayerScale, Scaled};
///
/// let (conv, scale) = (Conv::new("fc", (1, 2), 1, 1), LayerScale { name: "gamma".into(), channels: 2 });
/// let mut program = Program::default();
/// program.add(Scaled { conv, scale }, 0, None);
/// let mut params = Params::default();
/// params.insert("fc.weight", vec![1.0, 2.0], &[2, 1, 1, 1], &Device::Cpu)?;
/// params.insert("fc.bias", vec![0.5, 0.0], &[2], &Device::Cpu)?;
/// params.insert("gamma", vec![10.0, 100.0], &[2], &Device::Cpu)?;
/// let scaled = Runner::new(&program, &params, Size { h: 1, w: 2, c: 1 })?;
/// assert_eq!(scaled.run(&[1.0, 2.0]), [15.0, 200.0, 25.0, 400.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scaled {
    /// The convolution, with a bias of its own and no activation.
    pub conv: Conv,
    /// What its output is scaled by.
    pub scale: LayerScale,
}

/// The two steps as one, where they are such.
pub fn fuse(first: &dyn Step, second: &dyn Step, _: Size) -> Option<Arc<dyn Step>> {
    let conv = (first as &dyn Any).downcast_ref::<Conv>()?;
    let scale = (second as &dyn Any).downcast_ref::<LayerScale>()?;
    let fits = conv.norm.is_none() && conv.act == Activation::None && conv.out_c == scale.channels;
    fits.then(|| Arc::new(Scaled { conv: conv.clone(), scale: scale.clone() }) as Arc<dyn Step>)
}

impl Step for Scaled {
    fn describe(&self) -> Description {
        let settings = json!({ "conv": self.conv.describe().settings, "scale": self.scale.describe().settings });
        Description { kind: "scaled", settings, parameters: self.parameters() }
    }

    /// The convolution's, then the scale.
    fn parameters(&self) -> Vec<Parameter> {
        [self.conv.parameters(), self.scale.parameters()].concat()
    }

    fn output(&self, input: Size) -> Size {
        self.conv.output(input)
    }

    fn goes_through_activation(&self) -> bool {
        true
    }

    fn needs(&self, place: &Place) -> Needs {
        self.conv.needs(place)
    }

    fn ready(&self, place: &Place, tensors: &[Bound], _: Option<Draws>, memory: &Memory) -> Result<Box<dyn Ready>> {
        Ok(Box::new(self.conv.ready_folded(place, Folded::read_scaled(tensors)?, memory)?))
    }

    fn composed(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        tensors: &[Tensor],
        _: Option<&mut Stream>,
    ) -> Result<Tensor> {
        let (conv, scale) = tensors.split_at(2);
        self.scale.composed(&self.conv.composed(x, None, conv, None)?, residual, scale, None)
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let (conv, scale) = site.tensors.split_at(2);
        let between = self.conv.onnx(graph, &Site { tensors: conv, residual: None, ..*site })?;
        let between = graph.settle(between)?;
        self.scale.onnx(graph, &Site { tensors: scale, input: &between, ..*site })
    }
}
