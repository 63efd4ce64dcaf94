//! What a format's decoder gives, within which limits, and how it refuses.

use image::RgbImage;
use image::metadata::Orientation;

pub use crate::base::config::Limits;
use crate::base::error::{Error, ErrorKind, Result};

/// Most bytes that a decoder may take for one picture, beside the result of three bytes a pixel: 1 GiB (twice as much for a JPEG XL). Only large
/// pictures of many bits come near, or those that claim to be.
pub const DECODER_BYTES: usize = 1 << 30;

/// What a format's decoder gives: pixels as they lie in the file, and how to turn them.
pub(super) struct Raw {
    pub(super) picture: RgbImage,
    pub(super) turn: Option<Orientation>,
    pub(super) laid_on_white: bool,
    pub(super) broken_exif: bool,
}

impl Limits {
    /// The error for a file of so many bytes.
    pub fn refuse_bytes(&self, bytes: u64) -> Error {
        beyond(format!("the file has {bytes} bytes; at most {} are read (setting limits.file_bytes)", self.file_bytes))
            .mend("raise limits.file_bytes in the settings, or --max-file-bytes")
    }

    /// Fails for a picture of so many pixels that is not to be read.
    pub(super) fn check(&self, width: usize, height: usize) -> Result<()> {
        let Self { side, pixels, .. } = *self;
        let is = format!("the picture is {width} × {height} pixels");
        if width == 0 || height == 0 {
            return Err(refused(format!("{is}: there is nothing in it")));
        }
        if width > side || height > side {
            return Err(beyond(format!("{is}; at most {side} a side are read (setting limits.side)"))
                .mend("raise limits.side in the settings, or --max-side; or make the picture smaller"));
        }
        if width.saturating_mul(height) > pixels {
            return Err(beyond(format!("{is}; at most {pixels} in all are read (setting limits.pixels)"))
                .mend("raise limits.pixels in the settings, or --max-pixels; or make the picture smaller"));
        }
        Ok(())
    }

    /// Fails for a picture that takes so many bytes to decode. Whoever set no limits has none.
    pub(super) fn check_memory(&self, bytes: u64) -> Result<()> {
        if *self == Self::NONE || bytes <= DECODER_BYTES as u64 {
            return Ok(());
        }
        let what = format!("decoding this picture takes {bytes} bytes of memory; at most {DECODER_BYTES} are taken");
        Err(beyond(what).mend("make the picture smaller, or give it 8 bits a colour"))
    }
}

/// The colour of four inks, as Pillow has it.
pub(super) fn rgb_of([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    [c, m, y].map(|ink| ((u16::from(255 - ink) * u16::from(255 - k) + 127) / 255) as u8)
}

/// The error for a picture that is damaged.
pub(super) fn refused(what: String) -> Error {
    Error::new(ErrorKind::Image, what)
}

/// The error for a picture that is beyond a limit.
pub(super) fn beyond(what: String) -> Error {
    Error::new(ErrorKind::Limit, what)
}
