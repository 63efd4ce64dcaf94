//! From pixels to a file's bytes.

use std::io::Cursor;

use image::ExtendedColorType::Rgb8;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ImageEncoder, ImageFormat};

use super::rgb::Rgb;
use crate::base::error::{Error, ErrorKind, Result};

/// The bytes of a PNG file.
pub fn encode_png(picture: &Rgb) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Rgb { width, height, data } = picture;
    PngEncoder::new(&mut bytes).write_image(data, *width as u32, *height as u32, Rgb8).map_err(failed)?;
    Ok(bytes)
}

/// What a PNG file says of the program that made it: a text chunk with the keyword `Software` (PNG specification, section 11.3.4).
const SOFTWARE: &[u8] = b"Software\0petal";

/// The same with a mark that petal has drawn it, by which [`is_drawn_by_petal`] tells figures from photos.
pub fn encode_figure(picture: &Rgb) -> Result<Vec<u8>> {
    let bytes = encode_png(picture)?;
    let named = [b"tEXt", SOFTWARE].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&named);
    let (head, rest) = bytes.split_at(AFTER_HEADER);
    Ok([head, &(SOFTWARE.len() as u32).to_be_bytes(), &named, &crc.sum().to_be_bytes(), rest].concat())
}

/// Whether a file that begins with these bytes is a figure that petal has drawn.
pub fn is_drawn_by_petal(beginning: &[u8]) -> bool {
    let chunk = beginning.get(AFTER_HEADER + 8..).unwrap_or_default();
    beginning.starts_with(b"\x89PNG\r\n\x1a\n") && chunk.starts_with(SOFTWARE)
}

/// Bytes of a PNG's signature and header, after which other chunks may stand.
const AFTER_HEADER: usize = 33;

/// The bytes of a JPEG file; quality from 1 to 100.
pub fn encode_jpeg(picture: &Rgb, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Rgb { width, height, data } = picture;
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.write_image(data, *width as u32, *height as u32, Rgb8).map_err(failed)?;
    Ok(bytes)
}

/// The bytes of a file of another format, without loss but in a GIF.
pub(crate) fn encode(picture: &Rgb, format: ImageFormat) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let Rgb { width, height, data } = picture;
    image::write_buffer_with_format(&mut bytes, data, *width as u32, *height as u32, Rgb8, format).map_err(failed)?;
    Ok(bytes.into_inner())
}

fn failed(cause: image::ImageError) -> Error {
    Error::new(ErrorKind::Image, format!("this picture cannot be encoded: {cause}"))
}
