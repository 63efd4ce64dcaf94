//! Drawn flowers in a folder as people have it: for demonstrations and tests of what such folders need.

use std::path::Path;

use image::ImageFormat;
use rayon::prelude::*;

use super::flower::{CLASSES, picture};
use crate::base::error::Result;
use crate::base::files;
use crate::base::seed::{Purpose, Seed};
use crate::pixels::encode::encode;
use crate::pixels::{Rgb, encode_jpeg, resize};

/// The class that has a sixth as many photos as the others, at least three.
pub const RARE: &str = "roses";

/// Draws `per_class` pictures of each class, fixed by the seed, as [`draw`](super::draw) does, into a folder as people have it: JPEGs with usual endings,
/// unusual ones and none, PNG, WebP, GIF and BMP, one format under the name of another, in folders in folders; one class ([`RARE`]) much smaller than the
/// others; of the first photo of each class a smaller copy, of one photo a copy in another class; and notes, an empty file, a hidden one, a HEIC.
pub fn draw_untidy(root: &Path, per_class: usize, seed: Seed) -> Result<()> {
    let count = |class: usize| if CLASSES[class] == RARE { (per_class / 6).max(3) } else { per_class };
    let pictures: Vec<(usize, usize)> =
        (0..CLASSES.len()).flat_map(|class| (0..count(class)).map(move |index| (class, index))).collect();
    let drawn =
        |class: usize, index: usize| picture(class, &mut seed.stream(Purpose::Synthetic, class as u64, index as u64));
    pictures.par_iter().try_for_each(|&(class, index)| {
        let photo = drawn(class, index);
        let (name, bytes) = as_kept(&photo, index)?;
        files::write_bytes(&root.join(CLASSES[class]).join(name), &bytes)
    })?;
    for (class, name) in CLASSES.iter().enumerate() {
        let smaller = resize::fit(&drawn(class, 0), 160)?;
        files::write_bytes(&root.join(name).join("copies/smaller.jpg"), &encode_jpeg(&smaller, 75)?)?;
    }
    let twice = encode_jpeg(&drawn(0, 1), 80)?;
    files::write_bytes(&root.join(CLASSES[4]).join("really a daisy.jpg"), &twice)?;
    files::write_bytes(&root.join(CLASSES[1]).join("IMG_0101.HEIC"), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")?;
    files::write_bytes(&root.join(CLASSES[1]).join("unfinished download.jpg"), b"")?;
    files::write_bytes(&root.join(CLASSES[2]).join(".thumbnail.jpg"), b"hidden")?;
    files::write_bytes(&root.join("notes.txt"), b"Which of these were taken in May?\n")
}

/// The name and the bytes of a photo, by its number.
fn as_kept(photo: &Rgb, index: usize) -> Result<(String, Vec<u8>)> {
    let number = index + 1;
    Ok(match index % 8 {
        0 | 1 => (format!("IMG_{number:04}.jpg"), encode_jpeg(photo, 88)?),
        2 => (format!("screenshots/{number}.png"), encode(photo, ImageFormat::Png)?),
        3 => (format!("from the web/{number}.webp"), encode(photo, ImageFormat::WebP)?),
        4 => (format!("from the web/{number}.jpg"), encode(photo, ImageFormat::WebP)?),
        5 => (format!("camera/2019/P{number:07}.jfif"), encode_jpeg(photo, 92)?),
        6 => (format!("camera/2019/{number}"), encode_jpeg(photo, 92)?),
        _ if index % 16 == 7 => (format!("old/SCAN{number}.BMP"), encode(photo, ImageFormat::Bmp)?),
        _ => (format!("old/{number}.gif"), encode(photo, ImageFormat::Gif)?),
    })
}
