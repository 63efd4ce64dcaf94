//! HiResCAM: a field counts as much as its own gradient says.

use candle_core::Tensor;

use super::method::Method;
use crate::base::error::Result;

/// HiResCAM (Draelos & Carin 2020, arXiv:2011.08891): each field of a map is weighed by its own gradient, so that the heat lies where the
/// network computed it. Where the network averages its maps before the head, as ResNets do, all fields of a map have one gradient, and
/// Grad-CAM gives the same; in the baseline it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HiResCam;

impl Method for HiResCam {
    fn name(&self) -> &'static str {
        "hirescam"
    }

    fn title(&self) -> &'static str {
        "HiResCAM"
    }

    fn weights(&self, _: &Tensor, gradients: &Tensor) -> Result<Tensor> {
        Ok(gradients.clone())
    }
}
