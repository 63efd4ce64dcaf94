//! `manifest.csv`: which photo is in which split. Beside it `split.json`: what the split was made with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Decided, Split};
use crate::error::{Error, ErrorKind, Result};
use crate::files;

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
}

impl Row {
    /// The file, below this data folder.
    pub fn file(&self, data: &Path) -> PathBuf {
        self.path.split('/').fold(data.to_path_buf(), |path, part| path.join(part))
    }

    /// `class/file`: what the photo is called in every split.
    pub fn name(&self) -> &str {
        self.path.split_once('/').map_or("", |(_, name)| name)
    }

    /// Whether the path is where a photo of this part and class belongs. Files that a manifest names are removed with it:
    /// nothing else must ever be named.
    fn is_in_place(&self) -> bool {
        let mut parts = self.path.split('/');
        let found = (parts.next(), parts.next(), parts.next(), parts.next());
        let Self { split, class, path, .. } = self;
        let plain = |name: &str| !["", ".", ".."].contains(&name);
        matches!(found, (Some(part), Some(folder), Some(file), None)
            if part == split.name() && folder == class && plain(folder) && plain(file) && !path.contains('\\'))
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
    /// Photos that are (nearly) the same as another one before them.
    pub duplicates: usize,
    /// Pairs of (nearly) the same photo in two classes, as `class/file`.
    pub conflicts: Vec<(String, String)>,
    /// Photos that cannot be read, as `class/file`.
    pub left_out: BTreeMap<String, LeftOut>,
    /// What `decisions.csv` did to it.
    #[serde(default)]
    pub decided: Decided,
}

/// A photo that cannot be read and is in no part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Bytes of the file; 0 where it cannot even be found.
    pub bytes: u64,
    /// Why it cannot be read.
    pub why: String,
}

impl MadeWith {
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
const HEADER: [&str; 5] = ["path", "class", "split", "bytes", "sha256"];

/// Writes a manifest.
pub fn write(path: &Path, rows: &[Row]) -> Result<()> {
    let mut text = Vec::new();
    let failed = |cause: csv::Error| Error::new(ErrorKind::Io, format!("cannot write: {cause}")).at(path);
    let mut writer = csv::Writer::from_writer(&mut text);
    writer.write_record(HEADER).map_err(failed)?;
    for row in rows {
        let bytes = row.bytes.to_string();
        let record = [row.path.as_str(), &row.class, row.split.name(), &bytes, &row.sha256];
        writer.write_record(record).map_err(failed)?;
    }
    writer.flush().map_err(|cause| Error::io("write", path, &cause))?;
    drop(writer);
    files::write_bytes(path, &text)
}

/// Reads a manifest.
///
/// # Errors
/// [`ErrorKind::Dataset`] if it is not one of ours.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let bytes = files::read(path)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    if !reader.headers().is_ok_and(|header| header.iter().eq(HEADER)) {
        return Err(broken(&format!("its columns are not {}", HEADER.join(", "))).at(path));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|cause| broken(&cause.to_string()).at(path))?;
        let field = |index: usize| record.get(index).unwrap_or_default().to_string();
        let row = Row {
            path: field(0),
            class: field(1),
            split: field(2).parse().map_err(|error: Error| broken(error.what()).at(path))?,
            bytes: field(3).parse().map_err(|_| broken(&format!("{:?} is no number of bytes", field(3))).at(path))?,
            sha256: field(4),
        };
        if !row.is_in_place() {
            let what = format!("{:?} is not in {}/{}/", row.path, row.split, row.class);
            return Err(broken(&what).at(path));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Dataset, format!("this split cannot be read: {what}"))
        .mend("delete the folders train, val and test and the files manifest.csv and split.json, and split anew")
}
