//! What a network is shown of a photo: how it becomes a square, and how it is varied.

use std::fmt;
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
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// Shows a part of each photo, of a drawn place and shape (sides 3:4 to 4:3), whose area is at least this part of the photo's; 0 shows the usual
    /// part, at most 1. torchvision's `RandomResizedCrop`. Default 0.
    #[serde(skip_serializing_if = "is_nothing")]
    pub crop: f64,
    /// Changes each picture by one operation, drawn with its strength from fourteen: TrivialAugment (Müller & Hutter 2021, arXiv:2103.10158), "wide".
    /// Default false.
    #[serde(skip_serializing_if = "is_false")]
    pub trivial: bool,
    /// Covers a rectangle of the picture with the mean colour, with this probability; 0 to 1 (Zhong et al. 2017, arXiv:1708.04896). Default 0.
    #[serde(skip_serializing_if = "is_nothing")]
    pub erase: f64,
}

fn is_nothing(value: &f64) -> bool {
    *value == 0.0
}

fn is_false(value: &bool) -> bool {
    !value
}

/// As derived, but for what is at its default and came later: this text is part of the cache's key, and what was computed before holds still.
impl fmt::Debug for AugmentConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flip, rotate, zoom, brightness, contrast, crop, trivial, erase } = self;
        let mut shown = f.debug_struct("AugmentConfig");
        shown.field("flip", flip).field("rotate", rotate).field("zoom", zoom);
        shown.field("brightness", brightness).field("contrast", contrast);
        if !is_nothing(crop) {
            shown.field("crop", crop);
        }
        if *trivial {
            shown.field("trivial", trivial);
        }
        if !is_nothing(erase) {
            shown.field("erase", erase);
        }
        shown.finish()
    }
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self { flip: true, rotate: 10.0, zoom: 1.1, brightness: 0.2, contrast: 0.2, ..Self::NONE }
    }
}

impl AugmentConfig {
    /// No variation at all.
    pub const NONE: Self = Self {
        flip: false,
        rotate: 0.0,
        zoom: 1.0,
        brightness: 0.0,
        contrast: 0.0,
        crop: 0.0,
        trivial: false,
        erase: 0.0,
    };
}
