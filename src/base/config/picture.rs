//! What a network is shown of a photo: how it becomes a square, and how it is varied.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// How a photo, which may have any shape, becomes the square that a network sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// The middle of it: the shorter side fits, what is beyond at the other sides is not seen. As the ImageNet weights were trained.
    #[default]
    Crop,
    /// All of it, squeezed into the square: shapes change.
    Squash,
    /// All of it, in its shape: what is left of the square has the mean colour that the network was trained on.
    Pad,
}

impl FromStr for Fit {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "crop" => Ok(Self::Crop),
            "squash" => Ok(Self::Squash),
            "pad" => Ok(Self::Pad),
            other => Err(Error::unknown("fit", other, &["crop", "squash", "pad"])),
        }
    }
}

/// How training photos are varied, before the one resize and crop. All draws are even over their range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Mirrors half of the photos left to right. Default true.
    pub flip: bool,
    /// Turns by up to this many degrees either way; 0 to 180. Default 10.
    pub rotate: f64,
    /// Enlarges by a factor of 1 up to this; 1 to 4. Default 1.1.
    pub zoom: f64,
    /// Changes brightness by up to this fraction either way; 0 to 1. Default 0.2.
    pub brightness: f64,
    /// Changes contrast by up to this fraction either way; 0 to 1. Default 0.2.
    pub contrast: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self { flip: true, rotate: 10.0, zoom: 1.1, brightness: 0.2, contrast: 0.2 }
    }
}

impl AugmentConfig {
    /// No variation at all.
    pub const NONE: Self = Self { flip: false, rotate: 0.0, zoom: 1.0, brightness: 0.0, contrast: 0.0 };
}
