//! What a network was trained to see: resize, centre crop, normalize.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::region::Region;
use super::resize::{Filter, resize};
use super::rgb::Rgb;
use crate::base::config::Fit;
use crate::base::error::Result;

/// What a network was trained to see. It belongs to the weights.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Side of the square, in pixels.
    pub size: usize,
    /// The crop's side as a fraction of the resized photo's shorter side, above 0, at most 1.
    pub crop: f64,
    /// How a photo becomes the square. Default [`Fit::Crop`], which is not written, so that files from before it are the same.
    #[serde(default, skip_serializing_if = "is_crop")]
    pub fit: Fit,
    /// Resampling filter.
    pub filter: Filter,
    /// Mean of each channel, of values in 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
}

fn is_crop(fit: &Fit) -> bool {
    *fit == Fit::Crop
}

/// As derived, but for the default fit: this text is part of the cache's key, and what was computed before there were others holds still.
impl fmt::Debug for Preprocess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, crop, fit, filter, mean, std } = self;
        let mut shown = f.debug_struct("Preprocess");
        shown.field("size", size).field("crop", crop);
        if !is_crop(fit) {
            shown.field("fit", fit);
        }
        shown.field("filter", filter).field("mean", mean).field("std", std).finish()
    }
}

impl Preprocess {
    /// The square that the network sees of a photo, as [`Fit`] says.
    ///
    /// # Errors
    /// [`ErrorKind::Image`](crate::ErrorKind::Image) for a picture of no pixels.
    pub fn square(&self, photo: &Rgb) -> Result<Rgb> {
        let whole = (0.0, 0.0, photo.width as f64, photo.height as f64);
        match self.fit {
            Fit::Crop => self.crop(photo),
            Fit::Squash => resize(photo, self.filter, whole, (self.size, self.size)),
            Fit::Pad => self.pad(photo, whole),
        }
    }

    /// A region of a photo, squeezed into the square that the network sees.
    ///
    /// # Errors
    /// [`ErrorKind::Image`](crate::ErrorKind::Image) for a region of no pixels.
    pub fn region(&self, photo: &Rgb, region: Region) -> Result<Rgb> {
        let Region { left, top, width, height } = region;
        let frame = (left as f64, top as f64, width as f64, height as f64);
        resize(photo, self.filter, frame, (self.size, self.size))
    }

    /// The mean colour of what it was trained on: what is covered, or beside a photo, is nothing to the network.
    pub fn mean_colour(&self) -> [u8; 3] {
        self.mean.map(|mean| (255.0 * mean).round() as u8)
    }

    /// The photo in its shape, in the middle of a square of the mean colour: what is beside it is zero to the network.
    fn pad(&self, photo: &Rgb, whole: (f64, f64, f64, f64)) -> Result<Rgb> {
        let longer = photo.width.max(photo.height).max(1) as f64;
        let scaled = |length: usize| ((self.size as f64 * length as f64 / longer).round() as usize).clamp(1, self.size);
        let (width, height) = (scaled(photo.width), scaled(photo.height));
        let small = resize(photo, self.filter, whole, (width, height))?;
        let colour = self.mean_colour();
        let mut data: Vec<u8> = std::iter::repeat_n(colour, self.size * self.size).flatten().collect();
        let (left, top) = ((self.size - width) / 2, (self.size - height) / 2);
        for (y, row) in small.data.chunks_exact(width * 3).enumerate() {
            data[((top + y) * self.size + left) * 3..][..width * 3].copy_from_slice(row);
        }
        Ok(Rgb { width: self.size, height: self.size, data })
    }

    /// Resizes so that the shorter side is `floor(size / crop)`, then crops the centre: torchvision's and timm's rule. Only
    /// what the crop shows is computed.
    fn crop(&self, photo: &Rgb) -> Result<Rgb> {
        let (width, height) = (photo.width as f64, photo.height as f64);
        let shorter = (self.size as f64 / self.crop).floor().max(self.size as f64);
        // Python: `int(size * long / short)`.
        let longer = |long: f64, short: f64| (shorter * long / short).floor();
        let (to_width, to_height) =
            if width <= height { (shorter, longer(height, width)) } else { (longer(width, height), shorter) };
        // Python: `int(round((h - size) / 2.0))`, and its `round` takes a half to the even side.
        let side = self.size as f64;
        let offset = |resized: f64| ((resized - side) / 2.0).round_ties_even();
        let (scale_x, scale_y) = (width / to_width, height / to_height);
        let frame = (offset(to_width) * scale_x, offset(to_height) * scale_y, side * scale_x, side * scale_y);
        resize(photo, self.filter, frame, (self.size, self.size))
    }

    /// `(value / 255 − mean) / std` for a cropped picture: `[H, W, 3]`.
    pub fn normalize(&self, cropped: &Rgb) -> Vec<f32> {
        let table = |channel: usize| -> Vec<f32> {
            (0..=255u8).map(|v| (f32::from(v) / 255.0 - self.mean[channel]) / self.std[channel]).collect()
        };
        let tables = [table(0), table(1), table(2)];
        let mut values = Vec::with_capacity(cropped.data.len());
        for pixel in cropped.data.chunks_exact(3) {
            values.extend((0..3).map(|channel| tables[channel][usize::from(pixel[channel])]));
        }
        values
    }
}
