//! JPEG XL.

use image::RgbImage;
use jxl_oxide::{AllocTracker, EnumColourEncoding, InitializeResult, JxlImage, RenderingIntent};

use super::{DECODER_BYTES, Limits, Raw, refused};
use crate::error::Result;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raw> {
    let damaged = |cause: Box<dyn std::error::Error + Send + Sync>| refused(format!("the JPEG XL is damaged: {cause}"));
    let mut builder = JxlImage::builder();
    if *limits != Limits::NONE {
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
    let mut laid_on_white = false;
    let mut on_white = |value: u8, alpha: u8| {
        laid_on_white |= alpha < u8::MAX;
        ((u16::from(value) * u16::from(alpha) + 255 * (255 - u16::from(alpha)) + 127) / 255) as u8
    };
    let data: Vec<u8> = match channels {
        1 => values.iter().flat_map(|&grey| [grey; 3]).collect(),
        2 => values.chunks_exact(2).flat_map(|pixel| [on_white(pixel[0], pixel[1]); 3]).collect(),
        3 => values,
        4 => values
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]].map(|value| on_white(value, pixel[3])))
            .collect(),
        count => return Err(refused(format!("this kind of JPEG XL cannot be read: it has {count} channels"))),
    };
    let picture = RgbImage::from_raw(width as u32, height as u32, data)
        .ok_or_else(|| refused("the JPEG XL has another number of pixels than its header says".into()))?;
    Ok(Raw { picture, turn: None, laid_on_white, broken_exif: false })
}
