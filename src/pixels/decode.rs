//! From a file's bytes to pixels, within limits.

use std::borrow::Cow;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::Rgb;
use super::markers::Markers;
pub use crate::config::Limits;
use crate::error::{Error, ErrorKind, Result};

impl Limits {
    /// The error for a file of so many bytes.
    pub fn refuse_bytes(&self, bytes: u64) -> Error {
        refused(format!("the file has {bytes} bytes; at most {} are read (setting limits.file_bytes)", self.file_bytes))
            .mend("raise limits.file_bytes in the settings, or --max-file-bytes")
    }
}

/// Decodes a JPEG or PNG and turns it upright as its EXIF data says; what it is, its bytes tell, not its name.
///
/// As Pillow's `ImageOps.exif_transpose(image).convert("RGB")`: grey and CMYK become RGB, alpha is dropped. 16 bits become 8.
///
/// # Errors
/// [`ErrorKind::Image`]: not a JPEG or PNG (it says what it is instead), damaged, cut short, or beyond the limits. A
/// decoder that panics counts as damaged.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Rgb> {
    if bytes.len() > limits.file_bytes {
        return Err(refused(format!("the file has {} bytes; at most {} are read", bytes.len(), limits.file_bytes)));
    }
    let format = Format::of(bytes);
    let picture = fenced(|| match format {
        Format::Jpeg => jpeg(bytes, limits),
        Format::Png => png(bytes, limits),
        Format::Other(name) => Err(refused(format!("this is {name}; JPEG and PNG can be read"))),
    })?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Ok(Rgb { width, height, data: picture.into_raw() })
}

/// Whether these are a JPEG with EXIF data that cannot be read. It decodes all the same, as it lies.
pub fn has_broken_exif(bytes: &[u8]) -> bool {
    matches!(Format::of(bytes), Format::Jpeg) && Markers::of(bytes).is_some_and(|markers| markers.has_broken_exif())
}

/// Decoders panic on some damaged files: that ends the file, not the process.
fn fenced<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(refused("the decoder gave up on this file: it is damaged".into())))
}

/// How many bytes of a file tell its format.
pub const BEGINNING: usize = 512;

/// What a file is, as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JPEG.
    Jpeg,
    /// A PNG.
    Png,
    /// Something else, by its name: `a GIF`.
    Other(&'static str),
}

impl Format {
    /// Whether it can be read.
    pub fn is_read(self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Whether it is a picture, readable or not.
    pub fn is_picture(self) -> bool {
        self.is_read() || matches!(self, Self::Other("a GIF" | "a WebP" | "an AVIF" | "a HEIC" | "a BMP" | "a TIFF"))
    }

    /// Why it is not read.
    pub fn refused(self) -> String {
        match self {
            Self::Other(name) => format!("{name}; JPEG and PNG can be read"),
            _ => String::new(),
        }
    }

    /// The format of a file that begins with these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let at = |start: usize, magic: &[u8]| bytes.get(start..).is_some_and(|rest| rest.starts_with(magic));
        match bytes {
            [] => Self::Other("an empty file"),
            _ if at(0, &[0xff, 0xd8, 0xff]) => Self::Jpeg,
            _ if at(0, b"\x89PNG\r\n\x1a\n") => Self::Png,
            _ if at(0, b"GIF8") => Self::Other("a GIF"),
            _ if at(0, b"RIFF") && at(8, b"WEBP") => Self::Other("a WebP"),
            _ if at(4, b"ftypavif") || at(4, b"ftypavis") => Self::Other("an AVIF"),
            _ if at(4, b"ftyphei") || at(4, b"ftypmif1") || at(4, b"ftyphev") => Self::Other("a HEIC"),
            _ if at(0, b"BM") => Self::Other("a BMP"),
            _ if at(0, b"II*\0") || at(0, b"MM\0*") => Self::Other("a TIFF"),
            _ if is_text(bytes) => Self::Other("text, not a picture"),
            _ => Self::Other("not a picture"),
        }
    }
}

/// Whether a file begins as UTF-8 text does.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // A letter may be cut in two.
        Err(cause) if cause.error_len().is_none() => std::str::from_utf8(&start[..cause.valid_up_to()]).unwrap_or(""),
        Err(_) => "",
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_whitespace())
}

fn jpeg(bytes: &[u8], limits: &Limits) -> Result<RgbImage> {
    let cut = |what: &str| refused(format!("the JPEG is cut short: {what}"));
    let markers = Markers::of(bytes).ok_or_else(|| cut("its end is missing"))?;
    if !markers.has_all_scans() {
        return Err(cut("it ends before its last scan"));
    }
    // Of rows that are missing before the end marker, the decoder says nothing; of a stream that runs dry, it does. It reads up to
    // eight bytes ahead.
    let mut stream = Cow::Borrowed(bytes);
    if markers.is_sequential() {
        stream = Cow::Owned([&bytes[..markers.end], &[0; 8]].concat());
    }
    let damaged = |cause: DecodeErrors| match cause {
        DecodeErrors::Unsupported(kind) => refused(format!("this kind of JPEG cannot be read: {kind:?}")),
        DecodeErrors::ExhaustedData | DecodeErrors::FormatStatic("Premature end of buffer") => cut("rows are missing"),
        cause => refused(format!("the JPEG is damaged: {}", cause.to_string().trim_matches('"'))),
    };
    let options = DecoderOptions::default()
        .set_max_width(limits.side)
        .set_max_height(limits.side)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream.as_ref()), options);
    decoder.decode_headers().map_err(damaged)?;
    let info = decoder.info().ok_or_else(|| refused("the JPEG has no header".into()))?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    check_size(width, height, limits)?;
    let turn = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let data = decoder.decode().map_err(damaged)?;
    let data = match decoder.output_colorspace() {
        Some(ColorSpace::Luma) => data.iter().flat_map(|&grey| [grey; 3]).collect(),
        _ => data,
    };
    let picture = RgbImage::from_raw(width as u32, height as u32, data)
        .ok_or_else(|| refused("the JPEG has another number of pixels than its header says".into()))?;
    Ok(upright(picture, turn))
}

fn png(bytes: &[u8], limits: &Limits) -> Result<RgbImage> {
    let damaged = |cause: image::ImageError| refused(format!("the PNG is damaged: {cause}"));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image::ImageFormat::Png);
    let mut bounds = image::Limits::default();
    bounds.max_image_width = Some(limits.side as u32);
    bounds.max_image_height = Some(limits.side as u32);
    bounds.max_alloc = Some(limits.pixels as u64 * 8);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width as usize, height as usize, limits)?;
    let turn = decoder.orientation().ok();
    let picture = DynamicImage::from_decoder(decoder).map_err(damaged)?.into_rgb8();
    Ok(upright(picture, turn))
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

fn check_size(width: usize, height: usize, limits: &Limits) -> Result<()> {
    let Limits { side, pixels, .. } = *limits;
    if width == 0 || height == 0 {
        return Err(refused(format!("the picture is {width} × {height} pixels: there is nothing in it")));
    }
    if width > side || height > side || width.saturating_mul(height) > pixels {
        let allowed = format!("at most {side} a side and {pixels} in all are read");
        return Err(refused(format!("the picture is {width} × {height} pixels; {allowed}")));
    }
    Ok(())
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::Image, what)
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
