//! A picture in small, made to be compared.

use super::preprocess::Preprocess;
use super::resize::Filter;
use super::rgb::Rgb;
use crate::base::config::Fit;
use crate::base::error::Result;
use crate::base::files;

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
    let span = |at: usize, length: usize| (at.saturating_sub(around), (at + around + 1).min(length));
    // Across first: each pixel's sum over its row.
    let mut sums = Vec::with_capacity(values.len());
    let mut before = vec![0.0; width + 1];
    for row in values.chunks_exact(width) {
        (0..width).for_each(|x| before[x + 1] = before[x] + row[x]);
        sums.extend((0..width).map(|x| {
            let (left, right) = span(x, width);
            before[right] - before[left]
        }));
    }
    // Then down: a row comes in, another one goes out.
    let columns: Vec<f32> = (0..width).map(|x| span(x, width)).map(|(left, right)| (right - left) as f32).collect();
    let mut detail = Vec::with_capacity(values.len());
    let mut sum = vec![0.0; width];
    let (mut from, mut to) = (0, 0);
    for y in 0..height {
        let (top, bottom) = span(y, height);
        for row in to..bottom {
            sum.iter_mut().zip(&sums[row * width..]).for_each(|(sum, value)| *sum += value);
        }
        for row in from..top {
            sum.iter_mut().zip(&sums[row * width..]).for_each(|(sum, value)| *sum -= value);
        }
        (from, to) = (top, bottom);
        let rows = (bottom - top) as f32;
        let line = values[y * width..].iter().zip(sum.iter().zip(&columns));
        detail.extend(line.map(|(value, (sum, columns))| value - sum / (rows * columns)));
    }
    let mean = detail.iter().sum::<f32>() / detail.len().max(1) as f32;
    detail.iter_mut().for_each(|value| *value -= mean);
    detail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detail_is_what_differs_from_the_mean_around() {
        let (width, height, around) = (7, 5, 2);
        let values: Vec<f32> = (0..width * height).map(|i| (i * i % 83) as f32).collect();
        let mut expected: Vec<f32> = (0..values.len())
            .map(|i| {
                let near = (0..values.len())
                    .filter(|j| (i % width).abs_diff(j % width) <= around && (i / width).abs_diff(j / width) <= around);
                let near: Vec<f32> = near.map(|j| values[j]).collect();
                values[i] - near.iter().sum::<f32>() / near.len() as f32
            })
            .collect();
        let mean = expected.iter().sum::<f32>() / expected.len() as f32;
        expected.iter_mut().for_each(|value| *value -= mean);
        for (got, expected) in detail(&values, width, around).iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-3, "{got} {expected}");
        }
    }
}
