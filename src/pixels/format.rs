//! What a file is, as its bytes tell. Its name says nothing.

use super::decode::exif;
use crate::base::error::{Error, ErrorKind};

/// How many bytes of a file tell its format.
pub const BEGINNING: usize = 4096;

/// What a file is, as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JPEG; of a multi-picture file (MPO), its first picture.
    Jpeg,
    /// PNG; of an animation, its still picture.
    Png,
    /// WebP; of an animation, its first picture.
    WebP,
    /// GIF, its first picture.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF, its first page.
    Tiff,
    /// JPEG XL, its first picture.
    JpegXl,
    /// A picture that petal does not read: what it is, and what to do about it.
    NotRead(&'static str, &'static str),
    /// Something else, by its name: `text`.
    NotAPicture(&'static str),
}

/// What petal reads, in words.
const READ: &str = "JPEG, PNG, WebP, GIF, BMP, TIFF and JPEG XL can be read";

const HEIC: Format = Format::NotRead(
    "a HEIC",
    "make a JPEG of it: `heif-convert photo.heic photo.jpg` (libheif), or export it from the photo app; an iPhone takes JPEGs with Settings > Camera > Formats > Most Compatible",
);
const AVIF: Format = Format::NotRead(
    "an AVIF",
    "make a PNG of it: `heif-convert photo.avif photo.png` (libheif), or `python -c \"from PIL import Image; Image.open('photo.avif').save('photo.png')\"`",
);
const RAW: Format = Format::NotRead(
    "a camera's raw file",
    "make a JPEG of it: `darktable-cli photo.nef photo.jpg`, or export it from the camera's own program; most cameras can write JPEGs beside",
);
const JPEG_2000: Format = Format::NotRead("a JPEG 2000", CONVERT);
const CONVERT: &str = "make a PNG of it: `magick photo.xyz photo.png` (ImageMagick 7; `convert` in 6)";

/// Where, what, and what it is then; the first that fits counts.
const MAGIC: [(usize, &[u8], Format); 34] = [
    (0, &[0xff, 0xd8, 0xff], Format::Jpeg),
    (0, b"\x89PNG\r\n\x1a\n", Format::Png),
    (8, b"WEBP", Format::WebP),
    (0, b"GIF8", Format::Gif),
    (0, b"BM", Format::Bmp),
    (8, b"CR\x02\0", RAW),
    (0, b"II*\0", Format::Tiff),
    (0, b"MM\0*", Format::Tiff),
    (0, b"II+\0", Format::Tiff),
    (0, b"MM\0+", Format::Tiff),
    (0, &[0xff, 0x0a], Format::JpegXl),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", Format::JpegXl),
    (0, b"IIU\0", RAW),
    (0, b"IIRO", RAW),
    (0, b"IIRS", RAW),
    (0, b"MMOR", RAW),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"FOVb", RAW),
    (0, b"\0MRM", RAW),
    (4, b"ftypcrx", RAW),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (0, &[0xff, 0x4f, 0xff, 0x51], JPEG_2000),
    (0, &[b'I', b'I', 0xbc], Format::NotRead("a JPEG XR", CONVERT)),
    (0, b"8BPS", Format::NotRead("a Photoshop file", CONVERT)),
    (0, b"gimp xcf", Format::NotRead("a GIMP file", CONVERT)),
    (0, b"qoif", Format::NotRead("a QOI", CONVERT)),
    (0, b"DDS ", Format::NotRead("a DDS", CONVERT)),
    (0, b"v/1\x01", Format::NotRead("an OpenEXR", CONVERT)),
    (0, b"#?R", Format::NotRead("a Radiance picture", CONVERT)),
    (0, b"\0\0\x01\0", Format::NotRead("an icon", CONVERT)),
    (0, b"%PDF", Format::NotAPicture("a PDF")),
    (0, b"PK\x03\x04", Format::NotAPicture("a ZIP archive")),
    (4, b"ftyp", Format::NotAPicture("a video")),
    (0, b"\x1aE\xdf\xa3", Format::NotAPicture("a video")),
];

impl Format {
    /// Whether it can be read.
    pub fn is_read(self) -> bool {
        !matches!(self, Self::NotRead(..) | Self::NotAPicture(_))
    }

    /// Whether it is a picture, readable or not.
    pub fn is_picture(self) -> bool {
        !matches!(self, Self::NotAPicture(_))
    }

    /// What it is.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "a JPEG",
            Self::Png => "a PNG",
            Self::WebP => "a WebP",
            Self::Gif => "a GIF",
            Self::Bmp => "a BMP",
            Self::Tiff => "a TIFF",
            Self::JpegXl => "a JPEG XL",
            Self::NotRead(name, _) | Self::NotAPicture(name) => name,
        }
    }

    /// Why it is not read, and what to do about it.
    pub fn refused(self) -> Error {
        match self {
            Self::NotRead(name, mend) => {
                Error::new(ErrorKind::Format, format!("this is {name}, which petal does not read")).mend(mend)
            }
            _ => Error::new(ErrorKind::Format, format!("this is {}; {READ}", self.name())),
        }
    }

    /// The format of a file that begins with these bytes. A raw file that is a TIFF with the photo in a place of its own may need more of them
    /// than [`BEGINNING`].
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::NotAPicture("an empty file");
        }
        if let Some(format) = by_brand(bytes) {
            return format;
        }
        let fits =
            |(at, magic, _): &&(usize, &[u8], Self)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic));
        match MAGIC.iter().find(fits) {
            Some((_, _, Self::Tiff)) if exif::is_raw(bytes) => RAW,
            // Text may begin so, too.
            Some((_, _, Self::Bmp)) if is_text(bytes) => Self::NotAPicture("text, not a picture"),
            Some((_, _, Self::WebP)) if !bytes.starts_with(b"RIFF") => Self::NotAPicture("not a picture"),
            Some((_, _, format)) => *format,
            None if is_text(bytes) => Self::of_text(bytes),
            None => Self::NotAPicture("not a picture"),
        }
    }

    fn of_text(bytes: &[u8]) -> Self {
        let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(BEGINNING)]);
        let beginning = beginning.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
        if beginning.starts_with("<svg") || beginning.starts_with("<?xml") && beginning.contains("<svg") {
            return Self::NotRead(
                "an SVG drawing",
                "make a PNG of it: `rsvg-convert drawing.svg -o drawing.png` (librsvg)",
            );
        }
        Self::NotAPicture("text, not a picture")
    }
}

/// What the brands of an ISO media file say: the first names the file, the others what else may read it.
fn by_brand(bytes: &[u8]) -> Option<Format> {
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let brands = bytes.get(8..length.min(bytes.len()).max(12))?;
    // Four bytes after the first are a version.
    let mut all = brands.chunks_exact(4).enumerate().filter(|(place, _)| *place != 1).map(|(_, brand)| brand);
    let has_avif = all.clone().any(|brand| matches!(brand, b"avif" | b"avis" | b"avio"));
    let is_heic =
        |brand: &[u8]| brand.starts_with(b"hei") || brand.starts_with(b"hev") || matches!(brand, b"mif1" | b"msf1");
    if has_avif { Some(AVIF) } else { all.any(is_heic).then_some(HEIC) }
}

/// Whether a file begins as UTF-8 text does.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // A letter may be cut in two.
        Err(cause) if cause.error_len().is_none() => std::str::from_utf8(&start[..cause.valid_up_to()]).unwrap_or(""),
        Err(_) => "",
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_whitespace())
}
