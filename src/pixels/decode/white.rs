//! What is transparent is laid on white: that is how such pictures are mostly shown, and the colours below may be anything.

use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};

/// The picture on white, and whether anything of it was transparent.
pub(super) fn laid_on(picture: DynamicImage) -> (RgbImage, bool) {
    let picture = in_bytes(picture);
    if !picture.color().has_alpha() {
        return (picture.into_rgb8(), false);
    }
    let mut picture = picture.into_rgba8();
    let mut is_transparent = false;
    for pixel in picture.pixels_mut() {
        let [.., alpha] = pixel.0;
        if alpha < u8::MAX {
            is_transparent = true;
            pixel.0[..3].iter_mut().for_each(|value| *value = over(*value, alpha));
        }
    }
    (DynamicImage::ImageRgba8(picture).into_rgb8(), is_transparent)
}

/// A value of this alpha over white, rounded.
pub(super) fn over(value: u8, alpha: u8) -> u8 {
    let (alpha, rest) = (u16::from(alpha), u16::from(255 - alpha));
    ((u16::from(value) * alpha + 255 * rest + 127) / 255) as u8
}

/// Of 16 bits the upper eight, as Pillow takes them.
fn in_bytes(picture: DynamicImage) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let upper = |values: Vec<u16>| values.into_iter().map(|value| (value >> 8) as u8).collect();
    let made = match picture {
        DynamicImage::ImageLuma16(picture) => {
            GrayImage::from_raw(width, height, upper(picture.into_raw())).map(DynamicImage::ImageLuma8)
        }
        DynamicImage::ImageLumaA16(picture) => {
            GrayAlphaImage::from_raw(width, height, upper(picture.into_raw())).map(DynamicImage::ImageLumaA8)
        }
        DynamicImage::ImageRgb16(picture) => {
            RgbImage::from_raw(width, height, upper(picture.into_raw())).map(DynamicImage::ImageRgb8)
        }
        DynamicImage::ImageRgba16(picture) => {
            RgbaImage::from_raw(width, height, upper(picture.into_raw())).map(DynamicImage::ImageRgba8)
        }
        picture => Some(picture),
    };
    made.unwrap_or_default()
}
