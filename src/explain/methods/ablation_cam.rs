//! Ablation-CAM: a map counts as much as the logit falls without it.

use candle_core::{DType, Tensor};

use super::super::seen::Seen;
use super::method::Method;
use crate::base::error::Result;

/// Ablation-CAM (Desai & Ramaswamy 2020, doi:10.1109/WACV45572.2020.9093360): a map's weight is the part of the logit that goes when the map is
/// 0. It takes no gradients, and one pass through the head for each map: seconds a photo where there are thousands.
///
/// Maps are put to 0 as in the paper. pytorch-grad-cam does so where no value is below 0, which holds behind a ReLU; elsewhere it takes a very
/// large negative number instead. Where the logit is negative, so are the weights of what speaks for the class, there and here. A logit of exactly
/// 0 has no parts: then a weight is the fall itself.
///
/// By pytorch-grad-cam's `AblationCAM`, as [`GradCam`](super::GradCam) says:
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::{AblationCam, Seen, cam::heat};
///
/// let maps = Tensor::new(&[[[1f32, 2., 0.], [0.5, 1., 3.]], [[0., 1., 2.], [2., 0.5, 1.]]], &Device::Cpu)?;
/// let w = Tensor::new(&[[[1f32, -2., 0.], [0.5, 1., -1.]], [[-1., 0., 2.], [1., 0.5, 0.25]]], &Device::Cpu)?;
/// let score = |maps: &Tensor| Ok((maps.sqr()?.broadcast_mul(&w)?.sum((1, 2, 3))? / 4.0)?);
/// let heat = heat(&AblationCam, &Seen::new(&maps, &score)?)?.to_vec2::<f32>()?;
/// let expected = [[5.95, 6.95, 0.0], [0.0, 3.475, 12.9]];
/// for (got, expected) in heat.iter().flatten().zip(expected.as_flattened()) {
///     assert!((got - expected).abs() < 1e-5, "{heat:?}");
/// }
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AblationCam;

/// Maps that are left out side by side, each from a copy of all maps: what bounds the memory.
const COPIES: usize = 32;

impl Method for AblationCam {
    fn name(&self) -> &'static str {
        "ablationcam"
    }

    fn title(&self) -> &'static str {
        "Ablation-CAM"
    }

    fn unit(&self) -> &'static str {
        "map × part of the logit"
    }

    fn heat(&self, seen: &Seen) -> Result<Tensor> {
        let maps = seen.maps().unsqueeze(0)?;
        let (_, channels, _, _) = maps.dims4()?;
        let logit = seen.score(&maps)?.to_dtype(DType::F32)?.to_vec1::<f32>()?[0];
        let whole = if logit == 0.0 { 1.0 } else { logit };
        let mut weights = Vec::with_capacity(channels);
        for first in (0..channels).step_by(COPIES) {
            let copies = COPIES.min(channels - first);
            let mut kept = vec![1f32; copies * channels];
            (0..copies).for_each(|copy| kept[copy * channels + first + copy] = 0.0);
            let kept = Tensor::from_vec(kept, (copies, channels, 1, 1), maps.device())?.to_dtype(maps.dtype())?;
            let without = seen.score(&maps.broadcast_mul(&kept)?)?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
            weights.extend(without.into_iter().map(|without| (logit - without) / whole));
        }
        seen.weighed(&Tensor::from_vec(weights, (channels, 1, 1), maps.device())?.to_dtype(maps.dtype())?)
    }
}
