//! Pictures of other sizes.

use std::fmt;

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ImageView, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use super::rgb::Rgb;
use crate::base::error::{Error, ErrorKind, Result};

/// How pixels between the pixels are found; both as in Pillow, with antialiasing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Triangle filter.
    Bilinear,
    /// Cubic filter, a = -0.5.
    Bicubic,
}

/// Shrinks a photo whose shorter side is longer than `side` to that; gives others as they are.
pub fn shrink(photo: Rgb, side: usize) -> Result<Rgb> {
    let shorter = photo.width.min(photo.height);
    if shorter <= side {
        return Ok(photo);
    }
    let scaled = |length: usize| (length * side).div_ceil(shorter);
    let (width, height) = (photo.width, photo.height);
    let frame = (0.0, 0.0, width as f64, height as f64);
    resize(&photo, Filter::Bilinear, frame, (scaled(width), scaled(height)))
}

/// Resizes a picture so that its longer side is `side`.
pub fn fit(photo: &Rgb, side: usize) -> Result<Rgb> {
    let longer = photo.width.max(photo.height).max(1);
    let scaled = |length: usize| (length * side / longer).max(1);
    let frame = (0.0, 0.0, photo.width as f64, photo.height as f64);
    resize(photo, Filter::Bilinear, frame, (scaled(photo.width), scaled(photo.height)))
}

/// Resizes the frame (left, top, width, height) of a picture to so many pixels: first its rows, then its columns, each pass rounded to bytes, as Pillow and
/// the library do it.
///
/// The passes are two calls. In one, the library takes the columns between those that the first and the last pixel need; but where the filter is exactly 0 at
/// a pixel's edge, these two need fewer than their neighbours, and it reads beside the picture (fast_image_resize 6.1).
pub(super) fn resize(
    photo: &Rgb,
    filter: Filter,
    frame: (f64, f64, f64, f64),
    (to_width, to_height): (usize, usize),
) -> Result<Rgb> {
    let (left, top, width, height) = frame;
    // Rounding must not push the frame over the edge.
    let (width, height) = (width.min(photo.width as f64 - left), height.min(photo.height as f64 - top));
    let failed = |cause: &dyn fmt::Display| {
        let Rgb { width, height, .. } = photo;
        Error::new(ErrorKind::Image, format!("a picture of {width} × {height} pixels cannot be resized: {cause}"))
    };
    // Typed: a picture whose kind of pixel is found out at run time would be compiled for all thirteen kinds, a quarter of petal's code.
    let source = TypedImageRef::<U8x3>::from_buffer(photo.width as u32, photo.height as u32, &photo.data)
        .map_err(|cause| failed(&cause))?;
    // The columns that the filter reaches, and one more on each side.
    let reach = filter.support() * (width / to_width.max(1) as f64).max(1.0) + 1.0;
    let first = (left - reach).floor().max(0.0) as usize;
    let last = ((left + width + reach).ceil().max(1.0) as usize).min(photo.width);
    let columns = last.saturating_sub(first);
    let strip = TypedCroppedImage::from_ref(&source, first as u32, 0, columns as u32, photo.height as u32)
        .map_err(|cause| failed(&cause))?;
    let algorithm = ResizeAlg::Convolution(filter.kind());
    let mut resizer = Resizer::new();
    let mut rows = vec![0; columns * to_height * 3];
    let mut tall =
        TypedImage::<U8x3>::from_buffer(columns as u32, to_height as u32, &mut rows).map_err(|cause| failed(&cause))?;
    let options = ResizeOptions::new().resize_alg(algorithm).crop(0.0, top, columns as f64, height);
    resizer.resize_typed(&strip, &mut tall, &options).map_err(|cause| failed(&cause))?;
    let mut data = vec![0; to_width * to_height * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(to_width as u32, to_height as u32, &mut data)
        .map_err(|cause| failed(&cause))?;
    let left = (left - first as f64).min(f64::from(tall.width()) - width);
    let options = ResizeOptions::new().resize_alg(algorithm).crop(left, 0.0, width, to_height as f64);
    resizer.resize_typed(&tall, &mut target, &options).map_err(|cause| failed(&cause))?;
    Ok(Rgb { width: to_width, height: to_height, data })
}

impl Filter {
    fn kind(self) -> FilterType {
        match self {
            Self::Bilinear => FilterType::Bilinear,
            Self::Bicubic => FilterType::CatmullRom,
        }
    }

    /// How far it reaches from its middle, in pixels of the larger picture's side.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The filters as Pillow has them.
    fn weight(filter: Filter, x: f64) -> f64 {
        let x = x.abs();
        match filter {
            Filter::Bilinear => (1.0 - x).max(0.0),
            Filter::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Filter::Bicubic => 0.0,
        }
    }

    /// One pass along a line of numbers, as Pillow's `precompute_coeffs` and `ImagingResample` do it.
    fn line(filter: Filter, of: &[f64], from: f64, length: f64, to: usize) -> Vec<f64> {
        let scale = length / to as f64;
        let (stretch, support) = (scale.max(1.0), filter.support() * scale.max(1.0));
        let pixel = |place: usize| {
            let centre = from + (place as f64 + 0.5) * scale;
            let low = ((centre - support).floor().max(0.0)) as usize;
            let high = ((centre + support).ceil() as usize).min(of.len());
            let weights: Vec<f64> = (low..high).map(|x| weight(filter, (x as f64 + 0.5 - centre) / stretch)).collect();
            let sum: f64 = weights.iter().sum();
            let value: f64 = weights.iter().zip(&of[low..high]).map(|(weight, value)| weight * value).sum();
            (value / sum).round().clamp(0.0, 255.0)
        };
        (0..to).map(pixel).collect()
    }

    fn reference(photo: &Rgb, filter: Filter, frame: (f64, f64, f64, f64), to: (usize, usize)) -> Vec<f64> {
        let (left, top, width, height) = frame;
        let at = |x: usize, y: usize, c: usize| f64::from(photo.data[(y * photo.width + x) * 3 + c]);
        let mut data = vec![0.0; to.0 * to.1 * 3];
        for c in 0..3 {
            let columns: Vec<Vec<f64>> = (0..photo.width)
                .map(|x| {
                    let column: Vec<f64> = (0..photo.height).map(|y| at(x, y, c)).collect();
                    line(filter, &column, top, height, to.1)
                })
                .collect();
            for y in 0..to.1 {
                let row: Vec<f64> = columns.iter().map(|column| column[y]).collect();
                for (x, value) in line(filter, &row, left, width, to.0).into_iter().enumerate() {
                    data[(y * to.0 + x) * 3 + c] = value;
                }
            }
        }
        data
    }

    /// All sizes up to 14 pixels, to all sizes up to 31, at places that are a third, a half and whole: among them those where a filter is exactly 0 at a
    /// pixel, at which the library alone reads beside the picture.
    #[test]
    fn f82_every_small_frame_is_as_by_the_definition() {
        let mut frames = 0;
        for (width, height) in [(14, 9), (5, 13), (8, 8), (1, 6), (3, 1)] {
            let data = (0..width * height * 3).map(|i| (i * 97 % 251) as u8).collect();
            let photo = Rgb { width, height, data };
            for filter in [Filter::Bilinear, Filter::Bicubic] {
                for to in [1, 2, 3, 5, 6, 12, 31] {
                    for third in 0..3 * width {
                        let left = third as f64 / 3.0;
                        for part in [1.0, 0.5, 1.0 / 3.0] {
                            let frame = (left, 0.0, (width as f64 - left) * part, height as f64);
                            for to in [(to, to), (to, height)] {
                                let got = resize(&photo, filter, frame, to).unwrap();
                                let expected = reference(&photo, filter, frame, to);
                                let far = got.data.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs());
                                let far = far.fold(0.0, f64::max);
                                // Two roundings, of which a bicubic filter enlarges the first.
                                assert!(far <= 2.0, "{width} × {height} {filter:?} {frame:?} to {to:?}: {far}");
                                frames += 1;
                            }
                        }
                    }
                }
            }
        }
        assert!(frames > 5_000, "{frames}");
    }

    /// A photo of 80 × 80, enlarged to 240: the first of the 160 pixels in the middle lies exactly on one of the photo's.
    #[test]
    fn f82_a_pixel_that_lies_on_a_pixel_is_one() {
        let photo = Rgb { width: 80, height: 80, data: (0..80 * 80 * 3).map(|i| (i % 241) as u8).collect() };
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            let frame = (40.0 / 3.0, 40.0 / 3.0, 160.0 / 3.0, 160.0 / 3.0);
            let got = resize(&photo, filter, frame, (160, 160)).unwrap();
            let expected = reference(&photo, filter, frame, (160, 160));
            assert!(got.data.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() <= 1.0));
        }
    }
}
