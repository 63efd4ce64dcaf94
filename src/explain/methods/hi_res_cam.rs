//! HiResCAM: a field counts as much as its own gradient says.

use candle_core::Tensor;

use super::super::seen::Seen;
use super::method::Method;
use crate::base::error::Result;

/// HiResCAM (Draelos & Carin 2020, arXiv:2011.08891): each field of a map is weighed by its own gradient, so that the heat lies where the
/// network computed it. Where the network averages its maps before the head, as ResNets do, all fields of a map have one gradient, and
/// Grad-CAM gives the same; in the baseline it does not.
///
/// By pytorch-grad-cam's `HiResCAM`, as [`GradCam`](super::GradCam) says:
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::{HiResCam, Seen, cam::heat};
///
/// let maps = Tensor::new(&[[[1f32, 2., 0.], [0.5, 1., 3.]], [[0., 1., 2.], [2., 0.5, 1.]]], &Device::Cpu)?;
/// let w = Tensor::new(&[[[1f32, -2., 0.], [0.5, 1., -1.]], [[-1., 0., 2.], [1., 0.5, 0.25]]], &Device::Cpu)?;
/// let score = |maps: &Tensor| Ok((maps.sqr()?.broadcast_mul(&w)?.sum((1, 2, 3))? / 4.0)?);
/// let heat = heat(&HiResCam, &Seen::new(&maps, &score)?)?.to_vec2::<f32>()?;
/// let expected = [[0.5, 0.0, 4.0], [2.0625, 0.5625, 0.0]];
/// for (got, expected) in heat.iter().flatten().zip(expected.as_flattened()) {
///     assert!((got - expected).abs() < 1e-5, "{heat:?}");
/// }
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HiResCam;

impl Method for HiResCam {
    fn name(&self) -> &'static str {
        "hirescam"
    }

    fn title(&self) -> &'static str {
        "HiResCAM"
    }

    fn unit(&self) -> &'static str {
        "part in the logit"
    }

    fn heat(&self, seen: &Seen) -> Result<Tensor> {
        seen.weighed(&seen.gradients()?)
    }
}
