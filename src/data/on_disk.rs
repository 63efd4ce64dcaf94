//! A split's files: placed, replaced, and put right after a run that was killed.
//!
//! A new split is placed beside the old one and takes its place in one step; only then do the old one's files go, and none of them that is a
//! photo's last copy: such a one is set aside. The steps, each of which may be the last one of a process that is killed:
//!
//! 1. `manifest.unfinished.csv` names what is going to be placed.
//! 2. The photos are placed. Until here the old split holds; what was placed goes with the next run.
//! 3. `manifest.replaced.csv` is a copy of the old manifest. `split.json`, which names its manifest by hash, is written: from here on the new split
//!    holds.
//! 4. The unfinished manifest becomes the manifest. The replaced one's files go, then it goes itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::last_copies::{Kept, refuse, set_aside};
use super::manifest::{self, MANIFEST, MadeWith, Row};
use super::sample::Split;
use super::search::{is_hidden, is_photo};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, Identity};
use crate::base::work::{Progress, Unit, Work};

/// Names what is being placed.
const UNFINISHED: &str = "manifest.unfinished.csv";
/// Names what was there before.
const REPLACED: &str = "manifest.replaced.csv";

/// What a split will be.
pub(super) struct Plan {
    /// Each photo and its place.
    pub(super) files: Vec<(PathBuf, Row)>,
    /// What it is made with; its manifest's hash is filled in here.
    pub(super) made_with: MadeWith,
}

impl Plan {
    /// Makes it; the caller holds the lock.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] where a file that is not of the old split is in the way, or one of its photos is nowhere else; nothing is changed then.
    pub(super) fn carry_out(mut self, data: &Path, progress: &mut dyn Progress) -> Result<()> {
        let rows: Vec<Row> = self.files.iter().map(|(_, row)| row.clone()).collect();
        put_right(data, &rows)?;
        let [manifest, unfinished, replaced] = [MANIFEST, UNFINISHED, REPLACED].map(|name| data.join(name));
        let old = if manifest.exists() { manifest::read(&manifest)? } else { Vec::new() };
        self.check_room(data, &old)?;
        let then = MadeWith::read(data).ok().and_then(|made_with| made_with.root);
        // Who splits the same folder again has taken out himself what is not there any more; what is left of another folder's photos is for him to
        // save.
        let goes = leaving(&old, &rows);
        let kept = Kept { data, others: &rows, root: then.as_deref() };
        if then.is_none() || then != self.made_with.root {
            refuse(data, &kept.last_copies(&goes))?;
        }
        // What another photo is going to take the place of.
        let taken: BTreeSet<&str> = rows.iter().map(|row| row.path.as_str()).collect();
        for row in kept.last_copies(&goes).into_iter().filter(|row| taken.contains(row.path.as_str())) {
            set_aside(data, row)?;
        }

        self.made_with.manifest_sha256 = manifest::write(&unfinished, &rows)?;
        let mut work = Work::new("placing photos", Unit::Photos, self.files.len() as u64);
        for (placed, (source, row)) in self.files.iter().enumerate() {
            // A stop here is as if the process had been killed: what was placed goes with the next run.
            work.at(placed as u64, progress)?;
            place(source, &row.file(data))?;
        }
        work.end(progress)?;
        if manifest.exists() {
            files::copy(&manifest, &replaced)?;
        }
        self.made_with.write(data)?;
        finish(data)
    }

    /// Fails where a file that no manifest names is in the place of a photo, or one that another photo is to be read from.
    fn check_room(&self, data: &Path, old: &[Row]) -> Result<()> {
        let sources: BTreeMap<&Path, &str> =
            self.files.iter().map(|(source, row)| (source.as_path(), row.sha256.as_str())).collect();
        for (_, row) in &self.files {
            let place = row.file(data);
            if sources.get(place.as_path()).is_some_and(|sha256| *sha256 != row.sha256) {
                let what = format!("{} would take the place of another photo that is to be read from there", row.photo);
                return Err(Error::new(ErrorKind::Dataset, what).at(place).mend("rename one of the two photos"));
            }
        }
        let ours: BTreeSet<&str> = old.iter().map(|row| row.path.as_str()).collect();
        let is_foreign = |row: &&Row| !ours.contains(row.path.as_str()) && row.file(data).symlink_metadata().is_ok();
        match self.files.iter().map(|(_, row)| row).find(is_foreign) {
            None => Ok(()),
            Some(row) => {
                let what = "a file that is not of this split is in its place";
                let mend = "move it away and run this again";
                Err(Error::new(ErrorKind::Dataset, what).at(row.file(data)).mend(mend))
            }
        }
    }
}

/// Puts right what a killed run has left. `wanted` is what is to be placed next.
fn put_right(data: &Path, wanted: &[Row]) -> Result<()> {
    let [manifest, unfinished, replaced] = [MANIFEST, UNFINISHED, REPLACED].map(|name| data.join(name));
    if unfinished.exists() && !is_committed(data)? {
        // The old split holds, if there was one.
        let old = if manifest.exists() { manifest::read(&manifest)? } else { Vec::new() };
        let placed = manifest::read(&unfinished)?;
        for row in &placed {
            remove_file(&scratch(&row.file(data)))?;
        }
        remove(data, &going(&placed, &old), &Kept { data, others: &[wanted, &old].concat(), root: None })?;
        for path in [unfinished, replaced] {
            remove_file(&path)?;
        }
        return Ok(());
    }
    finish(data)
}

/// Whether the split that is being placed holds already, although its manifest has not its name yet.
fn is_committed(data: &Path) -> Result<bool> {
    let unfinished = data.join(UNFINISHED);
    if !unfinished.exists() {
        return Ok(false);
    }
    let sha256 = files::sha256_file(&unfinished)?;
    Ok(MadeWith::read(data).is_ok_and(|made_with| made_with.manifest_sha256 == sha256))
}

/// The manifest that holds: where a run was killed in the step that made it so, it has not its name yet.
pub(super) fn manifest_of(data: &Path) -> Result<PathBuf> {
    Ok(data.join(if is_committed(data)? { UNFINISHED } else { MANIFEST }))
}

/// Files that a killed run has placed or not yet removed: they belong to no split, and go with the next one.
pub(super) fn remains(data: &Path) -> Result<BTreeSet<String>> {
    let mut remains = BTreeSet::new();
    for path in [UNFINISHED, REPLACED].map(|name| data.join(name)).iter().filter(|path| path.exists()) {
        remains.extend(manifest::read(path)?.into_iter().map(|row| row.path));
    }
    Ok(remains)
}

/// The last steps: the new manifest gets its name, the old one's files go.
fn finish(data: &Path) -> Result<()> {
    let [manifest, unfinished, replaced] = [MANIFEST, UNFINISHED, REPLACED].map(|name| data.join(name));
    if unfinished.exists() {
        fs::rename(&unfinished, &manifest).map_err(|cause| Error::io("rename", &unfinished, &cause))?;
    }
    if replaced.exists() {
        let (old, new) = (manifest::read(&replaced)?, manifest::read(&manifest)?);
        let root = MadeWith::read(data)?.root;
        remove(data, &going(&old, &new), &Kept { data, others: &new, root: root.as_deref() })?;
        remove_file(&replaced)?;
    }
    Ok(())
}

/// The place below its part of a file that is in a part of the split in this folder: `roses/1.jpg`.
pub(super) fn place_of(data: &Path, file: &Path) -> Option<String> {
    let below = file.strip_prefix(data).ok()?;
    let mut parts = below.iter().map(|part| part.to_str());
    let is_part = |part: &str| Split::ALL.iter().any(|split| split.name() == part);
    parts.next().flatten().filter(|part| is_part(part))?;
    parts.collect::<Option<Vec<&str>>>().map(|parts| parts.join("/"))
}

/// The rows whose photo is not in the same place among others.
fn leaving(rows: &[Row], stays: &[Row]) -> Vec<Row> {
    let stays: BTreeSet<(&str, &str)> = stays.iter().map(|row| (row.path.as_str(), row.sha256.as_str())).collect();
    rows.iter().filter(|row| !stays.contains(&(row.path.as_str(), row.sha256.as_str()))).cloned().collect()
}

/// The rows whose places are not among others'.
fn going(rows: &[Row], stays: &[Row]) -> Vec<Row> {
    let stays: BTreeSet<&str> = stays.iter().map(|row| row.path.as_str()).collect();
    rows.iter().filter(|row| !stays.contains(row.path.as_str())).cloned().collect()
}

/// A hard link where the file system has them, else a copy; in one step, over whatever was there.
fn place(source: &Path, target: &Path) -> Result<()> {
    if let Some(folder) = target.parent() {
        files::create_dir(folder)?;
    }
    // A link to a link would lead nowhere from another folder.
    let source = source.canonicalize().map_err(|cause| Error::io("read", source, &cause))?;
    if Identity::of(target).is_ok_and(|there| Identity::of(&source).is_ok_and(|photo| photo == there)) {
        return Ok(());
    }
    let scratch = scratch(target);
    remove_file(&scratch)?;
    if fs::hard_link(&source, &scratch).is_err() {
        return files::copy(&source, target);
    }
    fs::rename(&scratch, target).map_err(|cause| Error::io("create", target, &cause))
}

/// Where a file is linked to before it gets its name.
fn scratch(target: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".link");
    target.with_file_name(name)
}

/// Removes files, then folders that are empty. Other files stay; a photo that is nowhere else is set aside.
fn remove(data: &Path, rows: &[Row], kept: &Kept) -> Result<()> {
    let last: BTreeSet<&str> = kept.last_copies(rows).into_iter().map(|row| row.path.as_str()).collect();
    let mut folders = BTreeSet::new();
    for row in rows {
        let file = row.file(data);
        if last.contains(row.path.as_str()) {
            set_aside(data, row)?;
        } else {
            remove_file(&file)?;
        }
        let depth = row.path.matches('/').count();
        folders.extend(file.ancestors().skip(1).take(depth).map(Path::to_path_buf));
    }
    // The deepest first; one that still holds something stays.
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, &cause)),
        _ => Ok(()),
    }
}

/// Photos in the split's folders that no manifest names, as `train/roses/1.jpg`.
pub(super) fn added(data: &Path, rows: &[Row]) -> Result<Vec<String>> {
    let mut known: BTreeSet<String> = remains(data)?;
    known.extend(rows.iter().map(|row| row.path.clone()));
    let known: BTreeSet<PathBuf> =
        known.iter().map(|path| path.split('/').fold(data.to_path_buf(), |path, part| path.join(part))).collect();
    let mut added = Vec::new();
    let mut folders: Vec<PathBuf> =
        Split::ALL.map(|split| data.join(split.name())).into_iter().filter(|part| part.is_dir()).collect();
    let mut seen: BTreeMap<Identity, ()> = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        if Identity::of(&folder).is_ok_and(|identity| seen.insert(identity, ()).is_some()) {
            continue;
        }
        let depth = folder.strip_prefix(data).map_or(0, |below| below.iter().count());
        for path in files::sorted_dir(&folder)?.into_iter().filter(|path| !is_hidden(path)) {
            if path.is_dir() {
                folders.push(path);
            } else if depth > 1 && !known.contains(&path) && is_photo(&path) {
                added.push(path.strip_prefix(data).unwrap_or(&path).to_string_lossy().replace('\\', "/"));
            }
        }
    }
    added.sort();
    Ok(added)
}
