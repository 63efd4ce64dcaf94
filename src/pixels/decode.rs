//! From a file's bytes to pixels, within limits.

use super::Rgb;
use crate::error::Result;

/// What a picture may at most cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file. Default 64 MiB.
    pub file_bytes: usize,
    /// Width and height, in pixels. Default 20,000.
    pub side: u32,
    /// Width × height. Default 178,956,970 (Pillow's error bound).
    pub pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 64 << 20, side: 20_000, pixels: 178_956_970 }
    }
}

/// Decodes a JPEG or PNG and turns it upright as its EXIF data says.
pub fn decode(_bytes: &[u8], _limits: &Limits) -> Result<Rgb> {
    todo!()
}
