//! What tells one CAM method from another.

use std::fmt::Debug;

use candle_core::Tensor;

use crate::base::error::Result;

/// A CAM method: how it weighs the maps. All else, [`cam`](crate::explain::cam()) does for it.
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::Method;
/// use petal::explain::cam::weigh;
///
/// /// Every map counts as much as any other, whatever the class.
/// #[derive(Debug)]
/// struct MeanMap;
///
/// impl Method for MeanMap {
///     fn name(&self) -> &'static str {
///         "meanmap"
///     }
///
///     fn title(&self) -> &'static str {
///         "Mean of the maps"
///     }
///
///     fn weights(&self, maps: &Tensor, _: &Tensor) -> petal::Result<Tensor> {
///         let channels = maps.dim(1)?;
///         Ok((Tensor::ones((1, channels, 1, 1), maps.dtype(), maps.device())? / channels as f64)?)
///     }
/// }
///
/// let maps = Tensor::new(&[[[[1f32, 2.]], [[3., 6.]]]], &Device::Cpu)?;
/// assert_eq!(weigh(&MeanMap, &maps, &maps.zeros_like()?)?.to_vec3::<f32>()?, [[[2.0, 4.0]]]);
/// # Ok::<(), petal::Error>(())
/// ```
pub trait Method: Debug + Sync {
    /// What it is called in settings and file names: lower-case, without spaces.
    fn name(&self) -> &'static str;

    /// What it is called in sentences.
    fn title(&self) -> &'static str;

    /// What its values are in, as a picture's legend says it.
    fn unit(&self) -> &'static str {
        "strength, in no unit"
    }

    /// What the maps are multiplied with before they are summed over channels: a weight a map, `[B, C, 1, 1]`, or one a field of each map,
    /// `[B, C, h, w]`. `gradients` are the logit's by `maps`; both are `[B, C, h, w]`.
    ///
    /// # Errors
    /// What Candle can give.
    fn weights(&self, maps: &Tensor, gradients: &Tensor) -> Result<Tensor>;
}
