//! What texts in a PNG say of how it lies, where EXIF data in their own chunk do not: ImageMagick writes EXIF data as hexadecimal text.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// Most bytes that a text is unpacked to.
const MOST: u64 = 1 << 20;

/// EXIF data, from a chunk of their own that comes after the pixels, or from the text `Raw profile type exif` (or `APP1`).
pub(super) fn exif(png: &[u8]) -> Option<Vec<u8>> {
    let found = |(kind, content): (&[u8], &[u8])| match kind {
        b"eXIf" => Some(content.to_vec()),
        b"tEXt" | b"zTXt" => profile(kind, content),
        _ => None,
    };
    chunks(png).find_map(found)
}

/// An XMP packet, from the text `XML:com.adobe.xmp`.
pub(super) fn xmp(png: &[u8]) -> Option<Vec<u8>> {
    let content = chunks(png)
        .filter(|(kind, _)| *kind == b"iTXt")
        .find_map(|(_, content)| content.strip_prefix(b"XML:com.adobe.xmp\0"))?;
    // Whether and how it is packed, then a language and a translated name, which end with zeros.
    let [packed, _, rest @ ..] = content else { return None };
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let text = parts.nth(2)?;
    if *packed == 1 { unpacked(text) } else { Some(text.to_vec()) }
}

fn profile(kind: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let names: [&[u8]; 2] = [b"Raw profile type exif\0", b"Raw profile type APP1\0"];
    let content = names.iter().find_map(|name| content.strip_prefix(*name))?;
    let text = if kind == b"zTXt" { unpacked(content.get(1..)?)? } else { content.to_vec() };
    // "\nexif\n", the number of bytes, and lines of hexadecimal digits.
    let text = String::from_utf8(text).ok()?;
    let digits: String = text.split_ascii_whitespace().skip(2).collect();
    let bytes =
        digits.as_bytes().chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    bytes.collect()
}

fn unpacked(zlib: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    ZlibDecoder::new(zlib).take(MOST).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Kind and content of each whole chunk.
fn chunks(png: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = png.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_at_checked(4)?;
        let (content, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = after.get(4..)?;
        Some((kind, content))
    })
}
