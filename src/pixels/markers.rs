//! What the markers of a JPEG say about its end. A decoder fills what is missing with grey, without a word.

/// Most components of a picture that can be read: CMYK's.
const COMPONENTS: usize = 4;
/// Numbers in a block of 8 × 8.
const COEFFICIENTS: usize = 64;

/// What a walk over the markers of a JPEG has found, up to its end.
pub(super) struct Markers<'a> {
    /// Where the end marker is.
    pub(super) end: usize,
    /// EXIF data, if there are any.
    exif: Option<&'a [u8]>,
    /// The scans that have come, of a progressive JPEG.
    progressive: Option<Scans>,
}

impl<'a> Markers<'a> {
    /// Follows the markers one by one: a preview inside the EXIF data has an end of its own, and some cameras write more after
    /// the end. `None` if there is no end.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let (mut at, mut exif, mut progressive) = (0, None, None);
        loop {
            at = match bytes.get(at..)? {
                [0xff, 0xd9, ..] => return Some(Self { end: at, exif, progressive }),
                // Fill bytes, stuffed bytes of a scan, and markers without content.
                [0xff, 0xff, ..] => at + 1,
                [0xff, 0x00 | 0x01 | 0xd0..=0xd8, ..] => at + 2,
                [0xff, marker, high, low, rest @ ..] => {
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    let content = &rest[..rest.len().min(length.saturating_sub(2))];
                    match (marker, &mut progressive) {
                        (0xe1, _) if exif.is_none() => exif = content.strip_prefix(b"Exif\0\0"),
                        (0xc2, none @ None) => *none = Some(Scans::new(content)),
                        (0xda, Some(scans)) => scans.add(content),
                        _ => {}
                    }
                    at + 2 + length
                }
                // Content of a scan.
                [_, _, ..] => at + 1,
                _ => return None,
            };
        }
    }

    /// Whether pixels come row by row, so that what is missing at the end is rows.
    pub(super) fn is_sequential(&self) -> bool {
        self.progressive.is_none()
    }

    /// Whether there are EXIF data that cannot be read: where the photo's top is, nothing says then.
    pub(super) fn has_broken_exif(&self) -> bool {
        self.exif.is_some_and(|exif| first_directory(exif).is_none())
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

/// The entries of the first directory of TIFF data, 12 bytes each, if they are whole.
fn first_directory(tiff: &[u8]) -> Option<&[u8]> {
    let is_little = match tiff.first_chunk()? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let number = |bytes: &[u8]| {
        let place = |(index, byte): (usize, &u8)| {
            usize::from(*byte) << (8 * if is_little { index } else { bytes.len() - 1 - index })
        };
        bytes.iter().enumerate().map(place).sum::<usize>()
    };
    let (count, entries) = tiff.get(number(tiff.get(4..8)?)..)?.split_first_chunk::<2>()?;
    entries.get(..12 * number(count))
}
