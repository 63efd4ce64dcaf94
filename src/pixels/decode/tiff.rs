//! TIFF, its first page: where the samples are, and how they are packed (TIFF 6.0).
//!
//! Own code, after a try of the crate tiff 0.11.3: of the 96 TIFFs that Pillow's tests read it refuses 43 (every palette, 2 and 4 bits, JPEG in
//! colours) and panics on tiles in planes. The packings are crates' (weezl, flate2, fax, the JPEG decoders).

use std::borrow::Cow;
use std::io::Read;

use fax::Color;
use fax::decoder::{decode_g4, pels};
use flate2::read::ZlibDecoder;
use image::{RgbImage, imageops};
use weezl::BitOrder;

use super::exif::Tiff;
use super::raw::{DECODER_BYTES, Limits, Raw, beyond, refused};
use super::samples::{Colours, Samples, damaged, unusual};
use super::{exif, jpeg};
use crate::base::error::{Error, ErrorKind, Result};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raw> {
    let tiff = Tiff::of(bytes).ok_or_else(|| damaged("it has no directory"))?;
    let page = Page::of(&tiff, limits)?;
    let mut picture = RgbImage::new(page.width as u32, page.height as u32);
    let mut laid_on_white = false;
    for place in 0..page.down * page.across {
        let (left, top) = (place % page.across * page.chunk.0, place / page.across * page.chunk.1);
        let (chunk, is_transparent) = page.chunk(place, top)?;
        laid_on_white |= is_transparent;
        imageops::replace(&mut picture, &chunk, left as i64, top as i64);
    }
    let xmp = tiff.bytes(700).and_then(exif::xmp_orientation);
    Ok(Raw { picture, turn: exif::orientation(bytes).or(xmp), laid_on_white, broken_exif: false })
}

/// How the samples of a page lie in the file.
struct Page<'a> {
    tiff: &'a Tiff<'a>,
    width: usize,
    height: usize,
    /// Width and height of a strip or tile; those at the edges may be cut.
    chunk: (usize, usize),
    is_tiled: bool,
    across: usize,
    down: usize,
    places: Vec<u64>,
    lengths: Vec<u64>,
    packing: u64,
    has_differences: bool,
    is_reversed: bool,
    /// Whether each sample has chunks of its own.
    in_planes: bool,
    samples: Samples,
    colours: Colours,
}

const JPEG: u64 = 7;

impl<'a> Page<'a> {
    fn of(tiff: &'a Tiff<'a>, limits: &Limits) -> Result<Self> {
        let all = |tag: u64| tiff.numbers(tag);
        let one = |tag: u64| all(tag).and_then(|values| values.first().copied());
        let size =
            |tag: u64, what: &str| one(tag).map(|n| n as usize).ok_or_else(|| damaged(&format!("it has no {what}")));
        let (width, height) = (size(256, "width")?, size(257, "height")?);
        limits.check(width, height)?;
        let is_tiled = tiff.bytes(324).is_some();
        let chunk = if is_tiled {
            (size(322, "width of a tile")?, size(323, "height of a tile")?)
        } else {
            (width, one(278).map_or(height, |rows| (rows as usize).min(height)))
        };
        if chunk.0 == 0 || chunk.1 == 0 {
            return Err(damaged("a part of it has no pixels"));
        }
        let samples = Samples::of(tiff)?;
        let bytes =
            chunk.0.saturating_mul(chunk.1).saturating_mul(samples.count).saturating_mul(samples.bits.div_ceil(8));
        if bytes > DECODER_BYTES && *limits != Limits::NONE {
            let what = format!("a part of this TIFF takes {bytes} bytes of memory; at most {DECODER_BYTES} are taken");
            return Err(beyond(what).mend("save it in strips or smaller tiles"));
        }
        let places =
            all(if is_tiled { 324 } else { 273 }).ok_or_else(|| damaged("nothing says where its pixels are"))?;
        // Of a file in one strip, the length may not be said.
        let rest = |place: &u64| (tiff.data.len() as u64).saturating_sub(*place);
        let lengths = all(if is_tiled { 325 } else { 279 }).unwrap_or_else(|| places.iter().map(rest).collect());
        let colours = Colours::of(tiff, &samples)?;
        Ok(Self {
            tiff,
            width,
            height,
            chunk,
            is_tiled,
            across: width.div_ceil(chunk.0),
            down: height.div_ceil(chunk.1),
            places,
            lengths,
            packing: one(259).unwrap_or(1),
            has_differences: match one(317) {
                None | Some(1) => false,
                Some(2) => true,
                Some(_) => return Err(unusual("floating-point differences")),
            },
            is_reversed: one(266) == Some(2),
            in_planes: one(284) == Some(2) && samples.count > 1,
            samples,
            colours,
        })
    }

    /// A strip or tile as a picture, and whether something of it is transparent.
    fn chunk(&self, place: usize, top: usize) -> Result<(RgbImage, bool)> {
        let (width, mut height) = self.chunk;
        if !self.is_tiled {
            height = height.min(self.height - top);
        }
        if self.packing == JPEG {
            return Ok((self.jpeg(place)?, false));
        }
        let planes = if self.in_planes { self.samples.count } else { 1 };
        let per_row = self.samples.count / planes * width;
        let row_bytes = (per_row * self.samples.bits).div_ceil(8);
        let mut parts = Vec::with_capacity(planes);
        for plane in 0..planes {
            let mut bytes =
                self.unpacked(plane * self.across * self.down + place, (width, height), row_bytes * height)?;
            if self.has_differences {
                self.samples.sum(&mut bytes, row_bytes, self.samples.count / planes, self.tiff.is_little)?;
            }
            parts.push(self.samples.to_bytes(&bytes, row_bytes, per_row, self.tiff.is_little, self.colours.is_index()));
        }
        let values = if planes == 1 {
            parts.remove(0)
        } else {
            (0..width * height).flat_map(|pixel| parts.iter().map(move |part| part[pixel])).collect()
        };
        let (data, is_transparent) = self.colours.rgb(&values, self.samples.count);
        let chunk = RgbImage::from_raw(width as u32, height as u32, data)
            .ok_or_else(|| damaged("a part of it has another size"))?;
        Ok((chunk, is_transparent))
    }

    /// The bytes of a chunk as they lie in the file.
    fn packed(&self, index: usize) -> Result<Cow<'a, [u8]>> {
        let (Some(&place), Some(&length)) = (self.places.get(index), self.lengths.get(index)) else {
            return Err(cut());
        };
        let from = usize::try_from(place).unwrap_or(usize::MAX);
        let rest = self.tiff.data.get(from..).ok_or_else(cut)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > rest.len() && self.packing != 1 {
            return Err(cut());
        }
        let bytes = &rest[..rest.len().min(length)];
        Ok(if self.is_reversed && self.packing != JPEG {
            Cow::Owned(bytes.iter().map(|byte| byte.reverse_bits()).collect())
        } else {
            Cow::Borrowed(bytes)
        })
    }

    fn unpacked(&self, index: usize, (width, height): (usize, usize), length: usize) -> Result<Vec<u8>> {
        let packed = self.packed(index)?;
        let mut bytes = Vec::new();
        match self.packing {
            1 => bytes.extend(&packed[..packed.len().min(length)]),
            // What is packed wrongly at the end is no fault, if enough has come before.
            5 => {
                let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
                bytes = vec![0; length];
                let (mut read, mut written) = (0, 0);
                while written < length {
                    let step = decoder.decode_bytes(&packed[read..], &mut bytes[written..]);
                    (read, written) = (read + step.consumed_in, written + step.consumed_out);
                    if !matches!(step.status, Ok(weezl::LzwStatus::Ok)) || step.consumed_in + step.consumed_out == 0 {
                        break;
                    }
                }
                bytes.truncate(written);
            }
            8 | 32946 => {
                let _ = ZlibDecoder::new(packed.as_ref()).take(length as u64).read_to_end(&mut bytes);
            }
            32773 => bytes = pack_bits(&packed, length),
            4 => bytes = Self::fax(&packed, width, height)?,
            kind => return Err(unusual(&format!("packing {kind}"))),
        }
        if bytes.len() < length {
            return Err(cut());
        }
        Ok(bytes)
    }

    /// Pages of black and white as a fax of group 4 sends them; bits are set where it is black.
    fn fax(packed: &[u8], width: usize, height: usize) -> Result<Vec<u8>> {
        let (Ok(columns), Ok(rows)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(unusual("fax codes over more than 65,535 pixels"));
        };
        let mut bytes = Vec::with_capacity(width.div_ceil(8) * height);
        let mut lines = 0;
        let mut line = |turns: &[u16]| {
            if lines < height {
                lines += 1;
                let row: Vec<bool> = pels(turns, columns).map(|color| color == Color::Black).collect();
                bytes.extend(row.chunks(8).map(|bits| {
                    bits.iter().enumerate().fold(0u8, |byte, (place, &bit)| byte | u8::from(bit) << (7 - place))
                }));
            }
        };
        // What is packed wrongly at the end shows by its length.
        let _ = decode_g4(packed.iter().copied(), columns, Some(rows), &mut line);
        Ok(bytes)
    }

    /// A chunk that is a JPEG, with its tables in another place or not.
    fn jpeg(&self, place: usize) -> Result<RgbImage> {
        if self.in_planes || self.samples.bits != 8 {
            return Err(unusual("JPEG in planes, or of other than 8 bits"));
        }
        let packed = self.packed(place)?;
        let own =
            packed.strip_prefix(&[0xff, 0xd8]).ok_or_else(|| damaged("a part of it should be a JPEG, and is not"))?;
        let tables = self.tiff.bytes(347).unwrap_or(&[0xff, 0xd8]);
        let tables = tables.strip_suffix(&[0xff, 0xd9]).unwrap_or(tables);
        // Adobe's marker says whether three components are colours or brightness and colour differences.
        let marker =
            [0xff, 0xee, 0, 14, b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, u8::from(self.colours.is_ycc())];
        let start = tables.get(2..).unwrap_or_default();
        let stream = [&[0xff, 0xd8][..], if self.samples.count == 3 { &marker[..] } else { &[] }, start, own].concat();
        // It may not be larger than the TIFF says: that has been checked, and what the JPEG says has not.
        let (width, height) = self.chunk;
        let own_limits = Limits { side: width.max(height), pixels: width * height, ..Limits::NONE };
        let too_large = |error: Error| match error.kind() {
            ErrorKind::Limit => damaged("a part of it has another size than it says"),
            _ => error,
        };
        let picture = if self.samples.count == 4 {
            // Adobe's JPEGs have their inks inverted, a TIFF's do not.
            let (width, height, _, data) = jpeg::components(&stream, &own_limits).map_err(too_large)?;
            let inks: Vec<u8> = data.iter().map(|value| 255 - value).collect();
            let (data, _) = self.colours.rgb(&inks, 4);
            RgbImage::from_raw(width as u32, height as u32, data)
                .ok_or_else(|| damaged("a part of it has another size"))?
        } else {
            jpeg::decode(&stream, &own_limits).map_err(too_large)?.picture
        };
        if picture.width() as usize > width || picture.height() as usize > height {
            return Err(damaged("a part of it has another size than it says"));
        }
        Ok(picture)
    }
}

/// Apple's run lengths, TIFF 6.0, section 9.
fn pack_bits(packed: &[u8], length: usize) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), packed);
    while bytes.len() < length {
        let Some((&count, after)) = rest.split_first() else { break };
        rest = match count {
            128 => after,
            0..128 => {
                let (own, after) = after.split_at((usize::from(count) + 1).min(after.len()));
                bytes.extend(own);
                after
            }
            _ => {
                let Some((&value, after)) = after.split_first() else { break };
                bytes.extend(std::iter::repeat_n(value, 257 - usize::from(count)));
                after
            }
        };
    }
    bytes.truncate(length);
    bytes
}

fn cut() -> Error {
    refused("the TIFF is cut short: rows are missing".into())
}
