//! A data set in three parts, as it is on the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::manifest::{self, MadeWith, Row};
use super::sample::{RESPLIT, Sample, Split};
use super::{last_copies, on_disk};
use crate::base::config::Source;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;

/// One part of a data set.
#[derive(Clone, Debug)]
pub struct Subset {
    /// Which part.
    pub split: Split,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// Its photos, in the order of the manifest: by class, then by name.
    pub samples: Arc<[Sample]>,
    /// SHA-256 of each of them.
    pub hashes: Arc<[String]>,
    /// SHA-256 over the manifest's rows of this part: names the photos' content and order exactly.
    pub sha256: String,
}

/// A data set in three parts.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project) -> Result<()> {
/// let splits = Splits::open(&project.data)?; // the split that was made before
/// println!("{} photos to learn from", splits.train.samples.len());
/// # Ok(()) }
/// ```
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
    /// What it was made with: where the photos come from, what was left out and why, duplicates, decisions.
    pub made_with: MadeWith,
    /// Photos of earlier splits that are nowhere else: they were set aside, in the folder `set_aside`, when those were replaced.
    pub set_aside: usize,
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

    /// Where the photos come from; of a split that an earlier petal made, the split's own folder.
    pub fn source(&self) -> Source {
        self.made_with.source.clone().unwrap_or_else(|| Source::Folder(self.root.clone()))
    }

    /// Opens the split that a data folder holds, and sees that every file is there and is what it was, byte for byte, and that no
    /// photo was added beside them.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if there is none, or files are missing, changed or added: the first five of them are named.
    pub fn open(data: &Path) -> Result<Self> {
        let path = on_disk::manifest_of(data)?;
        if !path.exists() {
            return Err(Error::new(ErrorKind::Dataset, "there is no split yet")
                .at(&path)
                .mend("run `petal split-dataset` first"));
        }
        let rows = manifest::read(&path)?;
        let made_with = MadeWith::read(data)?;
        let name = |row: &Row| row.path.clone();
        let missing: Vec<_> = rows.iter().filter(|row| !row.file(data).exists()).map(name).collect();
        fail_for(&missing, "are missing", RESPLIT, &path)?;
        let is_changed = |row: &&Row| files::sha256_file(&row.file(data)).ok().as_deref() != Some(&row.sha256);
        let changed: Vec<_> = rows.par_iter().filter(is_changed).map(name).collect();
        fail_for(&changed, "are changed", RESPLIT, &path)?;
        let added = on_disk::added(data, &rows)?;
        fail_for(&added, "are not of it", "move them into the folder of photos (or away), and split anew", &path)?;
        let classes: Arc<[String]> = made_with.classes.clone().into();
        let subset = |split: Split| -> Result<Subset> {
            let (mut samples, mut hashes, mut names) = (Vec::new(), Vec::new(), String::new());
            for row in rows.iter().filter(|row| row.split == split) {
                let target = classes.binary_search(&row.class).map_err(|_| {
                    Error::new(ErrorKind::Dataset, format!("the manifest has an unknown class {:?}", row.class))
                        .at(&path)
                })?;
                samples.push(Sample { path: row.file(data), name: row.photo.clone(), target, part: Some(split) });
                hashes.push(row.sha256.clone());
                names += &format!("{},{},{}\n", row.path, row.class, row.sha256);
            }
            let sha256 = files::sha256(names.as_bytes());
            let (samples, hashes) = (samples.into(), hashes.into());
            Ok(Subset { split, classes: classes.clone(), samples, hashes, sha256 })
        };
        Ok(Self {
            root: data.to_path_buf(),
            train: subset(Split::Train)?,
            val: subset(Split::Val)?,
            test: subset(Split::Test)?,
            classes,
            made_with,
            set_aside: last_copies::count(data),
        })
    }
}

fn fail_for(names: &[String], how: &str, mend: &str, manifest: &Path) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let first = names[..names.len().min(5)].join(", ");
    let what = format!("{} files in the split's folders {how}: {first}", names.len());
    Err(Error::new(ErrorKind::Dataset, what).at(manifest).mend(mend))
}
