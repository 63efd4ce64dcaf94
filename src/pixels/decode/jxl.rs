//! JPEG XL.

use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};
use jxl_oxide::{AllocTracker, EnumColourEncoding, InitializeResult, JxlImage, RenderingIntent};

use super::raw::{DECODER_BYTES, Limits, Raw, refused};
use super::white;
use crate::base::error::Result;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raw> {
    let damaged = |cause: Box<dyn std::error::Error + Send + Sync>| refused(format!("the JPEG XL is damaged: {cause}"));
    let mut builder = JxlImage::builder();
    if *limits != Limits::NONE {
        // It works on several copies in numbers of four bytes: a photo of 64 megapixels takes 1.7 GB.
        builder = builder.alloc_tracker(AllocTracker::with_limit(2 * DECODER_BYTES));
    }
    let mut reading = builder.build_uninit();
    reading.feed_bytes(bytes).map_err(damaged)?;
    let mut image = match reading.try_init().map_err(damaged)? {
        InitializeResult::Initialized(image) => image,
        InitializeResult::NeedMoreData(_) => {
            return Err(refused("the JPEG XL is cut short: its header is missing".into()));
        }
    };
    // As it lies after the turn that the format itself asks for.
    let (width, height) = (image.width() as usize, image.height() as usize);
    limits.check(width, height)?;
    // Four bytes a value, of four values a pixel.
    limits.check_memory(width as u64 * height as u64 * 16)?;
    image.request_color_encoding(EnumColourEncoding::srgb(RenderingIntent::Relative));
    if !image.is_loading_done() && image.num_loaded_keyframes() == 0 {
        return Err(refused("the JPEG XL is cut short: its first picture is not whole".into()));
    }
    let frame = image.render_frame(0).map_err(damaged)?;
    let mut stream = frame.stream();
    let channels = stream.channels() as usize;
    let mut values = vec![0u8; width * height * channels];
    stream.write_to_buffer(&mut values);
    let (columns, rows) = (width as u32, height as u32);
    let picture = match channels {
        1 => GrayImage::from_raw(columns, rows, values).map(DynamicImage::ImageLuma8),
        2 => GrayAlphaImage::from_raw(columns, rows, values).map(DynamicImage::ImageLumaA8),
        3 => RgbImage::from_raw(columns, rows, values).map(DynamicImage::ImageRgb8),
        4 => RgbaImage::from_raw(columns, rows, values).map(DynamicImage::ImageRgba8),
        count => return Err(refused(format!("this kind of JPEG XL cannot be read: it has {count} channels"))),
    };
    let picture =
        picture.ok_or_else(|| refused("the JPEG XL has another number of pixels than its header says".into()))?;
    let (picture, laid_on_white) = white::laid_on(picture);
    Ok(Raw { picture, turn: None, laid_on_white, broken_exif: false })
}
