//! `manifest.csv`: which photo is in which split. Beside it `split.json`: what the split was made with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::decisions::Decided;
use super::left_out::LeftOut;
use super::sample::{RESPLIT, Split};
use crate::base::config::{Duplicates, Source, SplitConfig};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, cells};

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.csv";

/// One photo of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it is below the data folder, with `/`: `train/roses/1.jpg`.
    pub path: String,
    /// Its class.
    pub class: String,
    /// Its part.
    pub split: Split,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// What the photo is called in the data set that it comes from ([`Sample::name`](super::Sample::name)).
    pub photo: String,
}

impl Row {
    /// The file, below this data folder.
    pub fn file(&self, data: &Path) -> PathBuf {
        self.path.split('/').fold(data.to_path_buf(), |path, part| path.join(part))
    }

    /// Its place below its part: `roses/1.jpg`.
    pub fn name(&self) -> &str {
        self.path.split_once('/').map_or("", |(_, name)| name)
    }

    /// Whether the path is where a photo of this part and class belongs. Files that a manifest names are removed with it:
    /// nothing else must ever be named.
    fn is_in_place(&self) -> bool {
        let Self { split, class, path, .. } = self;
        let parts: Vec<&str> = path.split('/').collect();
        let plain = |name: &&str| !["", ".", ".."].contains(name);
        parts.len() > 2
            && parts[0] == split.name()
            && parts[1] == class
            && parts.iter().all(plain)
            && !path.contains('\\')
    }
}

/// What a split was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MadeWith {
    /// The seed.
    pub seed: u64,
    /// The fractions of train, val and test.
    pub fractions: [f64; 3],
    /// All classes, sorted.
    pub classes: Vec<String>,
    /// Where the photos come from; not known of a split that an earlier petal made.
    #[serde(default)]
    pub source: Option<Source>,
    /// The folder that the photos' names begin in; not known of a split that an earlier petal made.
    #[serde(default)]
    pub root: Option<PathBuf>,
    /// Whose photos they are and what may be done with them.
    #[serde(default)]
    pub licence: String,
    /// Whether the set came split, so that its parts were taken as they were.
    #[serde(default)]
    pub given: bool,
    /// Of a set that came split: the parts that were not there, and were drawn from the photos to train on.
    #[serde(default)]
    pub drawn: Vec<Split>,
    /// Pairs of (nearly) the same photo, one to train on, one not, by their names.
    #[serde(default)]
    pub leaks: Vec<(String, String)>,
    /// Names the manifest that this belongs to.
    #[serde(default)]
    pub manifest_sha256: String,
    /// What became of photos that show the same.
    #[serde(default)]
    pub duplicates_are: Duplicates,
    /// How alike two photos were at least to be taken for the same.
    #[serde(default = "default_threshold")]
    pub duplicate_threshold: f64,
    /// Photos that are (nearly) the same as another one before them.
    pub duplicates: usize,
    /// Pairs of (nearly) the same photo, by their names.
    #[serde(default)]
    pub pairs: Vec<Twins>,
    /// Classes whose copies are in several parts, since kept together they would not have filled every part: how many.
    #[serde(default)]
    pub split_up: BTreeMap<String, usize>,
    /// Pairs of (nearly) the same photo in two classes, by their names.
    pub conflicts: Vec<(String, String)>,
    /// What lay among the photos and is in no part, by its name, and why.
    pub left_out: BTreeMap<String, LeftOut>,
    /// Photos with transparent parts, which are laid on white.
    #[serde(default)]
    pub laid_on_white: usize,
    /// What `decisions.csv` did to it.
    #[serde(default)]
    pub decided: Decided,
}

/// Two photos of a split that are (nearly) the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Twins {
    /// The name of the one.
    pub one: String,
    /// The name of the other.
    pub other: String,
    /// How alike they are where they differ most, 0 to 1.
    pub likeness: f64,
}

fn default_threshold() -> f64 {
    SplitConfig::default().duplicate_threshold
}

impl MadeWith {
    /// Sees that duplicates were looked for and kept as these settings ask.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if they were not.
    pub fn check_duplicates(&self, split: &SplitConfig) -> Result<()> {
        let failed = |key: &str, then: &dyn std::fmt::Display, now: &dyn std::fmt::Display| {
            let what = format!("this split was made with {key} = {then}; asked for is {now}");
            Err(Error::new(ErrorKind::Dataset, what).mend(RESPLIT))
        };
        if self.duplicates_are != split.duplicates {
            return failed("duplicates", &self.duplicates_are, &split.duplicates);
        }
        if split.duplicates != Duplicates::Off && self.duplicate_threshold != split.duplicate_threshold {
            return failed("duplicate_threshold", &self.duplicate_threshold, &split.duplicate_threshold);
        }
        Ok(())
    }

    /// Writes it beside the manifest.
    pub fn write(&self, data: &Path) -> Result<()> {
        let path = data.join(MADE_WITH);
        let json = serde_json::to_string_pretty(self)
            .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write: {cause}")).at(&path))?;
        files::write_bytes(&path, format!("{json}\n").as_bytes())
    }

    /// Reads what stands beside the manifest.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if it is not one of ours.
    pub fn read(data: &Path) -> Result<Self> {
        let path = data.join(MADE_WITH);
        let bytes = files::read(&path).map_err(|error| broken(error.what()).at(&path))?;
        serde_json::from_slice(&bytes).map_err(|cause| broken(&cause.to_string()).at(&path))
    }
}

const MADE_WITH: &str = "split.json";
const HEADER: [&str; 6] = ["path", "class", "split", "bytes", "sha256", "photo"];

/// Writes a manifest, and gives its SHA-256.
pub fn write(path: &Path, rows: &[Row]) -> Result<String> {
    let cells = |row: &Row| {
        [
            row.path.clone(),
            row.class.clone(),
            row.split.to_string(),
            row.bytes.to_string(),
            row.sha256.clone(),
            row.photo.clone(),
        ]
    };
    let table = cells::table(&HEADER, rows.iter().map(cells)).map_err(|error| error.at(path))?;
    files::write_bytes(path, &table)?;
    Ok(files::sha256(&table))
}

/// Reads a manifest. Those of an earlier petal have no last column.
///
/// # Errors
/// [`ErrorKind::Dataset`] if it is not one of ours.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let cells::Read { head, rows } = cells::read(&files::read(path)?).map_err(|error| broken(error.what()).at(path))?;
    if head != HEADER && head != HEADER[..5] {
        return Err(broken(&format!("its columns are not {}", HEADER.join(", "))).at(path));
    }
    let row = |(_, cells): (u64, Vec<String>)| -> Result<Row> {
        let field = |index: usize| cells.get(index).cloned().unwrap_or_default();
        let mut row = Row {
            path: field(0),
            class: field(1),
            split: field(2).parse().map_err(|error: Error| broken(error.what()))?,
            bytes: field(3).parse().map_err(|_| broken(&format!("{:?} is no number of bytes", field(3))))?,
            sha256: field(4),
            photo: field(5),
        };
        if !row.is_in_place() {
            return Err(broken(&format!("{:?} is not in {}/{}/", row.path, row.split, row.class)));
        }
        if row.photo.is_empty() {
            row.photo = row.name().to_string();
        }
        Ok(row)
    };
    rows.into_iter().map(|cells| row(cells).map_err(|error| error.at(path))).collect()
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Dataset, format!("this split cannot be read: {what}"))
        .mend("delete the folders train, val and test and the files manifest.csv and split.json, and split anew")
}
