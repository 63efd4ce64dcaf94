//! How many copies of photos are found, and which photos of a set are taken for the same. What docs/DUPLICATES.md says was measured so.
//!
//! ```sh
//! cargo run --release --example duplicates -- FOLDER_OR_ARCHIVE [EVERY]
//! ```
//!
//! Of every EVERYth photo (1, all of them, if it is not given), copies are made in memory: resized, encoded again, recoloured, mirrored, cropped. Each is
//! compared with its original. Nothing is written beside the photos.

use std::path::PathBuf;
use std::time::Instant;

use petal::data::{Dataset, duplicates, photo};
use petal::pixels::candidates::candidates;
use petal::pixels::likeness::Comparable;
use petal::pixels::{Fingerprint, Limits, Rgb, decode, encode_jpeg, resize};
use petal::prelude::*;
use petal::{Purpose, Seed};
use rayon::prelude::*;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next().map(PathBuf::from) else {
        println!("give a folder of photos, or an archive");
        return Ok(());
    };
    let every = arguments.next().and_then(|every| every.parse().ok()).unwrap_or(1).max(1);
    let photos = if path.is_dir() {
        Dataset::folder(&path)?
    } else {
        Dataset::from_archive(&Project::open("target/duplicates")?, &path, false)?
    };
    let threshold = Config::seed().split.duplicate_threshold;
    originals(&photos, threshold)?;
    copies(&photos, every, threshold)
}

/// What is found among the photos themselves.
fn originals(photos: &Dataset, threshold: f64) -> Result<()> {
    let looked = photos.verify()?;
    let start = Instant::now();
    let found = duplicates::find(&looked.good, 0.3);
    println!(
        "{} photos compared in {:.1} s; all pairs from a likeness of 0.3 on:",
        looked.good.len(),
        start.elapsed().as_secs_f64()
    );
    let mut pairs = found.pairs;
    pairs.sort_by(|a, b| b.likeness.total_cmp(&a.likeness));
    for pair in pairs {
        let taken = if f64::from(pair.likeness) >= threshold { "the same" } else { "distinct" };
        let [one, other] = [pair.one, pair.other].map(|photo| &looked.good[photo].sample.name);
        println!("{:.3}  {taken}  {one}  {other}", pair.likeness);
    }
    Ok(())
}

/// How many copies are found.
fn copies(photos: &Dataset, every: usize, threshold: f64) -> Result<()> {
    let chosen: Vec<_> = photos.samples.iter().enumerate().step_by(every).collect();
    let likenesses: Vec<Vec<(&str, f32)>> = chosen
        .par_iter()
        .map(|(number, sample)| {
            let original = photo::read(&sample.path, &photos.limits)?;
            let own = Fingerprint::of(&original)?;
            let copies = copies_of(&original, *number as u64)?.into_iter();
            copies.map(|(name, copy)| Ok((name, likeness(&own, &Fingerprint::of(&copy)?)))).collect()
        })
        .collect::<Result<_>>()?;
    println!("\n{} photos, copies found (%), and the likeness of the least alike 1 %:", likenesses.len());
    let kinds = likenesses.first().map_or(0, Vec::len);
    for kind in 0..kinds {
        let mut all: Vec<f32> = likenesses.iter().map(|of| of[kind].1).collect();
        all.sort_by(f32::total_cmp);
        let found = all.iter().filter(|likeness| f64::from(**likeness) >= threshold).count();
        let share = 100.0 * found as f64 / all.len() as f64;
        println!("{:<28} {share:6.2}  {:.3}", likenesses[0][kind].0, all[all.len() / 100]);
    }
    Ok(())
}

/// How alike two pictures are, as a split sees it.
fn likeness(one: &Fingerprint, other: &Fingerprint) -> f32 {
    let (Fingerprint::Small(one), Fingerprint::Small(other)) = (one, other) else {
        return f32::from(u8::from(one == other));
    };
    let found = candidates(&[one, other]).into_iter();
    let compared =
        found.map(|found| Comparable::of(one, false).likeness(&Comparable::of(other, found.mirrored), found.lay));
    compared.fold(0.0, f32::max)
}

fn copies_of(photo: &Rgb, number: u64) -> Result<Vec<(&'static str, Rgb)>> {
    let jpeg = |picture: &Rgb, quality| decode(&encode_jpeg(picture, quality)?, &Limits::NONE);
    let longer = photo.width.max(photo.height);
    let resized = |percent: usize| jpeg(&resize::fit(photo, (longer * percent / 100).max(1))?, 90);
    let mut stream = Seed(number).stream(Purpose::Examples, 77, 0);
    let mut crop = |percent: f64| {
        let [width, height] = [photo.width, photo.height].map(|side| (side as f64 * (1.0 - percent / 100.0)) as usize);
        let (left, top) = (stream.below(photo.width - width + 1), stream.below(photo.height - height + 1));
        let row = |y: usize| photo.data[((top + y) * photo.width + left) * 3..][..width * 3].iter().copied();
        Rgb { width, height, data: (0..height).flat_map(row).collect() }
    };
    let (five, ten) = (crop(5.0), crop(10.0));
    Ok(vec![
        ("resized to 25 %", resized(25)?),
        ("resized to 50 %", resized(50)?),
        ("resized to 150 %", resized(150)?),
        ("JPEG of quality 60", jpeg(photo, 60)?),
        ("JPEG of quality 30", jpeg(photo, 30)?),
        ("JPEG of quality 10", jpeg(photo, 10)?),
        ("brightness x 1.2", each(photo, |c| c.map(|v| v * 1.2))),
        ("brightness x 0.7", each(photo, |c| c.map(|v| v * 0.7))),
        ("contrast x 1.25", each(photo, |c| c.map(|v| (v - 128.0) * 1.25 + 128.0))),
        ("contrast x 0.7", each(photo, |c| c.map(|v| (v - 128.0) * 0.7 + 128.0))),
        ("gamma 0.8", each(photo, |c| c.map(|v| 255.0 * (v / 255.0).powf(0.8)))),
        ("gamma 1.25", each(photo, |c| c.map(|v| 255.0 * (v / 255.0).powf(1.25)))),
        ("grey", each(photo, |c| [grey(c); 3])),
        ("saturation x 1.5", each(photo, |c| c.map(|v| grey(c) + 1.5 * (v - grey(c))))),
        ("saturation x 0.5", each(photo, |c| c.map(|v| grey(c) + 0.5 * (v - grey(c))))),
        ("hue turned by 30°", each(photo, |c| turned(c, 30.0))),
        ("sepia", each(photo, |c| [1.07, 0.9, 0.7].map(|tint| tint * grey(c) + 8.0))),
        ("mirrored", jpeg(&mirrored(photo), 85)?),
        ("cropped by 5 % of each side", jpeg(&five, 85)?),
        ("cropped by 10 % of each side", jpeg(&ten, 85)?),
        ("by 5 %, mirrored, half size", jpeg(&resize::fit(&mirrored(&five), (longer / 2).max(1))?, 75)?),
        ("brightness x 1.5", each(photo, |c| c.map(|v| v * 1.5))),
        ("contrast x 1.5", each(photo, |c| c.map(|v| (v - 128.0) * 1.5 + 128.0))),
        ("hue turned by 90°", each(photo, |c| turned(c, 90.0))),
    ])
}

/// Each pixel changed; red, green and blue from 0 to 255.
fn each(photo: &Rgb, change: impl Fn([f32; 3]) -> [f32; 3]) -> Rgb {
    let pixel = |p: &[u8]| change([p[0], p[1], p[2]].map(f32::from)).map(|v| v.round().clamp(0.0, 255.0) as u8);
    Rgb { data: photo.data.chunks_exact(3).flat_map(pixel).collect(), ..*photo }
}

fn grey([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// Turned around the axis of the greys.
fn turned([red, green, blue]: [f32; 3], degrees: f32) -> [f32; 3] {
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let (same, up, down) = (
        cosine + (1.0 - cosine) / 3.0,
        (1.0 - cosine) / 3.0 + sine / 3f32.sqrt(),
        (1.0 - cosine) / 3.0 - sine / 3f32.sqrt(),
    );
    [
        red * same + green * down + blue * up,
        red * up + green * same + blue * down,
        red * down + green * up + blue * same,
    ]
}

fn mirrored(photo: &Rgb) -> Rgb {
    let rows = photo.data.chunks_exact(photo.width * 3);
    Rgb { data: rows.flat_map(|row| row.chunks_exact(3).rev().flatten().copied()).collect(), ..*photo }
}
