//! A run's folder, and the one file in it from which training goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde_json::Value;

use super::progress::{Progress, differences};
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, Lock};
use crate::base::project::Machine;
use crate::nn::params::is_finite;
use crate::nn::store;

/// [`Progress`] with its tensors: `model.<name>` (as they are), `best.<name>` (of the best epoch), both for what the run's phases
/// train, and `adam.<moment>.<name>` for what this one trains. What is frozen is in the pretrained weights, whose hash is in `made_with`.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// The counters.
    pub progress: Progress,
    /// The tensors.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Checkpoint {
    /// The tensors under a prefix (`model.`, `best.`, `adam.`), by the rest of their names.
    pub fn under(&self, prefix: &str) -> BTreeMap<String, Tensor> {
        let entries = self.tensors.iter();
        entries.filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_string(), t.clone()))).collect()
    }
}

/// The format that is written. Format 1, which had no hash, and 2, which had no list of phases, are read as well.
const FORMAT: u32 = 3;

/// A run's folder: `config.toml`, `history.csv`, `last.safetensors` to go on from, `phase-1.safetensors` and so on to train another phase
/// from, `best.safetensors` to use; `status.json` and `curves.png` say how the training stands. A file named `STOP` in it ends training after the current step.
#[derive(Clone, Debug)]
pub struct Run {
    /// The folder.
    pub folder: PathBuf,
    /// What the run is made with, key by key.
    pub made_with: BTreeMap<String, String>,
}

impl Run {
    /// A run in this folder. Nothing is read or written yet.
    pub fn new(folder: impl Into<PathBuf>, made_with: BTreeMap<String, String>) -> Self {
        Self { folder: folder.into(), made_with }
    }

    /// Where training goes on from.
    pub fn last(&self) -> PathBuf {
        self.folder.join("last.safetensors")
    }

    /// The checkpoint that the phase in this place (counted from 0) ended with, once another one was begun after it.
    pub fn end_of(&self, place: usize) -> PathBuf {
        self.folder.join(format!("phase-{}.safetensors", place + 1))
    }

    /// The model file of the best epoch.
    pub fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// The file that asks training to stop.
    pub fn stop_file(&self) -> PathBuf {
        self.folder.join("STOP")
    }

    /// How the training stands, for whoever looks on: a [`Status`](super::Status) as JSON.
    pub fn status_file(&self) -> PathBuf {
        self.folder.join("status.json")
    }

    /// The picture of the curves so far.
    pub fn curves_file(&self) -> PathBuf {
        self.folder.join("curves.png")
    }

    /// Keeps other processes out of this run while the lock is held.
    pub fn lock(&self) -> Result<Lock> {
        Lock::take(&self.folder.join("lock"))
    }

    /// How far the run has come; a fresh start where there is no checkpoint. The tensors are not read.
    ///
    /// # Errors
    /// As for [`Run::load`], but for what is wrong with the tensors alone.
    pub fn progress(&self) -> Result<Progress> {
        let path = self.last();
        if !path.exists() {
            return Ok(Progress { format: FORMAT, made_with: self.made_with.clone(), ..Progress::default() });
        }
        let metadata = store::read_metadata(&path).map_err(|error| self.damaged(error.what()))?;
        let stored: Value = serde_json::from_str(&metadata).map_err(|cause| self.damaged(&cause.to_string()))?;
        let format = stored.get("format").and_then(Value::as_u64).unwrap_or_default();
        if !(1..=u64::from(FORMAT)).contains(&format) {
            let what = format!("this checkpoint has format {format}; this version of petal reads 1 to {FORMAT}");
            return Err(Error::new(ErrorKind::Checkpoint, what)
                .at(path)
                .mend("go on with the petal that wrote it, or give the run another name (--run)"));
        }
        let progress =
            if format < u64::from(FORMAT) { Progress::from_older(stored) } else { serde_json::from_value(stored) };
        let progress = progress.map_err(|cause| self.damaged(&cause.to_string()))?;
        let differs = differences(&progress.made_with, &self.made_with);
        if !differs.is_empty() {
            return Err(Error::new(
                ErrorKind::Checkpoint,
                format!("this run was made otherwise: {}", differs.join("; ")),
            )
            .at(path)
            .mend("give the run another name (--run), or delete its folder to train anew"));
        }
        Ok(progress)
    }

    /// The checkpoint, or a fresh start where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`] if it cannot be read, is not what was written, or was made with other settings, photos or
    /// weights: the error names what differs.
    pub fn load(&self, device: &Device) -> Result<Checkpoint> {
        let progress = self.progress()?;
        if !self.last().exists() {
            return Ok(Checkpoint { progress, tensors: BTreeMap::new() });
        }
        let (tensors, _) = store::read(&self.last(), device).map_err(|error| self.damaged(error.what()))?;
        if progress.sha256.is_some() && progress.sha256 != Some(store::digest(&tensors)?) {
            return Err(self.damaged("its numbers are not those that were written"));
        }
        Ok(Checkpoint { progress, tensors })
    }

    fn damaged(&self, how: &str) -> Error {
        Error::new(ErrorKind::Checkpoint, format!("training cannot go on from this file: {how}"))
            .at(self.last())
            .mend("delete this file to train anew, or give the run another name (--run)")
    }

    /// Writes the checkpoint and `history.csv`. The checkpoint is read back before the one before it goes.
    ///
    /// # Errors
    /// [`ErrorKind::Diverged`] if a number is not finite; [`ErrorKind::DiskFull`] or [`ErrorKind::Io`] if it cannot be
    /// written. The checkpoint before it stays in any case.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<()> {
        for (name, tensor) in &checkpoint.tensors {
            if !is_finite(tensor)? {
                let what = format!("{name} holds numbers that are not finite");
                return Err(Error::new(ErrorKind::Diverged, what)
                    .at(&self.folder)
                    .mend("lower the learning rate; what was saved before is kept"));
            }
        }
        let sha256 = Some(store::digest(&checkpoint.tensors)?);
        let progress = Progress { format: FORMAT, sha256, ..checkpoint.progress.clone() };
        let metadata = serde_json::to_string(&progress)
            .map_err(|cause| Error::new(ErrorKind::Checkpoint, cause.to_string()).at(self.last()))?;
        store::write(&self.last(), &checkpoint.tensors, &metadata)
            .map_err(|error| self.with_room(error, checkpoint))?;
        checkpoint.progress.history.write_csv(&self.folder.join("history.csv"))
    }

    /// A full disk's error, with how much is needed and how much is there.
    fn with_room(&self, error: Error, checkpoint: &Checkpoint) -> Error {
        if error.kind() != ErrorKind::DiskFull {
            return error;
        }
        let needed = checkpoint.tensors.values().map(Tensor::elem_count).sum::<usize>() * 4;
        let free = Machine::look(&self.folder).disk_free;
        let what = format!("a checkpoint needs {} MB, {} MB are free; {}", needed >> 20, free >> 20, error.what());
        let mend = "free some space and run this again: it goes on from the checkpoint before, which is kept";
        Error::new(ErrorKind::DiskFull, what).at(self.last()).mend(mend)
    }

    /// Writes `config.toml`.
    pub fn save_config(&self, config: &Config) -> Result<()> {
        files::write_bytes(&self.folder.join("config.toml"), config.to_toml().as_bytes())
    }

    /// Forgets the training: the next fit starts anew. Model files that were saved elsewhere stay.
    pub fn reset(&self) -> Result<()> {
        let _lock = self.lock()?;
        let history = self.folder.join("history.csv");
        let ends = self.progress().map_or(0, |progress| progress.phases.len());
        for path in (0..ends).map(|place| self.end_of(place)) {
            remove_if_there(&path)?;
        }
        for path in [self.last(), self.best(), history, self.status_file(), self.curves_file(), self.stop_file()] {
            remove_if_there(&path)?;
        }
        super::record::forget(&self.folder)
    }

    /// Whether a stop was asked for; takes the request back, so that the next fit goes on.
    pub fn take_stop_request(&self) -> Result<bool> {
        let path = self.stop_file();
        let asked = path.exists();
        remove_if_there(&path)?;
        Ok(asked)
    }
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, &cause)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, seed: &str) -> Run {
        Run::new(folder, BTreeMap::from([("seed".to_string(), seed.to_string())]))
    }

    #[test]
    fn a_checkpoint_survives_the_disk_whole() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path(), "1");
        let mut checkpoint = run.load(&Device::Cpu).unwrap();
        checkpoint.progress.loss_sum = 0.1 + 0.2;
        checkpoint.progress.monitor.best = Some(1.0 / 3.0);
        let tensor = Tensor::new(&[0.1f32, f32::EPSILON], &Device::Cpu).unwrap();
        checkpoint.tensors.insert("adam.mean.head".into(), tensor);
        run.save(&checkpoint).unwrap();
        let back = run.load(&Device::Cpu).unwrap();
        assert_eq!(Progress { sha256: None, ..back.progress.clone() }, checkpoint.progress);
        assert_eq!(run.progress().unwrap(), back.progress);
        assert_eq!(back.under("adam.mean.")["head"].to_vec1::<f32>().unwrap(), [0.1, f32::EPSILON]);
    }

    #[test]
    fn going_on_with_other_settings_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let first = run(folder.path(), "1");
        first.save(&first.load(&Device::Cpu).unwrap()).unwrap();
        let error = run(folder.path(), "2").load(&Device::Cpu).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint);
        assert!(error.what().contains("seed was 1, is 2"), "{error}");
    }

    #[test]
    fn a_stop_request_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path(), "1");
        std::fs::write(run.stop_file(), "").unwrap();
        assert!(run.take_stop_request().unwrap());
        assert!(!run.take_stop_request().unwrap());
    }
}
