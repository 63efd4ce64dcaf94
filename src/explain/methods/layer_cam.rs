//! LayerCAM: a field counts as much as its own gradient says, if that speaks for the class.

use candle_core::Tensor;

use super::super::seen::Seen;
use super::method::Method;
use crate::base::error::Result;

/// LayerCAM (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943): each field of a map is weighed by its own gradient where that is positive;
/// what speaks against the class takes nothing away.
///
/// By pytorch-grad-cam's `LayerCAM`, as [`GradCam`](super::GradCam) says:
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::{LayerCam, Seen, cam::heat};
///
/// let maps = Tensor::new(&[[[1f32, 2., 0.], [0.5, 1., 3.]], [[0., 1., 2.], [2., 0.5, 1.]]], &Device::Cpu)?;
/// let w = Tensor::new(&[[[1f32, -2., 0.], [0.5, 1., -1.]], [[-1., 0., 2.], [1., 0.5, 0.25]]], &Device::Cpu)?;
/// let score = |maps: &Tensor| Ok((maps.sqr()?.broadcast_mul(&w)?.sum((1, 2, 3))? / 4.0)?);
/// let heat = heat(&LayerCam, &Seen::new(&maps, &score)?)?.to_vec2::<f32>()?;
/// let expected = [[0.5, 0.0, 4.0], [2.0625, 0.5625, 0.125]];
/// for (got, expected) in heat.iter().flatten().zip(expected.as_flattened()) {
///     assert!((got - expected).abs() < 1e-5, "{heat:?}");
/// }
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerCam;

impl Method for LayerCam {
    fn name(&self) -> &'static str {
        "layercam"
    }

    fn title(&self) -> &'static str {
        "LayerCAM"
    }

    fn heat(&self, seen: &Seen) -> Result<Tensor> {
        seen.weighed(&seen.gradients()?.relu()?)
    }
}
