//! A picture in small, made to be compared.

use super::{Filter, Preprocess, Rgb};
use crate::config::Fit;
use crate::error::Result;
use crate::files;

/// Pixels a side of the small picture that is compared.
pub const SIDE: usize = 64;
/// Detail is what differs from the mean of the fields around, up to so many pixels away.
pub(super) const AROUND: usize = 8;
/// Standard deviation of the detail, in grey levels of 0 to 255, below which a picture is (nearly) flat.
const FLAT: f32 = 2.5;

/// What two pictures are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    /// A flat or nearly flat picture: the SHA-256 of its size and its pixels. It is like nothing but its equal.
    Flat(String),
    /// The picture in small.
    Small(Small),
}

/// A picture, squeezed into a small square.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Small {
    /// Width over height of the picture itself, in thousandths.
    pub shape: u32,
    /// `SIDE × SIDE` greys.
    pub grey: Vec<u8>,
    /// Red, then blue, less the grey, halved, around 128; each of half the side.
    pub colour: [Vec<u8>; 2],
}

impl Fingerprint {
    /// The fingerprint of a picture.
    ///
    /// # Errors
    /// [`ErrorKind::Image`](crate::ErrorKind::Image) for a picture of no pixels.
    pub fn of(photo: &Rgb) -> Result<Self> {
        let square = Preprocess {
            size: SIDE,
            crop: 1.0,
            fit: Fit::Squash,
            filter: Filter::Bilinear,
            mean: [0.0; 3],
            std: [1.0; 3],
        };
        let small = square.square(photo)?;
        let greys: Vec<f32> = small.data.chunks_exact(3).map(|p| grey([p[0], p[1], p[2]].map(f32::from))).collect();
        if deviation(&detail(&greys, SIDE, AROUND)) < FLAT {
            let mut bytes = format!("{} × {}\n", photo.width, photo.height).into_bytes();
            bytes.extend_from_slice(&photo.data);
            return Ok(Self::Flat(files::sha256(&bytes)));
        }
        let half = |channel: usize| {
            let value = |i: usize| {
                let at = i / (SIDE / 2) * 2 * SIDE + i % (SIDE / 2) * 2;
                let less_grey = |at: usize| f32::from(small.data[at * 3 + channel]) - greys[at];
                let mean = (less_grey(at) + less_grey(at + 1) + less_grey(at + SIDE) + less_grey(at + SIDE + 1)) / 4.0;
                (128.0 + mean / 2.0).round() as u8
            };
            (0..SIDE * SIDE / 4).map(value).collect()
        };
        Ok(Self::Small(Small {
            shape: (1000.0 * photo.width as f64 / photo.height as f64).round() as u32,
            grey: greys.iter().map(|grey| grey.round() as u8).collect(),
            colour: [half(0), half(2)],
        }))
    }
}

fn grey([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// The standard deviation from a mean of zero.
pub(super) fn deviation(values: &[f32]) -> f32 {
    (values.iter().map(|value| value * value).sum::<f32>() / values.len().max(1) as f32).sqrt()
}

/// What differs from the mean of the pixels up to so far `around`, in a square that is cut off at the edges; its own mean is zero. For
/// rows of so many values.
pub(super) fn detail(values: &[f32], width: usize, around: usize) -> Vec<f32> {
    let height = values.len() / width.max(1);
    let across = width + 1;
    let mut sums = vec![0.0f64; across * (height + 1)];
    for y in 0..height {
        let mut row = 0.0;
        for x in 0..width {
            row += f64::from(values[y * width + x]);
            sums[(y + 1) * across + x + 1] = sums[y * across + x + 1] + row;
        }
    }
    let mut detail = Vec::with_capacity(values.len());
    for y in 0..height {
        let (top, bottom) = (y.saturating_sub(around), (y + around + 1).min(height));
        for x in 0..width {
            let (left, right) = (x.saturating_sub(around), (x + around + 1).min(width));
            let sum = |x: usize, y: usize| sums[y * across + x];
            let all = sum(right, bottom) - sum(left, bottom) - sum(right, top) + sum(left, top);
            detail.push(values[y * width + x] - (all / ((right - left) * (bottom - top)) as f64) as f32);
        }
    }
    let mean = detail.iter().sum::<f32>() / detail.len().max(1) as f32;
    detail.iter_mut().for_each(|value| *value -= mean);
    detail
}
