//! LayerCAM: a field counts as much as its own gradient says, if that speaks for the class.

use candle_core::Tensor;

use super::method::Method;
use crate::base::error::Result;

/// LayerCAM (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943): each field of a map is weighed by its own gradient where that is positive;
/// what speaks against the class takes nothing away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerCam;

impl Method for LayerCam {
    fn name(&self) -> &'static str {
        "layercam"
    }

    fn title(&self) -> &'static str {
        "LayerCAM"
    }

    fn weights(&self, _: &Tensor, gradients: &Tensor) -> Result<Tensor> {
        Ok(gradients.relu()?)
    }
}
