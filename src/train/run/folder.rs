//! A run's folder: its files, its lock, and how it is asked to stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::config::Config;
use crate::base::error::{Error, Result};
use crate::base::files::{self, Lock};

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

    /// Writes `config.toml`.
    pub fn save_config(&self, config: &Config) -> Result<()> {
        files::write_bytes(&self.folder.join("config.toml"), config.to_toml().as_bytes())
    }

    /// Whether a stop was asked for; takes the request back, so that the next fit goes on.
    pub fn take_stop_request(&self) -> Result<bool> {
        let path = self.stop_file();
        let asked = path.exists();
        remove_if_there(&path)?;
        Ok(asked)
    }
}

pub(super) fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, &cause)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_request_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::new(folder.path(), BTreeMap::new());
        std::fs::write(run.stop_file(), "").unwrap();
        assert!(run.take_stop_request().unwrap());
        assert!(!run.take_stop_request().unwrap());
    }
}
