//! Batches: in order, whole, the same however they are made.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use candle_core::{DType, Device};
use petal::config::AugmentConfig;
use petal::data::{Dataset, Loader, Subset, photo};
use petal::pixels::{Filter, Preprocess};
use petal::{Config, ErrorKind, Result, Seed, files};

use super::{project, write_photos};

const PREPROCESS: Preprocess = Preprocess {
    size: 32,
    crop: 0.875,
    fit: petal::config::Fit::Crop,
    filter: Filter::Bicubic,
    mean: [0.5, 0.4, 0.3],
    std: [0.25, 0.5, 1.0],
};

/// 37 photos to train on.
fn subset(root: &Path) -> Subset {
    write_photos(&root.join("photos"), &[("daisy", 30), ("roses", 17)]);
    let photos = Dataset::folder(root.join("photos")).unwrap();
    photos.split(&project(&root.join("project")), &Config::seed()).unwrap().train
}

fn loader(subset: &Subset) -> Loader {
    Loader::new(subset, PREPROCESS, 8, &Device::Cpu)
}

fn augmented(subset: &Subset, seed: u64) -> Loader {
    loader(subset).augmented(AugmentConfig::default(), Seed(seed))
}

/// The pixels of each photo, channels last, as bytes.
fn bytes_of(loader: &Loader, order: &[usize], view: u64) -> Vec<Vec<u8>> {
    let mut photos = Vec::new();
    for batch in loader.batches_of(order, view) {
        let images = batch.unwrap().images.permute((0, 2, 3, 1)).unwrap().flatten_from(1).unwrap();
        let rows = images.to_vec2::<f32>().unwrap();
        photos.extend(rows.into_iter().map(|row| row.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()));
    }
    photos
}

fn all(loader: &Loader) -> Vec<usize> {
    (0..loader.len()).collect()
}

#[test]
fn order_is_kept_and_the_last_partial_batch_too() {
    let folder = tempfile::tempdir().unwrap();
    let subset = subset(folder.path());
    let loader = loader(&subset);
    assert_eq!(loader.len(), 37);
    let (mut indices, mut sizes) = (Vec::new(), Vec::new());
    for batch in loader.batches() {
        let batch = batch.unwrap();
        let targets: Vec<u32> = batch.targets.to_vec1().unwrap();
        let expected: Vec<u32> = batch.indices.iter().map(|&index| subset.samples[index].target as u32).collect();
        assert_eq!(targets, expected);
        assert_eq!(batch.images.dims(), [batch.indices.len(), 3, 32, 32]);
        assert_eq!(batch.images.dtype(), DType::F32);
        // Channels-last in memory.
        assert_eq!(batch.images.stride(), [32 * 32 * 3, 1, 32 * 3, 3]);
        sizes.push(batch.indices.len());
        indices.extend(batch.indices);
    }
    assert_eq!(indices, all(&loader));
    assert_eq!(sizes, [8, 8, 8, 8, 5]);
    assert_eq!(loader.batches_of(&[], 0).count(), 0);

    // Any order, photos more than once: each is what it is alone.
    let alone = bytes_of(&loader, &all(&loader), 0);
    let order = [36, 0, 0, 12, 5, 4, 3, 2, 1, 36];
    assert!(bytes_of(&loader, &order, 0) == order.map(|index| alone[index].clone()));
}

#[test]
fn values_are_the_normalized_pixels_of_the_right_photo() {
    let folder = tempfile::tempdir().unwrap();
    let subset = subset(folder.path());
    let batch = loader(&subset).batches().nth(2).unwrap().unwrap();
    for (row, &index) in batch.indices.iter().enumerate() {
        let pixels =
            PREPROCESS.square(&photo::read(&subset.samples[index].path, &Default::default()).unwrap()).unwrap();
        let image = batch.images.get(row).unwrap().to_vec3::<f32>().unwrap();
        for (channel, plane) in image.iter().enumerate() {
            for (y, x) in [(0, 0), (31, 31), (5, 20)] {
                let value = f32::from(pixels.data[(y * 32 + x) * 3 + channel]) / 255.0;
                let expected = (value - PREPROCESS.mean[channel]) / PREPROCESS.std[channel];
                assert!((plane[y][x] - expected).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn variations_depend_on_seed_view_and_photo_alone() {
    let folder = tempfile::tempdir().unwrap();
    let subset = subset(folder.path());
    let loader = augmented(&subset, 1);
    let order = all(&loader);
    let first = bytes_of(&loader, &order, 0);
    assert!(bytes_of(&loader, &order, 0) == first);
    // Not on the order, the batch, or what else is loaded.
    let turned: Vec<usize> = order.iter().rev().copied().collect();
    assert!(bytes_of(&loader, &turned, 0).into_iter().rev().eq(first.clone()));
    assert!(bytes_of(&loader, &[17], 0)[0] == first[17]);

    let others = [
        bytes_of(&loader, &order, 1),
        bytes_of(&augmented(&subset, 2), &order, 0),
        bytes_of(&self::loader(&subset), &order, 0),
    ];
    for (index, photo) in first.iter().enumerate() {
        let different: BTreeSet<&Vec<u8>> = others.iter().map(|other| &other[index]).chain([photo]).collect();
        assert_eq!(different.len(), 4, "photo {index}");
    }
    // Without variation, every view is the same photo.
    let plain = self::loader(&subset);
    assert!(bytes_of(&plain, &order, 0) == bytes_of(&plain, &order, 7));
    // Nor are there views where nothing is varied. (At this size no photo is shrunk before.)
    let plain = Loader::new(&subset, Preprocess { size: 64, ..PREPROCESS }, 8, &Device::Cpu);
    let nothing = plain.clone().augmented(AugmentConfig::NONE, Seed(1));
    assert!(bytes_of(&nothing, &order, 3) == bytes_of(&plain, &order, 0));
}

#[test]
fn keys_name_exactly_what_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let subset = subset(folder.path());
    let other = Preprocess { size: 33, ..PREPROCESS };
    let keys = [
        loader(&subset).key(0),
        augmented(&subset, 1).key(0),
        augmented(&subset, 1).key(1),
        augmented(&subset, 2).key(0),
        loader(&subset).augmented(AugmentConfig { rotate: 9.0, ..AugmentConfig::default() }, Seed(1)).key(0),
        Loader::new(&subset, other, 8, &Device::Cpu).key(0),
    ];
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    // The size of a batch changes nothing.
    assert_eq!(Loader::new(&subset, PREPROCESS, 3, &Device::Cpu).key(0), loader(&subset).key(5));
}

const CHILD: &str = "PETAL_TEST_LOADER";

#[test]
fn one_and_two_threads_give_the_same_bytes() {
    if let Some(root) = std::env::var_os(CHILD) {
        let photos = Dataset::folder(Path::new(&root).join("photos")).unwrap();
        let subset = photos.split(&project(&Path::new(&root).join("project")), &Config::seed()).unwrap().train;
        let loader = augmented(&subset, 4);
        let bytes: Vec<u8> = (0..3).flat_map(|view| bytes_of(&loader, &all(&loader), view).concat()).collect();
        println!("threads {} hash {}", rayon::current_num_threads(), files::sha256(&bytes));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    subset(folder.path());
    let hash = |threads: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "data::loader::one_and_two_threads_give_the_same_bytes", "--nocapture"])
            .env(CHILD, folder.path())
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, rest) = text.split_once(&format!("threads {threads} hash ")).unwrap_or_else(|| panic!("{text}"));
        rest[..64].to_string()
    };
    let one = hash("1");
    assert_eq!(one, hash("2"));
    assert_eq!(one, hash("5"));
}

#[test]
fn an_error_names_the_photo_and_the_other_batches_still_come() {
    let folder = tempfile::tempdir().unwrap();
    let subset = subset(folder.path());
    fs::remove_file(&subset.samples[3].path).unwrap();
    let broken = &subset.samples[20].path;
    let bytes = fs::read(broken).unwrap();
    fs::remove_file(broken).unwrap();
    fs::write(broken, &bytes[..bytes.len() / 2]).unwrap();
    let results: Vec<Result<_>> = loader(&subset).batches().collect();
    assert_eq!(results.len(), 5);
    for (number, kind, index) in [(0, ErrorKind::Io, 3), (2, ErrorKind::Dataset, 20)] {
        let error = results[number].as_ref().unwrap_err();
        assert_eq!((error.kind(), error.path()), (kind, Some(subset.samples[index].path.as_path())));
    }
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
}

#[test]
fn a_photo_that_does_not_exist_is_an_error_not_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let subset = subset(folder.path());
    let order: Vec<usize> = (0..8).chain([37]).chain(9..30).collect();
    let results: Vec<Result<_>> = loader(&subset).batches_of(&order, 0).collect();
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
    assert!(results[1].as_ref().unwrap_err().what().contains("no photo 37: this part has 37"));
}

/// Threads of this process, where the system tells.
fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}

#[test]
fn a_reader_that_stops_early_leaves_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let subset = subset(folder.path());
    let loader = Loader::new(&subset, PREPROCESS, 1, &Device::Cpu);
    let read = |count: usize| loader.batches().take(count).map(|batch| batch.unwrap().indices.len()).sum::<usize>();
    read(37);
    let before = threads();
    for count in (0..40).cycle().take(200) {
        assert_eq!(read(count), count.min(37));
    }
    // Other tests run meanwhile and have threads of their own: far fewer than 200.
    if let (Some(before), Some(after)) = (before, threads()) {
        assert!(after < before + 100, "{before} threads before, {after} after");
    }
}
