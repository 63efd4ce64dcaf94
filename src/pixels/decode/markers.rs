//! What the markers of a JPEG say: where its end is, which scans it has, and what of it bends the standard.

use std::ops::Range;

/// Most components of a picture that can be read: CMYK's.
const COMPONENTS: usize = 4;
/// Least length of Adobe's segment. Shorter ones say nothing, and stop decoders.
const ADOBE: usize = 14;
/// Numbers in a block of 8 × 8.
const COEFFICIENTS: usize = 64;

/// What a walk over the markers of a JPEG has found, up to its end.
pub(super) struct Markers<'a> {
    bytes: &'a [u8],
    /// Where the end marker is.
    end: usize,
    /// EXIF data, if there are any: the first, as for Pillow.
    pub(super) exif: Option<&'a [u8]>,
    /// An XMP packet, if there is any.
    pub(super) xmp: Option<&'a [u8]>,
    /// Scans.
    scans: usize,
    /// The scans that have come, of a progressive JPEG.
    progressive: Option<Scans>,
    /// Whether there are Huffman tables before the first scan.
    has_tables: bool,
    /// Whether a picture of arithmetic codes follows, or another process that needs no Huffman tables.
    is_arithmetic: bool,
    /// The first scan's marker.
    first_scan: usize,
    /// Bytes between segments that belong to none.
    stray: Vec<Range<usize>>,
}

impl<'a> Markers<'a> {
    /// Follows the markers one by one: a preview inside the EXIF data has an end of its own, and some cameras write more after
    /// the end. `None` if there is no end.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut found = Self {
            bytes,
            end: 0,
            exif: None,
            xmp: None,
            scans: 0,
            progressive: None,
            has_tables: false,
            is_arithmetic: false,
            first_scan: 0,
            stray: Vec::new(),
        };
        let (mut at, mut in_scan) = (0, false);
        loop {
            at = match bytes.get(at..)? {
                [0xff, 0xd9, ..] => {
                    found.end = at;
                    return Some(found);
                }
                // Fill bytes, stuffed bytes of a scan, and markers without content.
                [0xff, 0xff, ..] => at + 1,
                [0xff, 0x00, ..] if !in_scan => found.skip(at, 2),
                [0xff, 0x00 | 0x01 | 0xd0..=0xd8, ..] => at + 2,
                [0xff, marker, high, low, rest @ ..] => {
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    let content = &rest[..rest.len().min(length.saturating_sub(2))];
                    in_scan = *marker == 0xda;
                    if *marker == 0xee && length < ADOBE {
                        found.skip(at, 2 + length)
                    } else {
                        found.add(*marker, at, content);
                        at + 2 + length
                    }
                }
                // Content of a scan.
                [_, _, ..] if in_scan => at + 1,
                [_, _, ..] => found.skip(at, 1),
                _ => return None,
            };
        }
    }

    fn skip(&mut self, at: usize, count: usize) -> usize {
        match self.stray.last_mut() {
            Some(last) if last.end == at => last.end += count,
            _ => self.stray.push(at..at + count),
        }
        at + count
    }

    fn add(&mut self, marker: u8, at: usize, content: &'a [u8]) {
        match (marker, &mut self.progressive) {
            (0xe1, _) => {
                self.exif = self.exif.or(content.strip_prefix(b"Exif\0\0"));
                self.xmp = self.xmp.or(content.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0"));
            }
            (0xc4, _) => self.has_tables |= self.scans == 0,
            (0xc9..=0xcb | 0xcd..=0xcf, _) => self.is_arithmetic = true,
            (0xc2, none @ None) => *none = Some(Scans::new(content)),
            (0xda, scans) => {
                if self.scans == 0 {
                    self.first_scan = at;
                }
                self.scans += 1;
                if let Some(scans) = scans {
                    scans.add(content);
                }
            }
            _ => {}
        }
    }

    /// The JPEG up to its end marker, as the standard wants it: without what lies between its segments, and with the standard's own Huffman tables
    /// where it has none, as webcams leave them out (ITU-T T.81, annex K.3.3; RFC 2435 does the same).
    pub(super) fn tidied(&self) -> Vec<u8> {
        let mut stream = Vec::with_capacity(self.end + TABLES);
        self.keep(0..self.first_scan, &mut stream);
        if !self.has_tables && !self.is_arithmetic && self.scans > 0 {
            stream.extend(standard_tables());
        }
        self.keep(self.first_scan..self.end, &mut stream);
        stream
    }

    /// Copies a part of the JPEG, but for what is stray in it.
    fn keep(&self, part: Range<usize>, into: &mut Vec<u8>) {
        let mut from = part.start;
        for stray in self.stray.iter().filter(|stray| part.contains(&stray.start)) {
            into.extend_from_slice(&self.bytes[from..stray.start]);
            from = stray.end;
        }
        into.extend_from_slice(&self.bytes[from..part.end]);
    }

    /// Whether the components of a sequential JPEG come in scans of their own.
    pub(super) fn has_separate_scans(&self) -> bool {
        self.is_sequential() && self.scans > 1
    }

    /// Whether pixels come row by row, so that what is missing at the end is rows.
    pub(super) fn is_sequential(&self) -> bool {
        self.progressive.is_none()
    }

    /// Whether every scan of a progressive JPEG has begun.
    pub(super) fn has_all_scans(&self) -> bool {
        self.progressive.as_ref().is_none_or(Scans::are_all)
    }
}

/// For each component and coefficient, how many of its lowest bits have not come yet.
struct Scans {
    ids: Vec<u8>,
    missing: [[u8; COEFFICIENTS]; COMPONENTS],
}

impl Scans {
    /// From a frame's header: precision, height, width, then a number and three bytes for each component.
    fn new(frame: &[u8]) -> Self {
        let components = frame.get(6..).unwrap_or_default().chunks_exact(3).take(COMPONENTS);
        Self { ids: components.map(|component| component[0]).collect(), missing: [[u8::MAX; COEFFICIENTS]; COMPONENTS] }
    }

    /// From a scan's header: a number and two bytes for each component, then the first and last coefficient, and the bits.
    fn add(&mut self, scan: &[u8]) {
        let Some((&count, rest)) = scan.split_first() else { return };
        let Some((components, [first, last, bits, ..])) = rest.split_at_checked(2 * usize::from(count)) else { return };
        let band = usize::from(*first)..(usize::from(*last) + 1).min(COEFFICIENTS);
        for component in components.chunks_exact(2) {
            let known = self.ids.iter().position(|id| *id == component[0]);
            if let Some(missing) = known.and_then(|index| self.missing[index].get_mut(band.clone())) {
                missing.fill(bits & 15);
            }
        }
    }

    fn are_all(&self) -> bool {
        self.missing.iter().take(self.ids.len()).flatten().all(|missing| *missing == 0)
    }
}

/// Bytes of the standard's Huffman tables, with their marker.
const TABLES: usize = 420;

/// The Huffman tables of annex K.3.3: how many codes there are of each length from 1 to 16 bits, then their values.
fn standard_tables() -> Vec<u8> {
    const DC: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    let tables: [(u8, [u8; 16], &[u8]); 4] = [
        (0x00, [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &DC),
        (0x10, [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125], &AC_LUMINANCE),
        (0x01, [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &DC),
        (0x11, [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119], &AC_CHROMINANCE),
    ];
    let mut segment = vec![0xff, 0xc4];
    segment.extend((TABLES as u16 - 2).to_be_bytes());
    for (class, counts, values) in tables {
        segment.push(class);
        segment.extend(counts);
        segment.extend(values);
    }
    segment
}

const AC_LUMINANCE: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14,
    0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09,
    0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a,
    0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65,
    0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88,
    0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9,
    0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca,
    0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea,
    0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

const AC_CHROMINANCE: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22, 0x32,
    0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16,
    0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39,
    0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64,
    0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86,
    0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8,
    0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9,
    0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];
