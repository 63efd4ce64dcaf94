//! What is known of a photo beside what it shows: its size, its light, where it comes from.

use std::path::Path;

use super::photo;
use crate::base::error::Result;
use crate::pixels::{Limits, Look, Origin, Rgb};

/// What is known of a photo beside what it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Width and height in pixels, upright.
    pub size: (usize, usize),
    /// Bytes of the file.
    pub bytes: u64,
    /// How sharp, light and rich it is, and its border.
    pub look: Look,
    /// Its format, compression, camera and time.
    pub origin: Origin,
}

impl Facts {
    /// Reads a photo that was admitted before.
    ///
    /// # Errors
    /// What reading a photo can give.
    pub fn of(path: &Path) -> Result<Self> {
        let bytes = photo::bytes(path, &Limits::NONE)?;
        let picture = photo::decode(path, &bytes, &Limits::NONE)?.picture;
        Self::of_picture(picture, &bytes).map_err(|error| error.at(path))
    }

    /// The same of a picture that was decoded from these bytes.
    ///
    /// # Errors
    /// Those of [`Look::of`].
    pub fn of_picture(picture: Rgb, bytes: &[u8]) -> Result<Self> {
        let (size, origin) = ((picture.width, picture.height), Origin::of(bytes));
        Ok(Self { size, bytes: bytes.len() as u64, look: Look::of(picture)?, origin })
    }

    /// Pixels in all.
    pub fn pixels(&self) -> usize {
        self.size.0 * self.size.1
    }

    /// The longer side over the shorter one, at least 1.
    pub fn shape(&self) -> f64 {
        let (width, height) = self.size;
        width.max(height) as f64 / width.min(height).max(1) as f64
    }
}
