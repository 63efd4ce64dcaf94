//! JPEG.

use image::RgbImage;
use jpeg_decoder::PixelFormat;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::exif;
use super::markers::Markers;
use super::raw::{Limits, Raw, refused, rgb_of};
use crate::base::error::{Error, ErrorKind, Result};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raw> {
    let markers = Markers::of(bytes).ok_or_else(|| cut("its end is missing"))?;
    if !markers.has_all_scans() {
        return Err(cut("it ends before its last scan"));
    }
    let mut stream = markers.tidied();
    // Of rows that are missing before the end marker, the decoder says nothing; of a stream that runs dry, it does. It reads up to
    // eight bytes ahead.
    let picture = if markers.has_separate_scans() {
        stream.extend([0xff, 0xd9]);
        second(&stream, limits)?
    } else {
        let end = stream.len();
        stream.extend(if markers.is_sequential() { &[0; 8][..] } else { &[0xff, 0xd9] });
        usual(&stream, limits).or_else(|error| {
            // Where one decoder finds damage and another none, there is none.
            let is_damage = error.kind() == ErrorKind::Image && !error.what().contains(CUT);
            stream.truncate(end);
            stream.extend([0xff, 0xd9]);
            if is_damage { second(&stream, limits).map_err(|_| error) } else { Err(error) }
        })?
    };
    let turn = markers.exif.and_then(exif::orientation).or_else(|| markers.xmp.and_then(exif::xmp_orientation));
    Ok(Raw { picture, turn, laid_on_white: false, broken_exif: markers.exif.is_some_and(exif::is_broken) })
}

const CUT: &str = "the JPEG is cut short";

fn cut(what: &str) -> Error {
    refused(format!("{CUT}: {what}"))
}

fn usual(stream: &[u8], limits: &Limits) -> Result<RgbImage> {
    let damaged = |cause: DecodeErrors| match cause {
        DecodeErrors::Unsupported(kind) => refused(format!("this kind of JPEG cannot be read: {kind:?}")),
        DecodeErrors::ExhaustedData | DecodeErrors::FormatStatic("Premature end of buffer") => cut("rows are missing"),
        cause => refused(format!("the JPEG is damaged: {}", cause.to_string().trim_matches('"'))),
    };
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options);
    decoder.decode_headers().map_err(damaged)?;
    let info = decoder.info().ok_or_else(|| refused("the JPEG has no header".into()))?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    limits.check(width, height)?;
    let data = decoder.decode().map_err(damaged)?;
    let data = match decoder.output_colorspace() {
        Some(ColorSpace::Luma) => data.iter().flat_map(|&grey| [grey; 3]).collect(),
        _ => data,
    };
    from_raw(width, height, data)
}

/// With another decoder: zune-jpeg 0.5.15 takes components in scans of their own for interleaved ones, and gives garbage without a word.
fn second(stream: &[u8], limits: &Limits) -> Result<RgbImage> {
    let (width, height, format, data) = components(stream, limits)?;
    let data = match format {
        PixelFormat::RGB24 => data,
        PixelFormat::L8 => data.iter().flat_map(|&grey| [grey; 3]).collect(),
        PixelFormat::L16 => data.chunks_exact(2).flat_map(|grey| [grey[1]; 3]).collect(),
        PixelFormat::CMYK32 => data.chunks_exact(4).flat_map(|ink| rgb_of([ink[0], ink[1], ink[2], ink[3]])).collect(),
    };
    from_raw(width, height, data)
}

/// Width, height and the values of each pixel, in whichever form the file has them; inks are taken as Adobe stores them, inverted.
pub(super) fn components(stream: &[u8], limits: &Limits) -> Result<(usize, usize, PixelFormat, Vec<u8>)> {
    let damaged = |cause: jpeg_decoder::Error| refused(format!("the JPEG is damaged: {cause}"));
    let mut decoder = jpeg_decoder::Decoder::new(stream);
    decoder.read_info().map_err(damaged)?;
    let info = decoder.info().ok_or_else(|| refused("the JPEG has no header".into()))?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    limits.check(width, height)?;
    Ok((width, height, info.pixel_format, decoder.decode().map_err(damaged)?))
}

fn from_raw(width: usize, height: usize, data: Vec<u8>) -> Result<RgbImage> {
    RgbImage::from_raw(width as u32, height as u32, data)
        .ok_or_else(|| refused("the JPEG has another number of pixels than its header says".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one decoder reads, the other does, within the rounding: grey, colours in whole and half resolution, four inks, progressive.
    #[test]
    fn both_decoders_give_the_same_picture() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photos");
        for name in ["rgb", "grey", "sampled", "progressive", "cmyk", "ycck", "cmyk_plain", "one", "tall", "no_ycc"] {
            let bytes = std::fs::read(folder.join(format!("{name}.jpg"))).unwrap();
            let (first, other) = (usual(&bytes, &Limits::NONE).unwrap(), second(&bytes, &Limits::NONE).unwrap());
            assert_eq!(first.dimensions(), other.dimensions());
            let most = first.iter().zip(other.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(most <= if name == "sampled" { 12 } else { 4 }, "{name}: {most}");
        }
    }
}
