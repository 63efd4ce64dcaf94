//! Photos and their classes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::left_out::LeftOut;
use super::sample::Sample;
use super::search::Search;
use super::{labels, layout};
use crate::base::config::Source;
use crate::base::error::Result;
use crate::pixels::Limits;

/// Photos and their classes.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project, config: &Config) -> Result<()> {
/// let photos = Dataset::fetch(project, config)?; // or Dataset::folder("my_photos")?
/// photos.verify()?; // every file decoded once; bad ones by name
/// let splits = photos.split(project, config)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The folder that holds the photos.
    pub root: PathBuf,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// All photos, sorted by class, then by name.
    pub samples: Vec<Sample>,
    /// What lies in the folder and is not used, by its path below the folder, and why.
    pub left_out: BTreeMap<String, LeftOut>,
    /// Where the photos come from.
    pub source: Source,
    /// Whose photos they are and what may be done with them.
    pub licence: String,
    /// What a photo may at most cost.
    pub limits: Limits,
}

impl Dataset {
    /// Any folder with one folder of photos per class, at any depth below; the classes are the folders' names, sorted. Or, where folders `train`,
    /// `val` and `test` hold such folders, the set as it is split there. What is a photo, its content says. Everything else is in `left_out`.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`](crate::ErrorKind::Dataset): no such folder, fewer than two classes, a class without photos, names that differ in case or Unicode form alone, a name
    /// that is not UTF-8.
    pub fn folder(root: impl AsRef<Path>) -> Result<Self> {
        Self::open(root.as_ref(), None, &[], Limits::default())
    }

    /// The photos in a folder and below that a table labels: see [`Source::Labels`].
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`](crate::ErrorKind::Dataset), naming the line of the table that cannot be understood; none of its photos is there.
    pub fn labelled(table: impl AsRef<Path>, photos: impl AsRef<Path>) -> Result<Self> {
        Self::open(photos.as_ref(), Some(table.as_ref()), &[], Limits::default())
    }

    pub(super) fn open(root: &Path, table: Option<&Path>, own: &[&Path], limits: Limits) -> Result<Self> {
        let mut search = Search::new(root, own, limits)?;
        let found = match table {
            Some(table) => labels::by_table(&mut search, root, table)?,
            None => layout::by_folders(&mut search, root)?,
        };
        // Absolute, so that what is said of it holds wherever it is read.
        let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let source = match table {
            Some(table) => Source::Labels { table: absolute(table), photos: absolute(root) },
            None => Source::Folder(absolute(root)),
        };
        Ok(Self {
            root: root.to_path_buf(),
            classes: found.classes.into(),
            samples: found.samples,
            left_out: search.left_out,
            source,
            licence: "your own photos".into(),
            limits,
        })
    }

    /// Whether the set comes split: then its parts are taken as they are.
    pub fn is_split(&self) -> bool {
        self.samples.iter().any(|sample| sample.part.is_some())
    }

    /// Photos of each class.
    pub fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for sample in &self.samples {
            *counts.entry(self.classes[sample.target].as_str()).or_default() += 1;
        }
        counts
    }
}
