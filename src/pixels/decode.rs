//! From a file's bytes to pixels, within limits.

pub(super) mod exif;
mod jpeg;
mod jxl;
mod markers;
mod origin;
mod png_text;
mod raw;
mod samples;
mod still;
mod tiff;
mod white;

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};

use self::raw::{Raw, refused};
use super::format::Format;
use super::rgb::Rgb;
use crate::base::error::Result;

pub use self::origin::Origin;
pub use self::raw::{DECODER_BYTES, Limits};

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

/// Decodes a JPEG, PNG, WebP, GIF, BMP, TIFF or JPEG XL and turns it upright as its EXIF data or XMP say; what it is, its bytes tell, not its name. Of
/// several pictures it is the first.
///
/// As Pillow's `ImageOps.exif_transpose(image).convert("RGB")` on a white ground: grey, palette and CMYK become RGB; 16 bits become 8; what is
/// transparent is laid on white.
///
/// # Errors
/// [`ErrorKind::Format`](crate::ErrorKind::Format): something else (it says what it is instead). [`ErrorKind::Limit`](crate::ErrorKind::Limit): beyond the limits. [`ErrorKind::Image`](crate::ErrorKind::Image): damaged or cut
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::ErrorKind;

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
