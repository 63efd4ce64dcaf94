//! What several tests share: processes of their own, pictures beside expected ones, a project with drawn flowers, and the settings of a small
//! training.

pub(crate) mod loopback_hub;
pub(crate) mod server;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use petal::config::{Backbone, Config, PhaseConfig, Source, WeightsFrom};
use petal::data::{Dataset, Splits};
use petal::pixels::Rgb;
use petal::project::{DeviceChoice, Project};
use safetensors::{SafeTensors, serialize};

/// Waits for something that another process does.
pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// This test again in a process of its own, with this variable.
pub(crate) fn again(test: &str, variable: &str, value: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(variable, value);
    command
}

/// The same with so much address space, and one thread; it has to succeed. What it printed.
#[cfg(target_os = "linux")]
pub(crate) fn again_within(kilobytes: u32, test: &str, variable: &str) -> String {
    let test = again(test, variable, "1");
    let mut shell = Command::new("sh");
    let limited = format!("ulimit -v {kilobytes} && exec \"$0\" \"$@\"");
    shell.arg("-c").arg(limited).arg(test.get_program()).args(test.get_args());
    let output = shell.env(variable, "1").env("RAYON_NUM_THREADS", "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.into_owned()
}

/// What the script of a folder of fixtures found: a picture for each name.
pub(crate) fn expected_pictures(folder: &Path) -> BTreeMap<String, Rgb> {
    let bytes = fs::read(folder.join("expected.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let picture = |name: &str| {
        let tensor = tensors.tensor(name).unwrap();
        let (height, width) = (tensor.shape()[0], tensor.shape()[1]);
        (name.to_string(), Rgb { width, height, data: tensor.data().to_vec() })
    };
    tensors.names().into_iter().map(picture).collect()
}

/// The mean and the largest difference in grey levels of two pictures of one size.
pub(crate) fn difference(a: &Rgb, b: &Rgb) -> (f64, u8) {
    assert_eq!((a.width, a.height, a.data.len()), (b.width, b.height, b.data.len()));
    let off = a.data.iter().zip(&b.data).map(|(a, b)| a.abs_diff(*b));
    (off.clone().map(f64::from).sum::<f64>() / a.data.len() as f64, off.max().unwrap_or(0))
}

/// A chunk of a PNG.
pub(crate) fn png_chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let named = [kind, content].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&named);
    [&(content.len() as u32).to_be_bytes()[..], &named, &crc.sum().to_be_bytes()].concat()
}

/// 400,000 bytes without a pattern.
pub(crate) fn some_bytes() -> Vec<u8> {
    (0..100_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// `fixtures/photos`: small pictures of all kinds.
pub(crate) fn photos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photos")
}

/// A project with drawn flowers, split.
pub(crate) fn flowers(root: &Path, config: &Config) -> (Project, Splits) {
    let project = Project::open_on(root, DeviceChoice::Cpu).unwrap();
    let splits = Dataset::fetch(&project, config).unwrap().split(&project, config).unwrap();
    (project, splits)
}

/// Settings of a training of seconds, on drawn flowers.
pub(crate) fn small() -> Config {
    let epochs = |epochs, learning_rate| PhaseConfig::new(epochs, 9, learning_rate);
    Config {
        source: Source::Synthetic { per_class: 12 },
        backbone: Backbone::EfficientnetLite0,
        weights: WeightsFrom::Embedded,
        image_size: 64,
        batch_size: 8,
        head: epochs(3, 1e-3),
        fine_tune: epochs(2, 1e-4),
        baseline: epochs(2, 1e-3),
        ..Config::demo()
    }
}

/// The same for so many epochs of the head, of the upper layers and of the baseline.
pub(crate) fn small_for(head: usize, fine_tune: usize, baseline: usize) -> Config {
    let mut config = small();
    (config.head.epochs, config.fine_tune.epochs, config.baseline.epochs) = (head, fine_tune, baseline);
    config
}

/// Makes this change to what a model file says of itself; its tensors stay.
pub(crate) fn described_otherwise(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let bytes = fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut description = serde_json::from_str(&header.metadata().as_ref().unwrap()["petal"]).unwrap();
    change(&mut description);
    let metadata = HashMap::from([("petal".to_owned(), description.to_string())]);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    fs::write(path, serialize(tensors.iter(), Some(metadata)).unwrap()).unwrap();
}
