//! Which photo is for learning, which for deciding, which for the final test.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Sample;

/// The three parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To learn from.
    Train,
    /// To decide when to stop and which epoch is best.
    Val,
    /// To look at once, at the end.
    Test,
}

/// One part of a data set.
#[derive(Clone, Debug)]
pub struct Subset {
    /// Which part.
    pub split: Split,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// Its photos, in the order of the manifest.
    pub samples: Arc<[Sample]>,
    /// SHA-256 over the manifest's rows of this part: names the photos' content exactly.
    pub sha256: String,
}

/// A data set in three parts.
#[derive(Clone, Debug)]
pub struct Splits {
    /// The folder with `train/`, `val/`, `test/` and `manifest.csv`.
    pub root: PathBuf,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// To learn from.
    pub train: Subset,
    /// To decide.
    pub val: Subset,
    /// To test.
    pub test: Subset,
}

impl Splits {
    /// The part of this name.
    pub fn get(&self, split: Split) -> &Subset {
        match split {
            Split::Train => &self.train,
            Split::Val => &self.val,
            Split::Test => &self.test,
        }
    }
}
