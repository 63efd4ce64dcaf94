//! What a network was trained to see: resize, centre crop, normalize.

use serde::{Deserialize, Serialize};

use super::Rgb;
use crate::error::Result;

/// How pixels between the pixels are found; both as in Pillow, with antialiasing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Triangle filter.
    Bilinear,
    /// Cubic filter, a = -0.5.
    Bicubic,
}

/// What a network was trained to see. It belongs to the weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Side of the square, in pixels.
    pub size: usize,
    /// The crop's side as a fraction of the resized photo's shorter side.
    pub crop: f64,
    /// Resampling filter.
    pub filter: Filter,
    /// Mean of each channel, of values in 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
}

impl Preprocess {
    /// Resize so that the shorter side is `floor(size / crop)`, then centre crop (timm's and torchvision's rule).
    pub fn crop(&self, _photo: &Rgb) -> Result<Rgb> {
        todo!()
    }

    /// `(value / 255 - mean) / std` for a cropped picture; `[H, W, 3]`.
    pub fn normalize(&self, _cropped: &Rgb) -> Vec<f32> {
        todo!()
    }
}
