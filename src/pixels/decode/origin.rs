//! What a file says of where its picture comes from: its format, how strongly it was compressed, the camera and the time.

use super::markers::Markers;
use super::{exif, png_text};
use crate::pixels::Format;

const MAKE: u64 = 0x010f;
const MODEL: u64 = 0x0110;
/// When the file was changed, in the first directory.
const CHANGED: u64 = 0x0132;
/// The directory of the shot, and when it was.
const SHOT: u64 = 0x8769;
const TAKEN: u64 = 0x9003;

/// What a file says of where its picture comes from. None of it is about what the picture shows.
///
/// ```
/// use petal::pixels::{Format, Origin, Rgb, encode_jpeg};
///
/// let grey = Rgb { width: 8, height: 8, data: vec![128; 8 * 8 * 3] };
/// let origin = Origin::of(&encode_jpeg(&grey, 75)?);
/// assert_eq!((origin.format, origin.quality), (Format::Jpeg, Some(75)));
/// assert_eq!((origin.camera, origin.taken), (None, None));
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What the file is.
    pub format: Format,
    /// The quality of a JPEG, 1 to 100, estimated by its first quantization table beside the standard's (libjpeg's scale).
    pub quality: Option<u8>,
    /// Make and model as EXIF data say them.
    pub camera: Option<String>,
    /// When it was taken, in seconds since the beginning of 1970 by the camera's clock, whatever its time zone; else when it was changed.
    pub taken: Option<i64>,
}

impl Origin {
    /// Reads it off a file's bytes. What is damaged or missing is not known.
    pub fn of(bytes: &[u8]) -> Self {
        let format = Format::of(bytes);
        let own;
        let data = match format {
            Format::Jpeg => Markers::of(bytes).and_then(|markers| markers.exif),
            Format::Tiff => Some(bytes),
            Format::WebP => webp_exif(bytes),
            Format::Png => {
                own = png_text::exif(bytes);
                own.as_deref()
            }
            _ => None,
        };
        let tiff = data.and_then(exif::Tiff::of);
        let text = |tag: u64| tiff.as_ref().and_then(|tiff| tiff.text(tag));
        let camera = match (text(MAKE), text(MODEL)) {
            // Some models begin with their make.
            (Some(make), Some(model)) if !model.starts_with(&make) => Some(format!("{make} {model}")),
            (make, model) => model.or(make),
        };
        let shot = tiff.as_ref().and_then(|tiff| tiff.inner(SHOT)).and_then(|shot| shot.text(TAKEN));
        let taken = shot.as_deref().and_then(seconds).or_else(|| text(CHANGED).as_deref().and_then(seconds));
        let quality = if format == Format::Jpeg { quality(bytes) } else { None };
        Self { format, quality, camera, taken }
    }
}

/// The standard's table for luminance (ITU-T T.81, table K.1) in the order of files, which libjpeg scales by the quality.
const STANDARD: [u8; 64] = [
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
    60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113,
    121, 112, 100, 120, 92, 101, 103, 99,
];

fn quality(jpeg: &[u8]) -> Option<u8> {
    let table = first_table(jpeg)?;
    // What a byte cannot hold was cut off to 255.
    let whole = || table.iter().zip(STANDARD).filter(|(value, _)| **value < 255.0);
    let standard: f64 = whole().map(|(_, standard)| f64::from(standard)).sum();
    if standard == 0.0 {
        return Some(1);
    }
    let scale = 100.0 * whole().map(|(value, _)| value).sum::<f64>() / standard;
    let quality = if scale <= 100.0 { (200.0 - scale) / 2.0 } else { 5000.0 / scale };
    Some(quality.round().clamp(1.0, 100.0) as u8)
}

/// Quantization table 0.
fn first_table(jpeg: &[u8]) -> Option<Vec<f64>> {
    let mut rest = jpeg.get(2..)?;
    loop {
        let [0xff, marker, high, low, after @ ..] = rest else { return None };
        if *marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low])).checked_sub(2)?;
        let (mut content, next) = after.split_at_checked(length)?;
        while let (0xdb, Some((kind, values))) = (*marker, content.split_first()) {
            let size = if kind >> 4 == 0 { 1 } else { 2 };
            let (table, others) = values.split_at_checked(64 * size)?;
            if kind & 15 == 0 {
                let value = |bytes: &[u8]| bytes.iter().fold(0.0, |value, byte| 256.0 * value + f64::from(*byte));
                return Some(table.chunks_exact(size).map(value).collect());
            }
            content = others;
        }
        // Behind the scan's beginning are no tables.
        if *marker == 0xda {
            return None;
        }
        rest = next;
    }
}

/// EXIF data in a chunk of a WebP.
fn webp_exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(12..)?;
    loop {
        let (kind, after) = rest.split_at_checked(4)?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let (content, next) = after.split_at_checked(length)?;
        if kind == b"EXIF" {
            return Some(content);
        }
        rest = next.get(length % 2..)?;
    }
}

/// `2015:06:01 12:30:00`, in seconds since the beginning of 1970; nothing for what is no time.
fn seconds(text: &str) -> Option<i64> {
    let parts: Vec<i64> = text.split([':', ' ', '-', 'T']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let &[year, month, day, hour, minute, second] = parts.as_slice() else { return None };
    let is_time = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !is_time {
        return None;
    }
    // Days of the civil calendar, in years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::{Rgb, encode_jpeg};

    /// EXIF data with make, model and a time, whose texts lie behind the directories.
    fn exif(make: &str, model: &str, taken: &str) -> Vec<u8> {
        let (mut data, mut texts) = (b"II*\0\x08\0\0\0".to_vec(), Vec::new());
        let behind = 8 + 2 + 3 * 12 + 4 + 2 + 12 + 4;
        let mut entry = |tag: u16, text: &str| {
            let at = (behind + texts.len()) as u32;
            texts.extend(format!("{text}     \0").bytes());
            let count = text.len() as u32 + 6;
            [&tag.to_le_bytes()[..], &2u16.to_le_bytes(), &count.to_le_bytes(), &at.to_le_bytes()].concat()
        };
        let (make, model, taken) = (entry(0x10f, make), entry(0x110, model), entry(0x9003, taken));
        let shot =
            [&0x8769u16.to_le_bytes()[..], &4u16.to_le_bytes(), &1u32.to_le_bytes(), &50u32.to_le_bytes()].concat();
        data.extend([&[3, 0][..], &make, &model, &shot, &[0; 4], &[1, 0], &taken, &[0; 4], &texts].concat());
        data
    }

    #[test]
    fn camera_and_time_are_read_of_exif_data_wherever_they_are() {
        let picture = Rgb { width: 16, height: 16, data: vec![90; 16 * 16 * 3] };
        let data = [b"Exif\0\0", &exif("Canon", "EOS 5D", "2015:06:01 12:30:05")[..]].concat();
        let jpeg = encode_jpeg(&picture, 90).unwrap();
        let segment = [&[0xff, 0xe1][..], &(data.len() as u16 + 2).to_be_bytes(), &data].concat();
        let jpeg = [&jpeg[..2], &segment, &jpeg[2..]].concat();
        let webp = [b"RIFF\0\0\0\0WEBPVP8 \x03\0\0\0abc\0EXIF", &(data.len() as u32).to_le_bytes()[..], &data].concat();
        // datetime.datetime(2015, 6, 1, 12, 30, 5, tzinfo=datetime.timezone.utc).timestamp()
        for bytes in [jpeg, webp] {
            let origin = Origin::of(&bytes);
            assert_eq!((origin.camera.as_deref(), origin.taken), (Some("Canon EOS 5D"), Some(1_433_161_805)));
        }
        let camera = |make, model| {
            let data = exif(make, model, "2015:06:01 12:30:05");
            Origin::of(&data).camera
        };
        assert_eq!(camera("NIKON", "NIKON D90").as_deref(), Some("NIKON D90"));
        assert_eq!(camera("", "D90").as_deref(), Some("D90"));
        for cut in 0..data.len() {
            Origin::of(&data[..cut]);
        }
    }

    #[test]
    fn what_is_no_time_is_not_known() {
        assert_eq!(seconds("1970:01:01 00:00:00"), Some(0));
        assert_eq!(seconds("2000:02:29 23:59:59"), Some(951_868_799));
        for text in ["0000:00:00 00:00:00", "    :  :     :  :  ", "2015:13:01 00:00:00", "2015:06:01", "yesterday", ""]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    /// libjpeg's own numbers, as Pillow writes them: `Image.fromarray(x).save(f, quality=q)`; petal's encoder scales the same tables.
    #[test]
    fn the_quality_is_that_which_it_was_saved_with() {
        let picture = Rgb { width: 16, height: 16, data: (0..16 * 16 * 3).map(|i| (i * 37 % 256) as u8).collect() };
        for quality in [5, 10, 25, 50, 60, 75, 80, 88, 90, 95, 100] {
            let found = Origin::of(&encode_jpeg(&picture, quality).unwrap()).quality.unwrap();
            assert!(found.abs_diff(quality) <= 1, "{quality}: {found}");
        }
        assert_eq!(quality(&[0xff, 0xd8, 0xff, 0xdb, 0, 4, 0, 1]), None);
    }
}
