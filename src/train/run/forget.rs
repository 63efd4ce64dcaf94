//! A run is forgotten: its next training starts anew.

use std::path::Path;

use super::folder::{Run, remove_if_there};
use super::record::{CARD, MADE_BY, METRICS, REPORT};
use crate::base::error::{Error, Result};
use crate::base::files;
use crate::base::files::signed::{self, Standing};

impl Run {
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
        remove_told(&self.folder)
    }
}

/// Files of a run that tell of a training; gone when it is forgotten.
fn remove_told(folder: &Path) -> Result<()> {
    const BEGINNINGS: [&str; 6] =
        ["plan.json", "predictions_", "confusion_matrix_", "reliability_", "top_losses_", "curves.png"];
    let is_told = |name: &str| {
        [MADE_BY, METRICS, REPORT].contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    };
    let card = folder.join(CARD);
    // What a person has written stays.
    if let Standing::Unchanged(_) = signed::standing_at(&card)? {
        remove_if_there(&card)?;
    }
    for path in files::sorted_dir(folder)? {
        if path.is_file() && path.file_name().is_some_and(|name| is_told(&name.to_string_lossy())) {
            std::fs::remove_file(&path).map_err(|cause| Error::io("remove", &path, &cause))?;
        }
    }
    Ok(())
}
