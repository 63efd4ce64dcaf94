//! Photos in one folder per class.

use std::path::PathBuf;
use std::sync::Arc;

/// A photo and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The file.
    pub path: PathBuf,
    /// Index into the sorted class names.
    pub target: usize,
}

/// Photos in one folder per class.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The folder that holds one folder per class.
    pub root: PathBuf,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// All photos, sorted by class, then by file name.
    pub samples: Vec<Sample>,
    /// Whose photos they are and what may be done with them.
    pub licence: String,
}
