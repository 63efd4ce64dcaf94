//! From pixels to a file's bytes.

use image::ExtendedColorType::Rgb8;
use image::ImageEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;

use super::Rgb;
use crate::error::{Error, ErrorKind, Result};

/// The bytes of a PNG file.
pub fn encode_png(picture: &Rgb) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Rgb { width, height, data } = picture;
    PngEncoder::new(&mut bytes).write_image(data, *width as u32, *height as u32, Rgb8).map_err(failed)?;
    Ok(bytes)
}

/// The bytes of a JPEG file; quality from 1 to 100.
pub fn encode_jpeg(picture: &Rgb, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Rgb { width, height, data } = picture;
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.write_image(data, *width as u32, *height as u32, Rgb8).map_err(failed)?;
    Ok(bytes)
}

fn failed(cause: image::ImageError) -> Error {
    Error::new(ErrorKind::Image, format!("this picture cannot be encoded: {cause}"))
}
