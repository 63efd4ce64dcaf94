//! What tells one CAM method from another.

use std::fmt::Debug;

use candle_core::Tensor;

use super::super::seen::Seen;
use crate::base::error::Result;

/// A CAM method: what it makes of a photo's maps. All else, [`cam`](crate::explain::cam()) does for it.
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::{Method, Seen, cam::heat};
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
///     fn heat(&self, seen: &Seen) -> petal::Result<Tensor> {
///         Ok(seen.maps().mean(0)?)
///     }
/// }
///
/// let maps = Tensor::new(&[[[1f32, 2.]], [[3., 6.]]], &Device::Cpu)?;
/// let score = |maps: &Tensor| Ok(maps.sum((1, 2, 3))?);
/// assert_eq!(heat(&MeanMap, &Seen::new(&maps, &score)?)?.to_vec2::<f32>()?, [[2.0, 4.0]]);
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

    /// What its picture shows, as a title says it.
    fn shows(&self) -> &'static str {
        "what spoke for the class"
    }

    /// What each field of the maps counts, `[h, w]`. What is negative counts as nothing ([`heat`](crate::explain::cam::heat)). Most methods weigh
    /// the maps: [`Seen::weighed`].
    ///
    /// # Errors
    /// What Candle can give.
    fn heat(&self, seen: &Seen) -> Result<Tensor>;
}
