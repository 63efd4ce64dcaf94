//! From a folder to batches: split, loader.

mod drawn;
mod duplicates;
mod loader;
mod real;
mod split;
mod split_files;
mod synthetic;

use std::fs;
use std::path::Path;

use petal::config::Config;
use petal::data::Dataset;
use petal::pixels::{Rgb, encode_jpeg};
use petal::project::{DeviceChoice, Project};
use petal::{Purpose, Seed};

pub(crate) fn project(root: &Path) -> Project {
    Project::open_on(root, DeviceChoice::Cpu).unwrap()
}

/// A picture like no other: soft random fields, fixed by `number`.
pub(crate) fn picture(number: u64) -> Rgb {
    let mut stream = Seed(number).stream(Purpose::Synthetic, 99, 0);
    let (width, height) = (64 + stream.below(30), 64 + stream.below(30));
    let fields: Vec<f64> = (0..6 * 6 * 3).map(|_| stream.uniform() * 255.0).collect();
    let value = |i: usize| {
        let (x, y) = (i / 3 % width, i / 3 / width);
        let (fx, fy) = (x as f64 * 5.0 / width as f64, y as f64 * 5.0 / height as f64);
        let at = |dx: usize, dy: usize| fields[((fy as usize + dy) * 6 + fx as usize + dx) * 3 + i % 3];
        let (px, py) = (fx.fract(), fy.fract());
        let top = at(0, 0) * (1.0 - px) + at(1, 0) * px;
        (top * (1.0 - py) + (at(0, 1) * (1.0 - px) + at(1, 1) * px) * py) as u8
    };
    Rgb { width, height, data: (0..width * height * 3).map(value).collect() }
}

pub(crate) fn write_picture(path: &Path, picture: &Rgb) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, encode_jpeg(picture, 90).unwrap()).unwrap();
}

/// A folder with so many different photos of each class.
pub(crate) fn write_photos(root: &Path, classes: &[(&str, usize)]) {
    let mut number = 0;
    for (class, count) in classes {
        for index in 0..*count {
            number += 1;
            write_picture(&root.join(class).join(format!("{index:03}.jpg")), &picture(number));
        }
    }
}

/// Every file below a folder, as `path` and content, sorted.
pub(crate) fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
                found.push((name, fs::read(&path).unwrap_or_default()));
            }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}

pub(crate) fn names(root: &Path) -> Vec<String> {
    tree(root).into_iter().map(|(name, _)| name).collect()
}

/// The settings with another seed.
pub(crate) fn seeded(seed: u64) -> Config {
    Config { seed, ..Config::seed() }
}

/// Classes and photos, as `class/file`.
pub(crate) fn listed(dataset: &Dataset) -> Vec<String> {
    let name = |path: &Path| path.strip_prefix(&dataset.root).unwrap().to_str().unwrap().to_string();
    dataset.samples.iter().map(|sample| name(&sample.path)).collect()
}
