//! What earlier versions of petal left on disk loads, predicts the same, and goes on (tests/fixtures/versions, one folder a version).
//!
//! It goes through the command, as a person's next day does. Where this machine computes as the one did that the fixture was made on, numbers
//! are the same to the byte; elsewhere the last bits may differ, and training makes more of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::Device;
use half::f16;
use petal::models::{Architecture, Cut, Model};
use petal::train::cache::FrozenPart;
use petal::{Seed, export, files};
use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

use crate::faults::{names, petal};

/// How far numbers may be apart where they were computed on another kind of machine.
const ELSEWHERE: f64 = 1e-2;

#[test]
fn model_files_predict_the_same() {
    for left in Left::all() {
        left.predicts_as("runs/head/best.safetensors", "head");
        left.predicts_as("baseline_model.safetensors", "baseline");
    }
}

#[test]
fn the_split_is_recognised_and_its_decisions_apply() {
    for left in Left::all() {
        let (split, manifest) = (left.read("data/split.json"), left.read("data/manifest.csv"));
        left.succeeds(&["split-dataset", "--photos", "photos"]);
        assert_eq!(left.read("data/split.json"), split, "{}: it was made anew", left.version);
        // Made anew from the same photos and decisions it is the same.
        for name in ["train", "val", "test"] {
            fs::remove_dir_all(left.folder().join("data").join(name)).unwrap();
        }
        for name in ["split.json", "manifest.csv"] {
            fs::remove_file(left.folder().join("data").join(name)).unwrap();
        }
        let said = left.succeeds(&["split-dataset", "--photos", "photos"]);
        assert!(said.contains("decisions.csv: 1 photo dropped, 1 relabelled"), "{}: {said}", left.version);
        assert_eq!(left.read("data/manifest.csv"), manifest, "{}", left.version);
    }
}

#[test]
fn a_finished_run_is_found() {
    for left in Left::all() {
        let before = left.history("head");
        let said = left.trains("head", &["--no-cache"]);
        assert!(said.contains("phase head was finished before with the same settings"), "{}: {said}", left.version);
        assert_eq!(left.history("head"), before, "{}", left.version);
        left.ends_as("head", "head");
        let runs: Value = serde_json::from_str(&left.succeeds(&["runs", "--json"])).unwrap();
        for name in ["head", "head-stopped", "baseline-stopped"] {
            assert!(runs.to_string().contains(&format!("\"{name}\"")), "{}: {name} is not in {runs}", left.version);
        }
    }
}

#[test]
fn stopped_runs_end_as_if_they_had_never_been_stopped() {
    for left in Left::all() {
        for (run, expected, arguments) in [
            ("head-stopped", "head", ["--model", "transfer", "--no-cache"]),
            ("baseline-stopped", "baseline", ["--model", "baseline", "--no-cache"]),
        ] {
            let done = left.history(run).lines().count() - 1;
            let said = left.trains(run, &arguments);
            assert!(done == 0 || said.contains(&format!("going on after epoch {done}")), "{}: {said}", left.version);
            left.ends_as(run, expected);
        }
    }
}

#[test]
fn cache_files_are_hit() {
    for left in Left::all() {
        let cache = left.folder().join("models/cache");
        left.take_over_the_cache();
        let content = || names(&cache).into_iter().map(|name| (files::sha256_file(&cache.join(&name)).unwrap(), name));
        let before: Vec<_> = content().collect();
        assert_eq!(before.len(), 3, "{}", left.version);
        let said = left.trains("cached", &[]);
        assert!(!said.contains("go into the cache"), "{}: it was computed again: {said}", left.version);
        assert_eq!(content().collect::<Vec<_>>(), before, "{}", left.version);
        left.ends_as("cached", "cached");
    }
}

/// What one version left, in a folder that may be changed.
struct Left {
    version: String,
    project: TempDir,
    /// Whether this machine computes to the byte what that one did.
    exact: bool,
    /// What a cache file made here says of what computed it.
    computed_by: String,
}

impl Left {
    /// Of each version.
    fn all() -> Vec<Self> {
        let mut versions: Vec<_> = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap()).collect();
        versions.retain(|entry| entry.path().is_dir());
        versions.sort_by_key(fs::DirEntry::file_name);
        assert!(!versions.is_empty(), "no version left anything");
        versions.iter().map(|entry| Self::by(&entry.file_name().to_string_lossy())).collect()
    }

    fn by(version: &str) -> Self {
        let project = tempfile::tempdir().unwrap();
        let from = fixtures().join(version).join("project");
        for name in names(&from) {
            unpack(&from.join(&name), &project.path().join(&name), project.path());
        }
        let any = Model::new(&Architecture::Baseline { classes: 2, image_size: 32 }, Seed(0), &Device::Cpu).unwrap();
        let mut ours = FrozenPart::of(&any, Cut::Images).unwrap().computed_by;
        let computed_by = serde_json::to_string(&ours).unwrap();
        let run = fs::read(from.join("models/runs/head/run.json")).unwrap();
        let run: Value = serde_json::from_slice(&run).unwrap();
        let mut theirs: BTreeMap<String, String> = serde_json::from_value(run["versions"].clone()).unwrap();
        // Which version of petal it is changes no number, and that it computes with its own kernels here is said elsewhere.
        for name in ["petal", "device", "operations"] {
            ours.remove(name);
            theirs.remove(name);
        }
        let exact = ours == theirs;
        if !exact {
            eprintln!(
                "{version}: compared within {ELSEWHERE}, since other things compute here: {ours:?}, not {theirs:?}"
            );
        }
        Self { version: version.into(), project, exact, computed_by }
    }

    fn folder(&self) -> &Path {
        self.project.path()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap()
    }

    fn expected(&self, name: &str) -> String {
        fs::read_to_string(fixtures().join(&self.version).join("expected").join(name)).unwrap()
    }

    /// A run's history without its last column, the seconds.
    fn history(&self, run: &str) -> String {
        let rows = self.read(&format!("models/runs/{run}/history.csv"));
        rows.lines().map(|row| row.rsplit_once(',').unwrap().0.to_owned() + "\n").collect()
    }

    /// Runs the command, which must succeed. What it says.
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = petal(self.folder(), arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{}, {arguments:?}: {said}", self.version);
        said
    }

    fn trains(&self, run: &str, arguments: &[&str]) -> String {
        // The baseline has but one phase, whose length is that of fine-tuning.
        let epochs = if arguments.contains(&"baseline") { "4" } else { "0" };
        let always = ["train", "--config", "petal.toml", "--epochs-tune", epochs, "--run", run];
        self.succeeds(&[&always, arguments].concat())
    }

    /// Whether this run's model, history and predictions are those that the version ended with.
    fn ends_as(&self, run: &str, expected: &str) {
        self.agrees(&self.history(run), &self.expected(&format!("{expected}-history.csv")));
        let best = format!("models/runs/{run}/best.safetensors");
        if self.exact {
            // What was measured at the end of the training came later: without it, a file has the same bytes.
            let (model, info) = export::load_untrusted(&self.folder().join(best), &Device::Cpu).unwrap();
            let hash = files::sha256(&export::to_bytes(&model, &info).unwrap());
            let line = format!("{hash}  models/runs/{expected}/best.safetensors");
            assert!(self.expected("sha256.txt").contains(&line), "{}: {run} ends with another model", self.version);
        }
        self.predicts_as(&format!("runs/{run}/best.safetensors"), expected);
    }

    /// Whether a model file gives the probabilities that it gave.
    fn predicts_as(&self, model: &str, expected: &str) {
        let expected = self.expected(&format!("{expected}.csv"));
        let photos = expected.lines().skip(1).map(|row| row.split(',').next().unwrap());
        let model = format!("models/{model}");
        let arguments = ["predict", "--raw", "--model", model.as_str(), "--csv", "said.csv"].into_iter().chain(photos);
        self.succeeds(&arguments.collect::<Vec<_>>());
        self.agrees(&self.read("said.csv"), &expected);
    }

    /// Whether two tables are the same; where other things computed one, but for what that may change.
    fn agrees(&self, ours: &str, theirs: &str) {
        if self.exact {
            assert_eq!(ours, theirs, "{}", self.version);
            return;
        }
        assert_eq!(ours.lines().count(), theirs.lines().count(), "{}: {ours}{theirs}", self.version);
        let cells = |table: &str| table.replace('\n', ",").split(',').map(String::from).collect::<Vec<_>>();
        for (ours, theirs) in cells(ours).iter().zip(&cells(theirs)) {
            if let (Ok(ours), Ok(theirs)) = (ours.parse::<f64>(), theirs.parse::<f64>()) {
                // An accuracy jumps where two probabilities are near each other.
                let near = (ours - theirs).abs() <= ELSEWHERE * theirs.abs().max(1.0);
                assert!(near || [ours, theirs].iter().all(|share| (0.0..=1.0).contains(share)), "{ours} {theirs}");
            }
        }
    }

    /// Cache files bear the name of all that decides what is in them, and some of it lies not in the format: which versions compute, on which
    /// machine. That is put in as it is here; all else has to be found as that version named it.
    fn take_over_the_cache(&self) {
        for name in names(&self.folder().join("models/cache")) {
            let path = self.folder().join("models/cache").join(name);
            let bytes = fs::read(&path).unwrap();
            let (length, rest) = bytes.split_first_chunk().unwrap();
            let (header, rows) = rest.split_at(u64::from_le_bytes(*length) as usize);
            let header = std::str::from_utf8(header).unwrap();
            let (before, after) = header.split_once("\"computed_by\":").unwrap();
            let header = [before, "\"computed_by\":", &self.computed_by, after.split_once('}').unwrap().1].concat();
            let key = header.strip_prefix("{\"key\":").unwrap().split_once(",\"rows\":").unwrap().0;
            fs::remove_file(&path).unwrap();
            let path = path.with_file_name(format!("{}.bin", files::sha256(key.as_bytes())));
            fs::write(path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), rows].concat()).unwrap();
        }
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/versions")
}

/// Copies a file of a fixture to where it was: unpacked, whole, and with the project's folder in it.
fn unpack(from: &Path, to: &Path, project: &Path) {
    if from.is_dir() {
        return fs::create_dir_all(to).unwrap();
    }
    let bytes = fs::read(from).unwrap();
    match from.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => {
            let mut whole = Vec::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut whole).unwrap();
            fs::write(to.with_extension(""), whole).unwrap();
        }
        Some("cut") => {
            let whole = with_backbone(&bytes);
            let hashes = fs::read_to_string(from.ancestors().nth(4).unwrap().join("../expected/sha256.txt")).unwrap();
            assert!(hashes.contains(&files::sha256(&whole)), "{} is not the file that it was", from.display());
            fs::write(to.with_extension("safetensors"), whole).unwrap();
        }
        Some("json" | "toml") => {
            let text = String::from_utf8(bytes).unwrap().replace("/project", &project.to_string_lossy());
            fs::write(to, text).unwrap();
        }
        _ => fs::write(to, bytes).unwrap(),
    }
}

/// A model file from one without its backbone, which was not trained.
fn with_backbone(cut: &[u8]) -> Vec<u8> {
    let pretrained = fs::read("models/pretrained/tf_efficientnet_lite0.in1k.f16.safetensors").unwrap();
    let pretrained = SafeTensors::deserialize(&pretrained).unwrap();
    let length = u64::from_le_bytes(*cut.first_chunk().unwrap()) as usize;
    let (start, head) = cut.split_at(8 + length);
    let header: BTreeMap<String, Value> = serde_json::from_slice(&start[8..]).unwrap();
    let mut backbone: Vec<_> = header
        .iter()
        .filter_map(|(name, tensor)| Some((tensor["data_offsets"][0].as_u64()?, name.strip_prefix("backbone.")?)))
        .collect();
    backbone.sort_unstable();
    let mut whole = start.to_vec();
    for (begin, name) in backbone {
        assert_eq!(whole.len() as u64, start.len() as u64 + begin, "{name}");
        let halves = pretrained.tensor(name).unwrap().data().as_chunks().0;
        whole.extend(halves.iter().flat_map(|&half| f16::from_le_bytes(half).to_f32().to_le_bytes()));
    }
    whole.extend_from_slice(head);
    whole
}
