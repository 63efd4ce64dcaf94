//! What is known of a photo beside what it shows: its size, its light, where it comes from.

use std::path::Path;

use crate::base::error::Result;
use crate::data::photo;
use crate::pixels::{Limits, Look, Origin};

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
        let (size, origin) = ((picture.width, picture.height), Origin::of(&bytes));
        let look = Look::of(picture).map_err(|error| error.at(path))?;
        Ok(Self { size, bytes: bytes.len() as u64, look, origin })
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
