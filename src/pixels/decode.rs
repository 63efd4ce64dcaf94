//! From a file's bytes to pixels, within limits.

pub(super) mod exif;
mod jpeg;
mod jxl;
mod markers;
mod png_text;
mod samples;
mod still;
mod tiff;
mod white;

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};

use super::{Format, Rgb};
pub use crate::base::config::Limits;
use crate::base::error::{Error, ErrorKind, Result};

/// Most bytes that a decoder may take for one picture, beside the result of three bytes a pixel: 1 GiB (twice as much for a JPEG XL). Only large
/// pictures of many bits come near, or those that claim to be.
pub const DECODER_BYTES: usize = 1 << 30;

/// A picture, and what had to be done to make it one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Upright, 8-bit RGB.
    pub picture: Rgb,
    /// Whether something of it is transparent, and was laid on white.
    pub laid_on_white: bool,
    /// Whether it has EXIF data that cannot be read, so that it may lie on its side.
    pub broken_exif: bool,
}

/// What a format's decoder gives: pixels as they lie in the file, and how to turn them.
struct Raw {
    picture: RgbImage,
    turn: Option<Orientation>,
    laid_on_white: bool,
    broken_exif: bool,
}

impl Limits {
    /// The error for a file of so many bytes.
    pub fn refuse_bytes(&self, bytes: u64) -> Error {
        beyond(format!("the file has {bytes} bytes; at most {} are read (setting limits.file_bytes)", self.file_bytes))
            .mend("raise limits.file_bytes in the settings, or --max-file-bytes")
    }

    /// Fails for a picture of so many pixels that is not to be read.
    fn check(&self, width: usize, height: usize) -> Result<()> {
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
    fn check_memory(&self, bytes: u64) -> Result<()> {
        if *self == Self::NONE || bytes <= DECODER_BYTES as u64 {
            return Ok(());
        }
        let what = format!("decoding this picture takes {bytes} bytes of memory; at most {DECODER_BYTES} are taken");
        Err(beyond(what).mend("make the picture smaller, or give it 8 bits a colour"))
    }
}

/// Decodes a JPEG, PNG, WebP, GIF, BMP, TIFF or JPEG XL and turns it upright as its EXIF data or XMP say; what it is, its bytes tell, not its name. Of
/// several pictures it is the first.
///
/// As Pillow's `ImageOps.exif_transpose(image).convert("RGB")` on a white ground: grey, palette and CMYK become RGB; 16 bits become 8; what is
/// transparent is laid on white.
///
/// # Errors
/// [`ErrorKind::Format`]: something else (it says what it is instead). [`ErrorKind::Limit`]: beyond the limits. [`ErrorKind::Image`]: damaged or cut
/// short. A decoder that panics counts as damaged.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Rgb> {
    Ok(decode_noted(bytes, limits)?.picture)
}

/// The same, with what is to be said of it.
///
/// # Errors
/// Those of [`decode`].
pub fn decode_noted(bytes: &[u8], limits: &Limits) -> Result<Decoded> {
    if bytes.len() > limits.file_bytes {
        return Err(limits.refuse_bytes(bytes.len() as u64));
    }
    let Raw { picture, turn, laid_on_white, broken_exif } = fenced(|| match Format::of(bytes) {
        Format::Jpeg => jpeg::decode(bytes, limits),
        Format::Png => still::decode(bytes, ImageFormat::Png, "PNG", limits),
        Format::WebP => still::decode(bytes, ImageFormat::WebP, "WebP", limits),
        Format::Gif => still::decode(bytes, ImageFormat::Gif, "GIF", limits),
        Format::Bmp => still::decode(bytes, ImageFormat::Bmp, "BMP", limits),
        Format::Tiff => tiff::decode(bytes, limits),
        Format::JpegXl => jxl::decode(bytes, limits),
        format => Err(format.refused()),
    })?;
    let picture = upright(picture, turn);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Ok(Decoded { picture: Rgb { width, height, data: picture.into_raw() }, laid_on_white, broken_exif })
}

/// Decoders panic on some damaged files: that ends the file, not the process.
fn fenced<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(refused("the decoder gave up on this file: it is damaged".into())))
}

fn upright(picture: RgbImage, turn: Option<Orientation>) -> RgbImage {
    match turn {
        None | Some(Orientation::NoTransforms) => picture,
        Some(turn) => {
            let mut picture = DynamicImage::ImageRgb8(picture);
            picture.apply_orientation(turn);
            picture.into_rgb8()
        }
    }
}

/// The colour of four inks, as Pillow has it.
fn rgb_of([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    [c, m, y].map(|ink| ((u16::from(255 - ink) * u16::from(255 - k) + 127) / 255) as u8)
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::Image, what)
}

fn beyond(what: String) -> Error {
    Error::new(ErrorKind::Limit, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f31_a_decoder_that_panics_is_an_error_of_that_file() {
        let limits = Limits::default();
        let broken = fenced::<Rgb>(|| panic!("index out of bounds: the len is 128 but the index is {}", limits.side));
        let error = broken.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Image);
        assert!(error.what().contains("the decoder gave up"), "{error}");
        assert_eq!(fenced(|| Ok(7)).unwrap(), 7);
    }
}
