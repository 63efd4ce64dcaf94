//! A learner writes its model to one file.

use std::path::{Path, PathBuf};

use super::Learner;
use crate::base::error::Result;
use crate::base::files::{self, output};
use crate::export;
use crate::report::words::bytes;
use crate::report::{View, shows};

impl Learner {
    /// Writes the model to one file that needs nothing else: weights, classes, preprocessing. Another model file there is replaced; any other
    /// file is not.
    ///
    /// # Errors
    /// Those of [`output::write`]; [`ErrorKind::Config`](crate::ErrorKind::Config) if this run has not finished a phase yet.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Saved> {
        let model = self.trained()?;
        let path = path.as_ref();
        let bytes = export::to_bytes(&model, &self.info).map_err(|error| error.at(path))?;
        output::write(path, export::MODEL_FILE, &bytes)?;
        Ok(Saved { path: path.to_path_buf(), bytes: bytes.len() as u64, sha256: files::sha256(&bytes) })
    }
}

/// A model file that was written.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

shows!(Saved);

impl Saved {
    /// The file, its size, its hash.
    pub fn view(&self) -> View {
        View::new("the model is saved; this file needs nothing else").facts([
            ("file", self.path.display().to_string()),
            ("size", bytes(self.bytes)),
            ("SHA-256", self.sha256.clone()),
        ])
    }
}
