//! What stands in a run's folder beside its checkpoint: what it was made with, and what was measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::folder::Run;
use super::history::{Epoch, History};
use super::measured::Measured;
use super::photos::PhotosUsed;
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, cells};
use crate::base::project::peak_memory;
use crate::data::Splits;
use crate::export::ModelInfo;
use crate::models::Origin;
use crate::train::versions::versions;

/// `run.json`: what a run was made with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeBy {
    /// Name of the model: `baseline`, `resnet50`.
    pub model: String,
    /// Everything that decides the run's numbers, key by key: settings, and the hashes of its photos and weights.
    pub made_with: BTreeMap<String, String>,
    /// Versions of petal and of the crates that compute, and the machine's instructions.
    pub versions: BTreeMap<String, String>,
    /// SHA-256 of `best.safetensors`; empty while no phase is finished.
    pub best_sha256: String,
    /// Why each finished phase ended: (phase, reason).
    pub ended: Vec<(String, String)>,
    /// Where the backbone's weights came from; nothing where they were random, or an earlier petal made the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Origin>,
    /// Its photos, in numbers; nothing where an earlier petal made the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photos: Option<PhotosUsed>,
    /// Most bytes of memory that a process which trained or measured it has held, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
}

/// A run as its folder tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// The settings, from `config.toml`.
    pub config: Config,
    /// From `run.json`.
    pub made_by: MadeBy,
    /// All epochs, from `history.csv`.
    pub history: History,
    /// By part (`test`), from `metrics.json`; nothing where nothing was measured.
    pub metrics: BTreeMap<String, Measured>,
}

/// `run.json`, in a run's folder.
pub(super) const MADE_BY: &str = "run.json";
/// `metrics.json`, in a run's folder.
pub(super) const METRICS: &str = "metrics.json";
/// The run's page.
pub const REPORT: &str = "report.html";
/// The card of its model, and of models elsewhere.
pub const CARD: &str = "MODEL_CARD.md";

impl Run {
    /// Writes `run.json`.
    pub fn save_made_by(&self, info: &ModelInfo, splits: &Splits, history: &History) -> Result<()> {
        let best = self.best();
        let path = self.folder.join(MADE_BY);
        // What an earlier session has held counts, too; what cannot be read is written anew.
        let before = read_json(&path).ok().and_then(|before: MadeBy| before.peak_memory);
        let made_by = MadeBy {
            model: info.name(),
            made_with: self.made_with.clone(),
            versions: versions(),
            best_sha256: if best.exists() { files::sha256_file(&best)? } else { String::new() },
            ended: history.ended.clone(),
            weights: info.backbone_weights.clone(),
            photos: Some(PhotosUsed::of(splits)),
            peak_memory: peak_memory().max(before),
        };
        write_json(&path, &made_by)
    }

    /// Puts what was measured on a part into `metrics.json`; what stands there of other parts stays.
    pub fn save_metrics(&self, part: &str, measured: &Measured) -> Result<()> {
        let path = self.folder.join(METRICS);
        // What cannot be read is measured anew; nothing else is in it.
        let mut all: BTreeMap<String, Measured> = read_json(&path).unwrap_or_default();
        all.insert(part.into(), measured.clone());
        write_json(&path, &all)
    }

    /// What the run's folder says of it.
    pub fn record(&self) -> Result<RunRecord> {
        RunRecord::read(&self.folder)
    }
}

/// Takes note of a run's model file that was written anew, where this is one: `run.json` names it by its hash.
pub fn note_model(file: &Path) -> Result<()> {
    let made_by = file.with_file_name(MADE_BY);
    if !file.ends_with("best.safetensors") || !made_by.exists() {
        return Ok(());
    }
    let noted = MadeBy { best_sha256: files::sha256_file(file)?, ..read_json(&made_by)? };
    write_json(&made_by, &noted)
}

impl RunRecord {
    /// Reads a run's folder. Weights are not opened.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`] naming the file that is missing or cannot be understood.
    pub fn read(folder: &Path) -> Result<Self> {
        let [config, made_by, history, metrics] =
            ["config.toml", MADE_BY, "history.csv", METRICS].map(|name| folder.join(name));
        if !config.exists() {
            return Err(Error::new(ErrorKind::Checkpoint, "there is no config.toml: nothing was trained here")
                .at(folder)
                .mend("remove the folder, or run its fit cell"));
        }
        if !made_by.exists() {
            return Err(Error::new(ErrorKind::Checkpoint, "there is no run.json: an earlier petal made this run")
                .at(folder)
                .mend("run its fit cell again: it trains nothing anew and writes the file"));
        }
        let made_by: MadeBy = read_json(&made_by)?;
        let mut epochs = History { epochs: Vec::new(), ended: made_by.ended.clone() };
        if history.exists() {
            epochs.epochs = read_epochs(&history)?;
        }
        Ok(Self {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            folder: folder.to_path_buf(),
            config: Config::load(&config)?,
            made_by,
            history: epochs,
            metrics: if metrics.exists() { read_json(&metrics)? } else { BTreeMap::new() },
        })
    }

    /// Predictions on a part, as [`Run`] keeps them.
    pub fn predictions(&self, part: &str) -> PathBuf {
        self.folder.join(format!("predictions_{part}.csv"))
    }

    /// Its epochs; written after each of them.
    pub fn history_file(&self) -> PathBuf {
        self.folder.join("history.csv")
    }

    /// The run's page.
    pub fn report(&self) -> PathBuf {
        self.folder.join(REPORT)
    }

    /// What was measured on a part, if it was on the best epoch's weights as they are now, asked as the settings say.
    pub fn measured(&self, part: &str) -> Option<&Measured> {
        let best = self.history.best().map(|epoch| epoch.epoch);
        self.metrics.get(part).filter(|measured| Some(measured.epoch) == best && measured.test == self.config.test)
    }

    /// Whether every phase that the run has begun is finished.
    pub fn is_finished(&self) -> bool {
        let last = self.history.epochs.last().map(|epoch| &epoch.phase);
        last.is_some_and(|phase| self.made_by.ended.iter().any(|(ended, _)| ended == phase))
    }

    /// Names the validation photos exactly: losses on other ones cannot be compared.
    pub fn val_photos(&self) -> &str {
        self.made_by.made_with.get("photos.val").map_or("", String::as_str)
    }

    /// Wall-clock seconds of all epochs.
    pub fn seconds(&self) -> f64 {
        self.history.epochs.iter().map(|epoch| epoch.seconds).sum()
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write: {cause}")).at(path))?;
    files::write_bytes(path, format!("{json}\n").as_bytes())
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&files::read(path)?).map_err(|cause| broken(path, &cause.to_string()))
}

fn read_epochs(path: &Path) -> Result<Vec<Epoch>> {
    let bytes = files::read(path)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let mut epochs = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|cause| broken(path, &cause.to_string()))?;
        let epoch = epoch(&record).ok_or_else(|| broken(path, &format!("row {} is no epoch", epochs.len() + 1)))?;
        epochs.push(epoch);
    }
    Ok(epochs)
}

fn epoch(record: &csv::StringRecord) -> Option<Epoch> {
    let number = |index: usize| record.get(index)?.parse::<f64>().ok();
    Some(Epoch {
        phase: cells::plain(record.get(0)?).into(),
        epoch: record.get(1)?.parse().ok()?,
        learning_rate: number(2)?,
        train_loss: number(3)?,
        train_accuracy: number(4)?,
        val_loss: number(5)?,
        val_accuracy: number(6)?,
        best: record.get(7)?.parse().ok()?,
        seconds: number(8)?,
    })
}

fn broken(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Checkpoint, format!("this file cannot be understood: {what}"))
        .at(path)
        .mend("run the fit and evaluate cells again: they train nothing anew and write the file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let epoch = |number: usize, val_loss: f64| Epoch {
            phase: "head".into(),
            epoch: number,
            learning_rate: 1e-3,
            train_loss: 1.0 / 3.0,
            train_accuracy: 0.1 + 0.2,
            val_loss,
            val_accuracy: 0.5,
            best: number == 1,
            seconds: 1.25,
        };
        let history = History { epochs: vec![epoch(1, 0.7), epoch(2, f64::NAN)], ended: Vec::new() };
        history.write_csv(&path).unwrap();
        let read = read_epochs(&path).unwrap();
        assert_eq!(read[0], history.epochs[0]);
        assert!(read.len() == 2 && read[1].val_loss.is_nan(), "a diverged epoch is read, too");
        std::fs::write(&path, "phase,epoch\nhead,1\n").unwrap();
        assert!(read_epochs(&path).unwrap_err().what().contains("row 1 is no epoch"));
    }
}
