//! What the first directory of TIFF data says: EXIF data are TIFF data, and so is a TIFF.

use image::metadata::Orientation;

const ORIENTATION: u64 = 0x0112;
/// What only a raw file has: the version of Adobe's raw format, or a preview first and the photo in a directory of its own.
const DNG_VERSION: u64 = 0xc612;
const KIND: u64 = 0x00fe;
const INNER: u64 = 0x014a;
const IS_PREVIEW: f64 = 1.0;
/// The type of a text.
const TEXT: u64 = 2;

/// How the photo has to be turned to be upright. Pillow's `exif_transpose` reads it likewise: whichever number it is stored as.
pub(super) fn orientation(exif: &[u8]) -> Option<Orientation> {
    let value = Tiff::of(exif)?.value(ORIENTATION)?;
    // A byte would cut 262 off to 6.
    (1..=8u8).find(|turn| f64::from(*turn) == value).and_then(Orientation::from_exif)
}

/// The same as an XMP packet has it, which counts where EXIF says nothing: `tiff:Orientation="6"`, or an element of that name.
pub(super) fn xmp_orientation(xmp: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let after = |at: usize| xmp.get(at + NAME.len()..).unwrap_or_default();
    let places = (0..xmp.len().saturating_sub(NAME.len())).filter(|at| xmp[*at..].starts_with(NAME));
    let digit = |rest: &[u8]| match rest {
        [b'=', b'"' | b'\'', digit @ b'1'..=b'8', b'"' | b'\'', ..] | [b'>', digit @ b'1'..=b'8', b'<', ..] => {
            Some(digit - b'0')
        }
        _ => None,
    };
    places.filter_map(|at| digit(after(at))).next().and_then(Orientation::from_exif)
}

/// Whether EXIF data cannot be read: where the photo's top is, nothing says then.
pub(super) fn is_broken(exif: &[u8]) -> bool {
    Tiff::of(exif).is_none_or(|tiff| !tiff.is_whole)
}

/// Whether a TIFF is a camera's raw file, as far as these bytes tell.
pub(in crate::pixels) fn is_raw(bytes: &[u8]) -> bool {
    let Some(tiff) = Tiff::of(bytes) else { return false };
    tiff.has(DNG_VERSION) || (tiff.value(KIND) == Some(IS_PREVIEW) && tiff.has(INNER))
}

/// TIFF data and their first directory.
pub(super) struct Tiff<'a> {
    pub(super) data: &'a [u8],
    pub(super) is_little: bool,
    is_big_tiff: bool,
    entries: Vec<&'a [u8]>,
    /// Whether the directory is all there.
    is_whole: bool,
}

impl<'a> Tiff<'a> {
    pub(super) fn of(data: &'a [u8]) -> Option<Self> {
        let data = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
        let (is_little, is_big_tiff) = match data.first_chunk()? {
            b"II*\0" => (true, false),
            b"MM\0*" => (false, false),
            b"II+\0" => (true, true),
            b"MM\0+" => (false, true),
            _ => return None,
        };
        let tiff = Self { data, is_little, is_big_tiff, entries: Vec::new(), is_whole: false };
        let start = if is_big_tiff { tiff.number(8..16)? } else { tiff.number(4..8)? };
        tiff.directory(start)
    }

    /// The directory that begins at a place.
    fn directory(&self, start: u64) -> Option<Self> {
        let Self { data, is_little, is_big_tiff, .. } = *self;
        let (counted, size) = if is_big_tiff { (8, 20) } else { (2, 12) };
        let start = usize::try_from(start).ok()?;
        let count = self.number(start..start.checked_add(counted)?)?;
        let entries = data.get(start + counted..)?;
        let entries: Vec<_> = entries.chunks_exact(size).take(usize::try_from(count).ok()?).collect();
        let is_whole = entries.len() as u64 == count;
        Some(Self { data, is_little, is_big_tiff, entries, is_whole })
    }

    /// The directory that an entry leads to.
    pub(super) fn inner(&self, tag: u64) -> Option<Self> {
        self.directory(*self.numbers(tag)?.first()?)
    }

    /// The text of an entry, up to its first zero, without spaces around it; nothing where it is empty.
    pub(super) fn text(&self, tag: u64) -> Option<String> {
        let entry = self.entries.iter().copied().find(|entry| self.integer(&entry[..2]) == tag)?;
        let (count, place) = entry[4..].split_at(if self.is_big_tiff { 8 } else { 4 });
        let length = usize::try_from(self.integer(count)).ok()?;
        let bytes = if length <= place.len() {
            &place[..length]
        } else {
            let at = usize::try_from(self.integer(place)).ok()?;
            self.data.get(at..at.checked_add(length)?)?
        };
        if self.integer(&entry[2..4]) != TEXT {
            return None;
        }
        let text = String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next()?).trim().to_string();
        (!text.is_empty()).then_some(text)
    }

    fn number(&self, at: std::ops::Range<usize>) -> Option<u64> {
        self.data.get(at).map(|bytes| self.integer(bytes))
    }

    fn integer(&self, bytes: &[u8]) -> u64 {
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.is_little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) }
    }

    fn has(&self, tag: u64) -> bool {
        self.entries.iter().any(|entry| self.integer(&entry[..2]) == tag)
    }

    /// The one number of an entry, whatever its type; nothing if it is text, or several.
    fn value(&self, tag: u64) -> Option<f64> {
        let (kind, count, bytes) = self.content(tag)?;
        let signed = |bytes: &[u8]| {
            let unused = 64 - 8 * bytes.len() as u32;
            ((self.integer(bytes) << unused) as i64 >> unused) as f64
        };
        if count != 1 {
            return None;
        }
        Some(match kind {
            7 | 13 => return None,
            5 => self.integer(&bytes[..4]) as f64 / self.integer(&bytes[4..]) as f64,
            10 => signed(&bytes[..4]) / signed(&bytes[4..]),
            6 | 8 | 9 | 17 => signed(bytes),
            11 => f64::from(f32::from_bits(self.integer(bytes) as u32)),
            12 => f64::from_bits(self.integer(bytes)),
            _ => self.integer(bytes) as f64,
        })
    }

    /// The bytes of an entry, as they lie in the file; nothing if it is text.
    pub(super) fn bytes(&self, tag: u64) -> Option<&'a [u8]> {
        self.content(tag).map(|(.., bytes)| bytes)
    }

    /// The whole numbers of an entry.
    pub(super) fn numbers(&self, tag: u64) -> Option<Vec<u64>> {
        let (kind, _, bytes) = self.content(tag)?;
        let size = size_of(kind)?;
        matches!(kind, 1 | 3 | 4 | 16).then(|| bytes.chunks_exact(size).map(|bytes| self.integer(bytes)).collect())
    }

    /// Type, count and bytes of an entry. Nothing if they are not all there, so that a count is never more than the file has bytes.
    fn content(&self, tag: u64) -> Option<(u64, u64, &'a [u8])> {
        let entry = self.entries.iter().copied().find(|entry| self.integer(&entry[..2]) == tag)?;
        let (count, place) = entry[4..].split_at(if self.is_big_tiff { 8 } else { 4 });
        let (kind, count) = (self.integer(&entry[2..4]), self.integer(count));
        let length = usize::try_from(count).ok()?.checked_mul(size_of(kind)?)?;
        if length <= place.len() {
            return Some((kind, count, &place[..length]));
        }
        let at = usize::try_from(self.integer(place)).ok()?;
        Some((kind, count, self.data.get(at..at.checked_add(length)?)?))
    }
}

/// Bytes of a value of each type.
fn size_of(kind: u64) -> Option<usize> {
    match kind {
        1 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16 | 17 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXIF data with one entry: its type, its four bytes, and what follows the directory.
    fn with(is_little: bool, kind: u16, place: [u8; 4], after: &[u8]) -> Vec<u8> {
        let two = |n: u16| if is_little { n.to_le_bytes() } else { n.to_be_bytes() };
        let four = |n: u32| if is_little { n.to_le_bytes() } else { n.to_be_bytes() };
        let beginning: &[u8] = if is_little { b"II*\0" } else { b"MM\0*" };
        let entry = [&two(0x0112)[..], &two(kind), &four(1), &place].concat();
        [beginning, &four(8), &two(1), &entry, &four(0), after].concat()
    }

    #[test]
    fn the_turn_is_read_whichever_number_it_is_stored_as() {
        let turn = |exif: &[u8]| orientation(exif).map(Orientation::to_exif);
        for (kind, little, big) in [
            (1, [6, 0, 0, 0], [6, 0, 0, 0]),
            (3, [6, 0, 0, 0], [0, 6, 0, 0]),
            (4, [6, 0, 0, 0], [0, 0, 0, 6]),
            (6, [6, 9, 9, 9], [6, 9, 9, 9]),
            (8, [6, 0, 9, 9], [0, 6, 9, 9]),
            (9, [6, 0, 0, 0], [0, 0, 0, 6]),
            (11, 6f32.to_le_bytes(), 6f32.to_be_bytes()),
        ] {
            assert_eq!(turn(&with(true, kind, little, &[])), Some(6), "type {kind}, little");
            assert_eq!(turn(&with(false, kind, big, &[])), Some(6), "type {kind}, big");
        }
        // A fraction and a long float, which lie behind.
        assert_eq!(turn(&with(true, 5, [26, 0, 0, 0], &[12, 0, 0, 0, 2, 0, 0, 0])), Some(6));
        assert_eq!(turn(&with(false, 12, [0, 0, 0, 26], &6f64.to_be_bytes())), Some(6));
        // None of 0, 9, 262, one and a half, text, and what lies beyond the end.
        for (kind, place) in
            [(3, [0; 4]), (3, [9, 0, 0, 0]), (3, [6, 1, 0, 0]), (2, *b"6\0\0\0"), (5, [26, 0, 0, 0]), (12, [255; 4])]
        {
            assert_eq!(turn(&with(true, kind, place, &[3, 0, 0, 0, 2, 0, 0, 0])), None, "type {kind}: {place:?}");
        }
        assert_eq!(turn(&[b"Exif\0\0", &with(true, 3, [8, 0, 0, 0], &[])[..]].concat()), Some(8));
    }

    #[test]
    fn xmp_has_it_as_an_attribute_or_an_element() {
        for (xmp, turn) in [
            ("<x tiff:Orientation=\"6\">", Some(6)),
            ("<x tiff:Orientation='3'/>", Some(3)),
            ("tiff:OrientationX <tiff:Orientation>8</tiff:Orientation>", Some(8)),
            ("<x tiff:Orientation=\"9\">", None),
            ("<x tiff:Orientation=\"61\">", None),
            ("tiff:Orientation", None),
        ] {
            assert_eq!(xmp_orientation(xmp.as_bytes()).map(Orientation::to_exif), turn, "{xmp}");
        }
    }
}
