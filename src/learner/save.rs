//! A learner writes its model to one file, and its card beside it.

use std::path::{Path, PathBuf};

use super::Learner;
use crate::base::error::Result;
use crate::base::files::{self, output};
use crate::export;
use crate::report::card::Written;
use crate::report::words::bytes;
use crate::report::{View, shows};

impl Learner {
    /// Writes the model to one file that needs nothing else: weights, classes, preprocessing. Another model file there is replaced; any other
    /// file is not. Beside it, its model card is written ([`RunRecord::write_card_beside`](crate::train::RunRecord::write_card_beside)); one that somebody has changed is left as it is.
    ///
    /// # Errors
    /// Those of [`output::write`]; [`ErrorKind::Config`](crate::ErrorKind::Config) if this run has not finished a phase yet.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Saved> {
        let model = self.trained()?;
        let path = path.as_ref();
        let bytes = export::to_bytes(&model, model.info()).map_err(|error| error.at(path))?;
        output::write(path, export::MODEL_FILE, &bytes)?;
        let sha256 = files::sha256(&bytes);
        // A pipe has nothing beside it.
        let card = path.is_file().then(|| self.run.record()?.write_card_beside(path, &sha256));
        Ok(Saved { path: path.to_path_buf(), bytes: bytes.len() as u64, sha256, card })
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
    /// What became of its card, or why there is none: the model is saved all the same. Nothing where it went into a pipe or a device.
    pub card: Option<Result<Written>>,
}

shows!(Saved);

impl Saved {
    /// The file, its size, its hash, its card.
    pub fn view(&self) -> View {
        let mut facts = vec![
            ("file", self.path.display().to_string()),
            ("size", bytes(self.bytes)),
            ("SHA-256", self.sha256.clone()),
        ];
        facts.extend(self.card().map(|card| ("model card", card)));
        View::new("the model is saved; this file needs nothing else").facts(facts)
    }

    /// What became of its card, in words.
    pub fn card(&self) -> Option<String> {
        self.card.as_ref().map(|card| match card {
            Ok(written) => written.words(),
            Err(error) => format!("not written: {}", error.in_a_line()),
        })
    }
}
