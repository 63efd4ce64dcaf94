//! The last maps of images, which methods that explain weigh, and what a model makes of them.

use std::any::Any;

use candle_core::Tensor;

use super::model::Model;
use super::network::Network;
use crate::base::error::{Error, ErrorKind, Result};
use crate::nn::program::Size;
use crate::nn::steps::Tokens;

/// The last maps of some images: those that the last stage of a convolutional network gives; of a vision transformer the tokens that its last block reads,
/// each at the place of its patch (in pytorch-grad-cam, timm's `blocks[-2]` as the target layer, with a `reshape_transform`).
///
/// ```
/// use petal::candle::{DType, Device, Tensor};
/// use petal::models::{Architecture, Model};
///
/// let architecture = Architecture::Baseline { classes: 2, image_size: 38 };
/// let model = Model::new(&architecture, petal::Seed(1), &Device::Cpu)?;
/// let images = Tensor::ones((2, 3, 38, 38), DType::F32, &Device::Cpu)?;
/// let maps = model.maps(&images)?;
/// assert_eq!(maps.fields().dims(), [2, 128, 6, 6]);
/// // What the network says by maps that are 0 but for the first of 128.
/// let first = maps.of(0)?.fields().narrow(1, 0, 1)?.pad_with_zeros(1, 0, 127)?;
/// assert_eq!(model.logits_from_maps(&maps.of(0)?.with(&first)?)?.dims(), [1, 2]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Maps {
    /// `[B, C, h, w]`.
    fields: Tensor,
    /// Tokens that are at no place, the class token first: `[B, C, count, 1]`.
    own: Option<Tensor>,
}

impl Maps {
    /// The maps, `[B, C, h, w]`.
    pub fn fields(&self) -> &Tensor {
        &self.fields
    }

    /// Those of one image.
    ///
    /// # Errors
    /// Where there is no such image.
    pub fn of(&self, image: usize) -> Result<Self> {
        let one = |tensor: &Tensor| tensor.narrow(0, image, 1);
        Ok(Self { fields: one(&self.fields)?, own: self.own.as_ref().map(one).transpose()? })
    }

    /// The same with other fields, `[N, C, h, w]`, in the place of one image's.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] for fields of another shape.
    pub fn with(&self, fields: &Tensor) -> Result<Self> {
        let (count, _, _, _) = fields.dims4()?;
        if fields.dims()[1..] != self.fields.dims()[1..] {
            let what = format!("maps are {:?}; got {:?}", &self.fields.dims()[1..], &fields.dims()[1..]);
            return Err(Error::new(ErrorKind::Tensor, what));
        }
        let as_many = |own: &Tensor| -> Result<Tensor> {
            let (_, channels, tokens, _) = own.dims4()?;
            Ok(own.broadcast_as((count, channels, tokens, 1))?.contiguous()?)
        };
        Ok(Self { fields: fields.clone(), own: self.own.as_ref().map(as_many).transpose()? })
    }
}

/// Where the fields of a map lie among a network's tokens.
struct Places {
    /// Tokens before them.
    own: usize,
    h: usize,
    w: usize,
}

impl Places {
    /// Those of a network that has tokens, for images of this size.
    fn of(network: &Network, images: Size) -> Option<Self> {
        let sizes = network.program.sizes(images);
        network.program.steps.iter().find_map(|node| {
            let tokens = (&*node.step as &dyn Any).downcast_ref::<Tokens>()?;
            let Size { h, w, .. } = sizes[node.input];
            Some(Self { own: tokens.own(), h, w })
        })
    }
}

impl Model {
    /// The last maps of images `[B, 3, H, W]`, without a graph: what Grad-CAM weighs.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] where images of this size do not fit the network.
    pub fn maps(&self, images: &Tensor) -> Result<Maps> {
        let network = self.body();
        let (_, c, h, w) = images.dims4()?;
        let size = Size { h, w, c };
        let maps = self.ready(0, network.maps, size)?.run(images)?;
        let Some(Places { own, h, w }) = Places::of(network, size) else { return Ok(Maps { fields: maps, own: None }) };
        let (pictures, channels, _, _) = maps.dims4()?;
        let fields = maps.narrow(2, own, h * w)?.contiguous()?.reshape((pictures, channels, h, w))?;
        Ok(Maps { fields, own: Some(maps.narrow(2, 0, own)?) })
    }

    /// Logits `[B, K]` from the last maps, with a graph that reaches their fields.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] where they are not of this network.
    pub fn logits_from_maps(&self, maps: &Maps) -> Result<Tensor> {
        let network = self.body();
        let maps = match &maps.own {
            None => maps.fields.clone(),
            Some(own) => Tensor::cat(&[own, &maps.fields.flatten_from(2)?.unsqueeze(3)?], 2)?,
        };
        let tail = self.program().range(network.maps..self.program().steps.len());
        self.numbers().logits(&tail, tail.steps.len(), &maps, true, None)
    }
}
