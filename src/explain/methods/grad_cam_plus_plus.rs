//! Grad-CAM++: a map counts as much as those of its fields say that speak for the class, each by how few they are.

use candle_core::Tensor;

use super::super::seen::Seen;
use super::method::Method;
use crate::base::error::Result;

/// Added to the denominator, as pytorch-grad-cam does.
const EPSILON: f64 = 1e-6;

/// Grad-CAM++ (Chattopadhay et al. 2018, arXiv:1710.11063): a map's weight is the sum of its positive gradients, each times
/// `g² / (2 g² + g³ Σ A)`, so that several small places of a class count as one large place does. As in pytorch-grad-cam, 1e-6 is added to
/// the denominator: it shows where gradients are as small as a thousandth.
///
/// By pytorch-grad-cam's `GradCAMPlusPlus`, as [`GradCam`](super::GradCam) says:
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::{GradCamPlusPlus, Seen, cam::heat};
///
/// let maps = Tensor::new(&[[[1f32, 2., 0.], [0.5, 1., 3.]], [[0., 1., 2.], [2., 0.5, 1.]]], &Device::Cpu)?;
/// let w = Tensor::new(&[[[1f32, -2., 0.], [0.5, 1., -1.]], [[-1., 0., 2.], [1., 0.5, 0.25]]], &Device::Cpu)?;
/// let score = |maps: &Tensor| Ok((maps.sqr()?.broadcast_mul(&w)?.sum((1, 2, 3))? / 4.0)?);
/// let heat = heat(&GradCamPlusPlus, &Seen::new(&maps, &score)?)?.to_vec2::<f32>()?;
/// let expected = [[0.216465, 0.772798, 0.679734], [0.787967, 0.386399, 0.989263]];
/// for (got, expected) in heat.iter().flatten().zip(expected.as_flattened()) {
///     assert!((got - expected).abs() < 1e-5, "{heat:?}");
/// }
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GradCamPlusPlus;

impl Method for GradCamPlusPlus {
    fn name(&self) -> &'static str {
        "gradcam++"
    }

    fn title(&self) -> &'static str {
        "Grad-CAM++"
    }

    fn heat(&self, seen: &Seen) -> Result<Tensor> {
        let gradients = seen.gradients()?;
        let square = gradients.sqr()?;
        let by_map = seen.maps().sum_keepdim((1, 2))?.broadcast_mul(&(&square * &gradients)?)?;
        // Equation 19. Where the gradient is 0, so is the share.
        let shares = (&square / (((&square * 2.0)? + by_map)? + EPSILON)?)?;
        seen.weighed(&(gradients.relu()? * shares)?.sum_keepdim((1, 2))?)
    }
}
