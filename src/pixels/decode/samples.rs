//! What the samples of a TIFF mean: numbers of so many bits, then colours.

use super::exif::Tiff;
use super::raw::{refused, rgb_of};
use super::white;
use crate::base::error::{Error, Result};

/// The numbers of a pixel: all have as many bits.
pub(super) struct Samples {
    pub(super) bits: usize,
    pub(super) count: usize,
}

impl Samples {
    pub(super) fn of(tiff: &Tiff) -> Result<Self> {
        let bits = tiff.numbers(258).unwrap_or_else(|| vec![1]);
        let count = tiff.numbers(277).and_then(|counts| counts.first().copied()).unwrap_or(1);
        let first = *bits.first().ok_or_else(|| damaged("its samples have no bits"))?;
        if bits.iter().any(|other| *other != first) {
            return Err(unusual("samples of different bits"));
        }
        if tiff.numbers(339).is_some_and(|formats| formats.iter().any(|format| !matches!(format, 1 | 4))) {
            return Err(unusual("numbers that are signed or fractions, as in science: no brightness"));
        }
        match (first, count) {
            (1 | 2 | 4 | 8 | 12 | 16, 1..=8) => Ok(Self { bits: first as usize, count: count as usize }),
            (bits, count) => Err(unusual(&format!("{count} samples of {bits} bits a pixel"))),
        }
    }

    /// Sums up differences to the pixel on the left, in place.
    pub(super) fn sum(&self, bytes: &mut [u8], row_bytes: usize, step: usize, is_little: bool) -> Result<()> {
        match self.bits {
            8 => {
                for row in bytes.chunks_exact_mut(row_bytes) {
                    for at in step..row.len() {
                        row[at] = row[at].wrapping_add(row[at - step]);
                    }
                }
            }
            16 => {
                for row in bytes.chunks_exact_mut(row_bytes) {
                    for at in step..row.len() / 2 {
                        let number = |at: usize| {
                            let pair = [row[2 * at], row[2 * at + 1]];
                            if is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
                        };
                        let sum = number(at).wrapping_add(number(at - step));
                        let pair = if is_little { sum.to_le_bytes() } else { sum.to_be_bytes() };
                        row[2 * at..2 * at + 2].copy_from_slice(&pair);
                    }
                }
            }
            bits => return Err(unusual(&format!("differences of {bits} bits"))),
        }
        Ok(())
    }

    /// Each sample as a byte: fewer bits are spread over 0 to 255 (not those of an index), of more the upper eight are taken, as Pillow does.
    pub(super) fn to_bytes(
        &self,
        bytes: &[u8],
        row_bytes: usize,
        per_row: usize,
        is_little: bool,
        is_index: bool,
    ) -> Vec<u8> {
        match self.bits {
            8 => bytes.to_vec(),
            16 => bytes.chunks_exact(2).map(|pair| pair[usize::from(is_little)]).collect(),
            bits => {
                let most = (1u16 << bits.min(8)) - 1;
                let spread = |value: u16| if is_index || bits > 8 { value as u8 } else { (value * 255 / most) as u8 };
                let sample = |row: &[u8], place: usize| {
                    let (from, shift) = (place * bits / 8, place * bits % 8);
                    let two = u16::from(row[from]) << 8 | u16::from(row.get(from + 1).copied().unwrap_or(0));
                    spread((two << shift) >> (16 - bits.min(8)))
                };
                bytes
                    .chunks_exact(row_bytes)
                    .flat_map(|row| (0..per_row).map(move |place| sample(row, place)))
                    .collect()
            }
        }
    }
}

/// How a pixel's samples make a colour.
pub(super) struct Colours {
    kind: Kind,
    alpha: Alpha,
}

enum Kind {
    Grey { is_inverted: bool },
    Rgb,
    Palette(Vec<[u8; 3]>),
    Cmyk,
    Ycc,
}

/// What the first sample after the colours is.
#[derive(PartialEq)]
enum Alpha {
    None,
    Associated,
    Apart,
}

impl Colours {
    pub(super) fn of(tiff: &Tiff, samples: &Samples) -> Result<Self> {
        let one = |tag: u64| tiff.numbers(tag).and_then(|values| values.first().copied());
        let (kind, own) = match one(262) {
            Some(0) => (Kind::Grey { is_inverted: true }, 1),
            None | Some(1) => (Kind::Grey { is_inverted: false }, 1),
            Some(2) => (Kind::Rgb, 3),
            Some(3) => (Kind::Palette(palette(tiff, samples)?), 1),
            Some(5) if !matches!(one(332), None | Some(1)) => return Err(unusual("inks that are not CMYK")),
            Some(5) => (Kind::Cmyk, 4),
            Some(6) => {
                let is_whole = tiff.numbers(530).is_some_and(|steps| steps == [1, 1]);
                if one(259) != Some(7) && !is_whole {
                    return Err(unusual("colours of half the resolution without JPEG"));
                }
                (Kind::Ycc, 3)
            }
            Some(kind) => return Err(unusual(&format!("colours of kind {kind}"))),
        };
        if samples.count < own {
            return Err(damaged(&format!("it has {} samples a pixel; its colours need {own}", samples.count)));
        }
        let alpha = match tiff.numbers(338).unwrap_or_default().first() {
            _ if samples.count == own => Alpha::None,
            Some(1) => Alpha::Associated,
            Some(2 | 999) => Alpha::Apart,
            // Not said, of four samples: some programs forget to.
            None if matches!(kind, Kind::Rgb) && samples.count == 4 => Alpha::Apart,
            _ => Alpha::None,
        };
        Ok(Self { kind, alpha })
    }

    pub(super) fn is_index(&self) -> bool {
        matches!(self.kind, Kind::Palette(_))
    }

    pub(super) fn is_ycc(&self) -> bool {
        matches!(self.kind, Kind::Ycc)
    }

    /// RGB of pixels of so many samples each, on white; and whether something of it was transparent.
    pub(super) fn rgb(&self, values: &[u8], count: usize) -> (Vec<u8>, bool) {
        let mut is_transparent = false;
        let mut rgb = Vec::with_capacity(values.len() / count * 3);
        for pixel in values.chunks_exact(count) {
            let (own, colour) = self.colour(pixel);
            let alpha = if self.alpha == Alpha::None { 255 } else { pixel[own] };
            is_transparent |= alpha < 255;
            let on_white = |value: u8| match self.alpha {
                // It has been multiplied already.
                Alpha::Associated => value.min(alpha) + (255 - alpha),
                _ => white::over(value, alpha),
            };
            rgb.extend(if alpha == 255 { colour } else { colour.map(on_white) });
        }
        (rgb, is_transparent)
    }

    /// How many samples the colour takes, and the colour.
    fn colour(&self, pixel: &[u8]) -> (usize, [u8; 3]) {
        match &self.kind {
            Kind::Grey { is_inverted: true } => (1, [255 - pixel[0]; 3]),
            Kind::Grey { is_inverted: false } => (1, [pixel[0]; 3]),
            Kind::Rgb => (3, [pixel[0], pixel[1], pixel[2]]),
            Kind::Palette(colours) => (1, colours.get(usize::from(pixel[0])).copied().unwrap_or_default()),
            Kind::Cmyk => (4, rgb_of([pixel[0], pixel[1], pixel[2], pixel[3]])),
            Kind::Ycc => {
                let [y, blue, red] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
                let (blue, red) = (blue - 128.0, red - 128.0);
                // ITU-R BT.601, as in JPEG.
                let colour = [y + 1.402 * red, y - 0.344_136 * blue - 0.714_136 * red, y + 1.772 * blue];
                (3, colour.map(|value| value.round() as u8))
            }
        }
    }
}

/// All reds, then all greens, then all blues, of 16 bits.
fn palette(tiff: &Tiff, samples: &Samples) -> Result<Vec<[u8; 3]>> {
    let map = tiff.numbers(320).ok_or_else(|| damaged("it has no palette"))?;
    if samples.bits > 8 {
        return Err(unusual(&format!("a palette of {} bits", samples.bits)));
    }
    let count = map.len() / 3;
    Ok((0..count).map(|colour| [0, 1, 2].map(|part| (map[part * count + colour] >> 8) as u8)).collect())
}

/// The error for a TIFF that says what cannot be.
pub(super) fn damaged(what: &str) -> Error {
    refused(format!("the TIFF is damaged: {what}"))
}

/// The error for a TIFF that says what is not read.
pub(super) fn unusual(what: &str) -> Error {
    refused(format!("this kind of TIFF cannot be read: it has {what}"))
        .mend("save it anew as a PNG or a JPEG, with whatever opens it")
}
