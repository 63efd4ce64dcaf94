//! TrivialAugment: one operation a picture, drawn with its strength (Müller & Hutter 2021, arXiv:2103.10158).

use super::rgb::Rgb;
use crate::base::seed::Stream;

/// One operation on a picture, with its strength: what torchvision's `TrivialAugmentWide` draws from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trivial {
    /// Nothing.
    Identity,
    /// Rows are moved by this times their height, −0.99 to 0.99.
    ShearX(f64),
    /// Columns are moved by this times their place, −0.99 to 0.99.
    ShearY(f64),
    /// Moved to the right by so many pixels, −32 to 32.
    TranslateX(isize),
    /// Moved down by so many pixels, −32 to 32.
    TranslateY(isize),
    /// Turned counter-clockwise by so many degrees, −135 to 135.
    Rotate(f64),
    /// Values times 1 + this, −0.99 to 0.99.
    Brightness(f64),
    /// Distance from the pixel's grey times 1 + this, −0.99 to 0.99.
    Colour(f64),
    /// Distance from the picture's mean grey times 1 + this, −0.99 to 0.99.
    Contrast(f64),
    /// Distance from the blurred picture times 1 + this, −0.99 to 0.99.
    Sharpness(f64),
    /// So many bits of each value are kept, 2 to 8.
    Posterize(u32),
    /// Values of at least this are inverted, 0 to 255.
    Solarize(f64),
    /// Each channel from 0 to 255.
    AutoContrast,
    /// Each channel's values evenly often.
    Equalize,
}

impl Trivial {
    /// Draws an operation and its strength: always three numbers. Of each strength there are 31, evenly apart.
    pub fn draw(stream: &mut Stream) -> Self {
        let (operation, bin, negative) = (stream.below(14), stream.below(31), stream.chance(0.5));
        let upto = |most: f64| if negative { -most * bin as f64 / 30.0 } else { most * bin as f64 / 30.0 };
        match operation {
            0 => Self::Identity,
            1 => Self::ShearX(upto(0.99)),
            2 => Self::ShearY(upto(0.99)),
            3 => Self::TranslateX(upto(32.0) as isize),
            4 => Self::TranslateY(upto(32.0) as isize),
            5 => Self::Rotate(upto(135.0)),
            6 => Self::Brightness(upto(0.99)),
            7 => Self::Colour(upto(0.99)),
            8 => Self::Contrast(upto(0.99)),
            9 => Self::Sharpness(upto(0.99)),
            10 => Self::Posterize(8 - (bin as f64 / 5.0).round_ties_even() as u32),
            11 => Self::Solarize(255.0 * (1.0 - bin as f64 / 30.0)),
            12 => Self::AutoContrast,
            _ => Self::Equalize,
        }
    }

    /// Applies it. What comes from beyond the border is black. The size stays.
    pub fn apply(self, picture: &Rgb) -> Rgb {
        let (middle_x, middle_y) = (picture.width as f64 / 2.0, picture.height as f64 / 2.0);
        match self {
            Self::Identity => picture.clone(),
            Self::ShearX(by) => taken_from(picture, |x, y| (x + by * y, y)),
            Self::ShearY(by) => taken_from(picture, |x, y| (x, y + by * x)),
            Self::TranslateX(by) => taken_from(picture, |x, y| (x - by as f64, y)),
            Self::TranslateY(by) => taken_from(picture, |x, y| (x, y - by as f64)),
            Self::Rotate(degrees) => {
                let (sin, cos) = degrees.to_radians().sin_cos();
                taken_from(picture, |x, y| {
                    let (x, y) = (x - middle_x, y - middle_y);
                    (cos * x - sin * y + middle_x, sin * x + cos * y + middle_y)
                })
            }
            Self::Brightness(by) => blended(picture, by, |_, _| 0.0),
            Self::Colour(by) => blended(picture, by, |pixel, _| grey(&picture.data[pixel * 3..])),
            Self::Contrast(by) => {
                let sum: f64 = picture.data.chunks_exact(3).map(grey).map(f64::from).sum();
                let mean = sum / (picture.data.len() / 3).max(1) as f64;
                blended(picture, by, |_, _| mean as f32)
            }
            Self::Sharpness(by) => {
                let blurred = blurred(picture);
                blended(picture, by, |pixel, channel| f32::from(blurred.data[pixel * 3 + channel]))
            }
            Self::Posterize(bits) => mapped(picture, |value| value & (0xffu32 << (8 - bits.clamp(1, 8))) as u8),
            Self::Solarize(from) => mapped(picture, |value| if f64::from(value) >= from { 255 - value } else { value }),
            Self::AutoContrast => by_channel(picture, auto_contrast),
            Self::Equalize => by_channel(picture, equalize),
        }
    }
}

/// The picture whose pixels are those that `from` leads to, of coordinates at the pixels' middles.
fn taken_from(picture: &Rgb, from: impl Fn(f64, f64) -> (f64, f64)) -> Rgb {
    let Rgb { width, height, data } = picture;
    let mut out = vec![0; data.len()];
    for (pixel, to) in out.chunks_exact_mut(3).enumerate() {
        let (x, y) = from((pixel % width) as f64 + 0.5, (pixel / width) as f64 + 0.5);
        let (x, y) = ((x - 0.5).round_ties_even(), (y - 0.5).round_ties_even());
        if x >= 0.0 && y >= 0.0 && x < *width as f64 && y < *height as f64 {
            to.copy_from_slice(&data[(y as usize * width + x as usize) * 3..][..3]);
        }
    }
    Rgb { width: *width, height: *height, data: out }
}

/// Each value's distance from what `other` says (of pixel and channel), times 1 + `by`. In f32, and fractions are cut off, as torchvision does.
fn blended(picture: &Rgb, by: f64, other: impl Fn(usize, usize) -> f32) -> Rgb {
    let (own_share, other_share) = ((1.0 + by) as f32, -by as f32);
    let value = |(place, value): (usize, &u8)| {
        let other = other(place / 3, place % 3);
        (own_share * f32::from(*value) + other_share * other).clamp(0.0, 255.0) as u8
    };
    Rgb { data: picture.data.iter().enumerate().map(value).collect(), ..*picture }
}

/// ITU-R 601-2 luma, the fraction cut off.
fn grey(pixel: &[u8]) -> f32 {
    (0.2989 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])).floor()
}

/// Each pixel with its eight neighbours, itself five times; those at the border stay.
fn blurred(picture: &Rgb) -> Rgb {
    let Rgb { width, height, data } = picture;
    let mut out = data.clone();
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            for channel in 0..3 {
                let at = |x: usize, y: usize| u32::from(data[(y * width + x) * 3 + channel]);
                let all: u32 =
                    (y - 1..=y + 1).flat_map(|y| (x - 1..=x + 1).map(move |x| (x, y))).map(|(x, y)| at(x, y)).sum();
                out[(y * width + x) * 3 + channel] = (f64::from(all + 4 * at(x, y)) / 13.0).round_ties_even() as u8;
            }
        }
    }
    Rgb { width: *width, height: *height, data: out }
}

fn mapped(picture: &Rgb, f: impl Fn(u8) -> u8) -> Rgb {
    Rgb { data: picture.data.iter().map(|value| f(*value)).collect(), ..*picture }
}

/// Each channel by a table of its own, made from how often each value comes.
fn by_channel(picture: &Rgb, table: fn(&[usize; 256]) -> [u8; 256]) -> Rgb {
    let mut often = [[0; 256]; 3];
    picture.data.chunks_exact(3).for_each(|pixel| (0..3).for_each(|c| often[c][usize::from(pixel[c])] += 1));
    let tables = [table(&often[0]), table(&often[1]), table(&often[2])];
    let value = |(place, value): (usize, &u8)| tables[place % 3][usize::from(*value)];
    Rgb { data: picture.data.iter().enumerate().map(value).collect(), ..*picture }
}

fn auto_contrast(often: &[usize; 256]) -> [u8; 256] {
    let lowest = often.iter().position(|&count| count > 0).unwrap_or(0);
    let highest = often.iter().rposition(|&count| count > 0).unwrap_or(0);
    let stretched = |value: usize| ((value.saturating_sub(lowest)) as f32 * (255.0 / (highest - lowest) as f32)) as u8;
    std::array::from_fn(|value| if highest > lowest { stretched(value) } else { value as u8 })
}

fn equalize(often: &[usize; 256]) -> [u8; 256] {
    let last = often.iter().rev().find(|count| **count > 0).copied().unwrap_or(0);
    let step = (often.iter().sum::<usize>() - last) / 255;
    if step == 0 {
        return std::array::from_fn(|value| value as u8);
    }
    let mut before = 0;
    std::array::from_fn(|value| {
        let level = if value == 0 { 0 } else { (before + step / 2) / step };
        before += often[value];
        level.min(255) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::{Purpose, Seed};

    /// A picture of 24 × 20 by formula.
    fn picture() -> Rgb {
        let value = |place: usize| {
            let (pixel, channel) = (place / 3, place % 3);
            let (x, y) = (pixel % 24, pixel / 24);
            (40 + (x * 7 + y * 5 + channel * 31 + x * y * (channel + 1)) % 180) as u8
        };
        Rgb { width: 24, height: 20, data: (0..24 * 20 * 3).map(value).collect() }
    }

    /// The sum of all values, and that of each times its place modulo 251: what tests/fixtures/trivial.py prints of torchvision's.
    fn sums(picture: &Rgb) -> (u64, u64) {
        let value = |(place, value): (usize, &u8)| (u64::from(*value), u64::from(*value) * (place as u64 % 251));
        picture.data.iter().enumerate().map(value).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// tests/fixtures/trivial.py. Where a value is rounded from a product, f32 may end beside f64: a grey level in a hundred values.
    #[test]
    fn every_operation_is_torchvisions() {
        for (operation, sum, weighted) in EXPECTED {
            let got = sums(&operation.apply(&picture()));
            let near = |got: u64, expected: u64, off: u64| got.abs_diff(expected) <= off;
            assert!(near(got.0, sum, 15) && near(got.1, weighted, 15 * 250), "{operation:?} {got:?} {sum} {weighted}");
        }
    }

    const EXPECTED: [(Trivial, u64, u64); 20] = [
        (Trivial::Identity, 186_660, 22_512_780),
        (Trivial::ShearX(0.33), 161_721, 19_273_837),
        (Trivial::ShearX(-0.66), 135_015, 16_407_136),
        (Trivial::ShearY(0.5), 130_656, 15_627_558),
        (Trivial::TranslateX(5), 147_690, 18_174_890),
        (Trivial::TranslateY(-3), 159_228, 19_526_108),
        (Trivial::Rotate(30.0), 158_550, 19_562_360),
        (Trivial::Rotate(-101.0), 158_964, 19_491_729),
        (Trivial::Brightness(0.4), 253_523, 30_591_451),
        (Trivial::Brightness(-0.7), 55_350, 6_675_140),
        (Trivial::Colour(0.8), 186_916, 22_549_119),
        (Trivial::Colour(-0.5), 185_664, 22_391_392),
        (Trivial::Contrast(0.6), 186_439, 22_464_347),
        (Trivial::Contrast(-0.9), 184_740, 22_307_492),
        (Trivial::Sharpness(0.9), 186_182, 22_413_100),
        (Trivial::Sharpness(-0.6), 186_397, 22_507_215),
        (Trivial::Posterize(3), 163_744, 19_718_400),
        (Trivial::Solarize(102.0), 125_629, 15_163_392),
        (Trivial::AutoContrast, 184_184, 22_202_155),
        (Trivial::Equalize, 267_577, 32_265_833),
    ];

    #[test]
    fn all_are_drawn_with_strengths_in_their_ranges_and_any_size_is_fine() {
        let mut seen = std::collections::BTreeSet::new();
        for draw in 0..500 {
            let operation = Trivial::draw(&mut Seed(draw).stream(Purpose::Augment, 0, 0));
            seen.insert(format!("{operation:?}").split('(').next().unwrap().to_string());
            if let Trivial::Posterize(bits) = operation {
                assert!((2..=8).contains(&bits));
            }
            for (width, height) in [(1, 1), (3, 1), (2, 5)] {
                let small = Rgb { width, height, data: vec![77; width * height * 3] };
                assert_eq!(operation.apply(&small).data.len(), small.data.len());
            }
        }
        assert_eq!(seen.len(), 14, "{seen:?}");
    }
}
