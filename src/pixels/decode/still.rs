//! The formats that the crate `image` decodes: PNG, WebP, GIF and BMP.

use std::borrow::Cow;
use std::io::Cursor;

use image::error::{ImageError, LimitErrorKind};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::raw::{DECODER_BYTES, Limits, Raw, beyond, refused};
use super::{exif, png_text, white};
use crate::base::error::{Error, Result};

pub(super) fn decode(bytes: &[u8], format: ImageFormat, name: &str, limits: &Limits) -> Result<Raw> {
    let damaged = |cause: ImageError| failed(name, &cause);
    if format == ImageFormat::WebP && is_cut(bytes) {
        return Err(refused("the WebP is cut short: it is shorter than it says".into()));
    }
    let bytes = if format == ImageFormat::Bmp { behind_palette(bytes) } else { Cow::Borrowed(bytes) };
    let bytes = bytes.as_ref();
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // Sides are checked below, in petal's own words.
    let mut bounds = image::Limits::no_limits();
    if *limits != Limits::NONE {
        bounds.max_alloc = Some(DECODER_BYTES as u64);
    }
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    limits.check(width as usize, height as usize)?;
    limits.check_memory(decoder.total_bytes())?;
    let mut exif = decoder.exif_metadata().ok().flatten();
    let mut xmp = decoder.xmp_metadata().ok().flatten();
    if format == ImageFormat::Png {
        exif = exif.or_else(|| png_text::exif(bytes));
        xmp = xmp.or_else(|| png_text::xmp(bytes));
    }
    let turn = exif.as_deref().and_then(exif::orientation).or_else(|| xmp.as_deref().and_then(exif::xmp_orientation));
    let picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let (picture, laid_on_white) = white::laid_on(picture);
    Ok(Raw { picture, turn, laid_on_white, broken_exif: exif.as_deref().is_some_and(exif::is_broken) })
}

/// A BMP whose pixels begin behind its palette, as Pillow takes it, where its header says that they begin in the midst of it: the decoder would take
/// colours for pixels.
fn behind_palette(bmp: &[u8]) -> Cow<'_, [u8]> {
    let number = |at: usize| bmp.get(at..at + 4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let bits = bmp.get(28).copied().unwrap_or(0);
    if let (Some(begins @ 1..), Some(header @ 40..=124), Some(colours), 1..=8) =
        (number(10), number(14), number(46), bits)
    {
        let colours = if colours == 0 { 1 << bits } else { colours.min(256) };
        let behind = 14 + header + 4 * colours;
        if begins < behind && (behind as usize) < bmp.len() {
            let mut mended = bmp.to_vec();
            mended[10..14].copy_from_slice(&behind.to_le_bytes());
            return Cow::Owned(mended);
        }
    }
    Cow::Borrowed(bmp)
}

/// Whether a RIFF file ends before it should. Pixels may be whole, but how they are to be turned stands behind them.
fn is_cut(riff: &[u8]) -> bool {
    let length = riff.get(4..8).map_or(0, |four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize);
    // Some writers forget the last byte, which fills up.
    riff.len() + 1 < length.saturating_add(8)
}

fn failed(name: &str, cause: &ImageError) -> Error {
    match cause {
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::InsufficientMemory) => {
            beyond(format!("decoding this {name} takes more than {} bytes of memory", DECODER_BYTES))
                .mend("make the picture smaller, or give it 8 bits a colour")
        }
        ImageError::Unsupported(kind) => refused(format!("this kind of {name} cannot be read: {kind}"))
            .mend("save it anew as a PNG or a JPEG, with whatever opens it"),
        cause => refused(format!("the {name} is damaged: {cause}")),
    }
}
