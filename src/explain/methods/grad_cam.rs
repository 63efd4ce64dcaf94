//! Grad-CAM: a map counts as much as its mean gradient says.

use candle_core::Tensor;

use super::method::Method;
use crate::base::error::Result;

/// Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): a map's weight is the mean over all fields of the logit's gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GradCam;

impl Method for GradCam {
    fn name(&self) -> &'static str {
        "gradcam"
    }

    fn title(&self) -> &'static str {
        "Grad-CAM"
    }

    fn weights(&self, _: &Tensor, gradients: &Tensor) -> Result<Tensor> {
        Ok(gradients.mean_keepdim((2, 3))?)
    }
}
