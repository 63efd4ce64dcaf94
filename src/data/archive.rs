//! Unpacks an archive of photos by allow-list: nothing gets out of its folder, and nothing else gets in.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::GzDecoder;
use tar::{Archive, EntryType};

use crate::error::{Error, ErrorKind, Result};
use crate::files;

/// What an archive may at most hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files and folders. Default 200,000.
    pub entries: usize,
    /// Bytes of all files together, unpacked. Default 16 GiB.
    pub bytes: u64,
    /// Unpacked bytes for one packed byte, once 64 MiB are unpacked. Default 200.
    pub ratio: u64,
    /// Folders in folders. Default 16.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 200_000, bytes: 16 << 30, ratio: 200, depth: 16 }
    }
}

/// What was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Number of files.
    pub files: usize,
    /// Entries that were left out: what macOS adds.
    pub ignored: Vec<String>,
}

/// Unpacks a `.tgz` whose one top folder becomes `target`, which must not exist yet.
///
/// Regular files and folders only. Everything is written beside `target` first and renamed at the end, so `target` is whole or
/// not there.
///
/// # Errors
/// [`ErrorKind::Archive`], naming the entry: links and devices; names that lead out of the folder, are not UTF-8 or are there twice (on
/// some systems, names that differ only in case are the same); more than the limits; a file that is cut short or damaged.
pub fn unpack(archive: &Path, target: &Path, limits: &Limits) -> Result<Unpacked> {
    let parent = target.parent().unwrap_or(Path::new("."));
    files::create_dir(parent)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let scratch = tempfile::Builder::new()
        .prefix(&format!("incomplete-{name}-"))
        .tempdir_in(parent)
        .map_err(|cause| Error::io("create", parent, &cause))?;
    let unpacked = entries(archive, scratch.path(), limits)
        .map_err(|error| error.at(archive).mend("get the archive anew; nothing of this one was kept"))?;
    let tops = files::sorted_dir(scratch.path())?;
    let [top] = tops.as_slice() else {
        let what = format!("the archive has {} files and folders at its top; expected one folder", tops.len());
        return Err(refused(what).at(archive));
    };
    fs::rename(top, target).map_err(|cause| Error::io("create", target, &cause))?;
    Ok(unpacked)
}

fn entries(path: &Path, scratch: &Path, limits: &Limits) -> Result<Unpacked> {
    let file = File::open(path).map_err(|cause| Error::io("read", path, &cause))?;
    let packed = file.metadata().map_err(|cause| Error::io("read", path, &cause))?.len();
    let mut reader = BufReader::new(file);
    let mut archive = Archive::new(GzDecoder::new(&mut reader));
    let damaged = |cause: io::Error| refused(format!("the archive is damaged or cut short: {cause}"));
    let (mut seen, mut bytes, mut count) = (BTreeSet::new(), 0u64, 0);
    let mut unpacked = Unpacked { files: 0, ignored: Vec::new() };
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        count += 1;
        if count > limits.entries {
            return Err(refused(format!("the archive has more than {} entries", limits.entries)));
        }
        let raw = entry.path_bytes().into_owned();
        let name = String::from_utf8(raw).map_err(|e| {
            refused(format!("entry {:?} has a name that is not UTF-8", String::from_utf8_lossy(e.as_bytes())))
        })?;
        let relative = safe(&name, limits)?;
        if relative.as_os_str().is_empty() || is_litter(&relative) {
            if !relative.as_os_str().is_empty() {
                unpacked.ignored.push(name);
            }
            continue;
        }
        let place = scratch.join(&relative);
        match entry.header().entry_type() {
            EntryType::Directory => files::create_dir(&place)?,
            EntryType::Regular | EntryType::Continuous => {
                if !seen.insert(name.to_lowercase()) {
                    return Err(refused(format!(
                        "entry {name:?} is there twice, or differs only in case from another"
                    )));
                }
                let before = bytes;
                bytes = bytes.saturating_add(entry.size());
                if bytes > limits.bytes || (bytes > 64 << 20 && bytes > packed.saturating_mul(limits.ratio)) {
                    return Err(refused(format!(
                        "entry {name:?} brings the archive beyond {before} bytes: more than is allowed"
                    )));
                }
                if let Some(folder) = place.parent() {
                    files::create_dir(folder)?;
                }
                let mut out = File::options().create_new(true).write(true).open(&place);
                let out = out.as_mut().map_err(|cause| Error::io("create", &place, cause))?;
                let copied = io::copy(&mut entry, out).map_err(damaged)?;
                if copied != entry.size() {
                    return Err(refused(format!("entry {name:?} is cut short")));
                }
                unpacked.files += 1;
            }
            EntryType::XGlobalHeader => {}
            other => {
                return Err(refused(format!("entry {name:?} is a {other:?}; only files and folders are unpacked")));
            }
        }
    }
    // The end of the gzip stream holds the checksum: read up to it, and see that nothing follows.
    let mut rest = archive.into_inner();
    let mut buffer = [0; 1 << 13];
    while rest.read(&mut buffer).map_err(damaged)? > 0 {}
    drop(rest);
    if reader.read(&mut buffer).map_err(damaged)? > 0 {
        return Err(refused("something follows the end of the archive".into()));
    }
    Ok(unpacked)
}

/// The entry's place below the top, if its name leads nowhere else.
fn safe(name: &str, limits: &Limits) -> Result<PathBuf> {
    let odd = name.contains(['\\', '\0']) || name.chars().nth(1) == Some(':');
    let mut place = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) if !odd => place.push(part),
            Component::CurDir if !odd => {}
            _ => return Err(refused(format!("entry {name:?} leads out of the archive's folder"))),
        }
    }
    if place.components().count() > limits.depth {
        return Err(refused(format!("entry {name:?} is more than {} folders deep", limits.depth)));
    }
    Ok(place)
}

/// What macOS adds to archives.
fn is_litter(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part.starts_with("._") || part == ".DS_Store" || part == "__MACOSX"
    })
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::Archive, what)
}
