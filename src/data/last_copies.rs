//! Photos of a split that are nowhere else: they are never removed, but set aside, or the split that would replace theirs is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::manifest::Row;
use super::sample::Split;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, Identity};

/// Where photos go that are nowhere else, in the folder of the split.
const SET_ASIDE: &str = "set_aside";

/// What is known of other copies of photos.
pub(super) struct Kept<'a> {
    /// The folder of the split.
    pub(super) data: &'a Path,
    /// Rows that stay or come.
    pub(super) others: &'a [Row],
    /// The folder that the photos came from.
    pub(super) root: Option<&'a Path>,
}

impl Kept<'_> {
    /// Those of some rows whose photo is nowhere else: not in the rows that stay or come, not in the folder that it came from (whoever has changed
    /// it there has meant to), and not under another name on the disk.
    pub(super) fn last_copies<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        let others: BTreeSet<&str> = self.others.iter().map(|row| row.sha256.as_str()).collect();
        let data = Identity::of(self.data).ok();
        let is_original = |row: &Row| {
            let original = self.root.map(|root| root.join(&row.photo)).filter(|original| original.is_file());
            original.is_some_and(|original| !data.as_ref().is_some_and(|data| is_in_a_part(data, &original)))
        };
        // Rows may be names of one file: all of them would go.
        let mut own_names: BTreeMap<Identity, u64> = BTreeMap::new();
        for identity in rows.iter().filter_map(|row| Identity::of(&row.file(self.data)).ok()) {
            *own_names.entry(identity).or_default() += 1;
        }
        let is_last = |row: &&Row| {
            let file = row.file(self.data);
            let (Ok(found), Ok(identity)) = (fs::metadata(&file), Identity::of(&file)) else { return false };
            let has_others = names(&found) > own_names.get(&identity).copied().unwrap_or(1);
            !others.contains(row.sha256.as_str()) && !has_others && !is_original(row)
        };
        rows.iter().filter(is_last).collect()
    }
}

/// The error for photos that would be lost.
pub(super) fn refuse(data: &Path, last: &[&Row]) -> Result<()> {
    if last.is_empty() {
        return Ok(());
    }
    let names = last.iter().take(5).map(|row| row.path.as_str()).collect::<Vec<_>>().join(", ");
    let count = last.len();
    let what =
        format!("{count} photos of the split that would be replaced are nowhere else, and would be lost: {names}");
    let mend = "draw it anew from the photos that it holds (petal split-dataset --redraw), use other folders (--data, --models), or move these photos away";
    Err(Error::new(ErrorKind::Dataset, what).at(data).mend(mend))
}

/// Whether a path leads into a part of the split in this folder.
fn is_in_a_part(data: &Identity, path: &Path) -> bool {
    path.ancestors().any(|part| {
        Split::ALL.iter().any(|split| part.file_name().is_some_and(|name| name == split.name()))
            && part.parent().is_some_and(|folder| Identity::of(folder).is_ok_and(|folder| folder == *data))
    })
}

/// How many names a file has on the disk: where the split is made of hard links, the photo itself is one.
#[cfg(unix)]
fn names(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(found)
}

#[cfg(not(unix))]
fn names(_: &fs::Metadata) -> u64 {
    1
}

/// Moves a photo out of the split; where another one is at its new place already, under the next name that is free.
pub(super) fn set_aside(data: &Path, row: &Row) -> Result<()> {
    let (file, mut place) = (row.file(data), data.join(SET_ASIDE).join(row.name()));
    if let Some(folder) = place.parent() {
        files::create_dir(folder)?;
    }
    while place.symlink_metadata().is_ok() {
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        place.set_file_name(format!("_{name}"));
    }
    fs::rename(&file, &place).map_err(|cause| Error::io("move", &file, &cause))
}

/// Photos that were set aside when an earlier split was replaced.
pub(super) fn count(data: &Path) -> usize {
    fn below(folder: &Path) -> usize {
        let found = files::sorted_dir(folder).unwrap_or_default();
        found.iter().map(|path| if path.is_dir() { below(path) } else { 1 }).sum()
    }
    below(&data.join(SET_ASIDE))
}
