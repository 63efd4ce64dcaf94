//! `manifest.csv`: which photo is in which split.

use std::path::{Path, PathBuf};

use super::Split;
use crate::error::{Error, ErrorKind, Result};
use crate::files;

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
}

const HEADER: [&str; 5] = ["path", "class", "split", "bytes", "sha256"];

/// Writes the manifest, with what it was made with in its first line, as a comment.
pub fn write(path: &Path, made_with: &str, rows: &[Row]) -> Result<()> {
    let mut text = format!("# {made_with}\n").into_bytes();
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

/// Reads a manifest: what it was made with, and its rows.
///
/// # Errors
/// [`ErrorKind::Dataset`] if it is not one of ours.
pub fn read(path: &Path) -> Result<(String, Vec<Row>)> {
    let broken = |what: String| {
        Error::new(ErrorKind::Dataset, format!("this manifest cannot be read: {what}"))
            .at(path)
            .mend("make the split anew with `petal split-dataset --replace`")
    };
    let bytes = files::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|cause| broken(cause.to_string()))?;
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let made_with = first.strip_prefix("# ").ok_or_else(|| broken("its first line is missing".into()))?;
    let mut reader = csv::Reader::from_reader(rest.as_bytes());
    if !reader.headers().is_ok_and(|header| header.iter().eq(HEADER)) {
        return Err(broken(format!("its columns are not {}", HEADER.join(", "))));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|cause| broken(cause.to_string()))?;
        let field = |index: usize| record.get(index).unwrap_or_default().to_string();
        let path = field(0);
        if path.split('/').any(|part| part.is_empty() || part == "..") || path.contains('\\') {
            return Err(broken(format!("the path {path:?} leads out of the data folder")));
        }
        rows.push(Row {
            path,
            class: field(1),
            split: field(2).parse().map_err(|error: Error| broken(error.what().to_string()))?,
            bytes: field(3).parse().map_err(|_| broken(format!("{:?} is no number of bytes", field(3))))?,
            sha256: field(4),
        });
    }
    Ok((made_with.to_string(), rows))
}
