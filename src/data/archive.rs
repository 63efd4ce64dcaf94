//! Unpacks an archive of photos by allow-list: nothing gets out of its folder, and nothing else gets in.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::GzDecoder;
use tar::{Archive, Entry, EntryType};
use unicode_normalization::UnicodeNormalization;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::work::{Progress, Unit, Work};

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

/// Unpacks what the one top folder of a `.tgz` holds into `folder`, which is there and empty.
///
/// Regular files and folders only. After an error the folder holds what had come until then: the caller throws it away
/// (see [`files::write_dir`]).
///
/// # Errors
/// [`ErrorKind::Archive`], naming the entry: links and devices; names that lead out of the folder, are not UTF-8, or are there
/// twice (on some systems, names that differ only in case or Unicode form are the same); more than the limits; a file that is cut short or
/// damaged. [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn unpack(archive: &Path, folder: &Path, limits: &Limits, progress: &mut dyn Progress) -> Result<Unpacked> {
    entries(archive, folder, limits, progress).map_err(|error| match error.kind() {
        ErrorKind::Archive => error.at(archive).mend("get the archive anew; nothing of this one was kept"),
        _ => error,
    })
}

/// Bytes for headers, long names and padding from one entry to the next.
const BETWEEN: u64 = 4 << 20;

fn entries(path: &Path, folder: &Path, limits: &Limits, progress: &mut dyn Progress) -> Result<Unpacked> {
    let file = File::open(path).map_err(|cause| Error::io("read", path, &cause))?;
    let packed = file.metadata().map_err(|cause| Error::io("read", path, &cause))?.len();
    let most = limits.bytes.min(packed.saturating_mul(limits.ratio).max(64 << 20));
    let mut reader = BufReader::new(file);
    let left = Cell::new(BETWEEN);
    let mut archive = Archive::new(Metered { inner: GzDecoder::new(&mut reader), left: &left });
    let (mut tree, mut bytes, mut count) = (Tree::default(), 0u64, 0);
    let mut unpacked = Unpacked { files: 0, ignored: Vec::new() };
    let mut work = Work::new("unpacking", Unit::Files, 0);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        count += 1;
        if count > limits.entries {
            return Err(refused(format!("the archive has more than {} entries", limits.entries)));
        }
        let name = String::from_utf8(entry.path_bytes().into_owned()).map_err(|cause| {
            refused(format!("entry {:?} has a name that is not UTF-8", String::from_utf8_lossy(cause.as_bytes())))
        })?;
        bytes = bytes.saturating_add(entry.size());
        if bytes > most {
            let what = format!("with entry {name:?} the archive has {bytes} bytes; at most {most} are unpacked");
            return Err(refused(what));
        }
        left.set(entry.size() + BETWEEN);
        let is_file = match entry.header().entry_type() {
            EntryType::Directory => false,
            EntryType::Regular | EntryType::Continuous => true,
            EntryType::XGlobalHeader => continue,
            other => {
                return Err(refused(format!("entry {name:?} is a {other:?}; only files and folders are unpacked")));
            }
        };
        let whole = safe(&name, limits)?;
        if is_litter(&whole) {
            unpacked.ignored.push(name);
            continue;
        }
        let Some(relative) = tree.place(&name, &whole, is_file)? else { continue };
        let place = folder.join(relative);
        if is_file {
            write(&mut entry, &name, &place)?;
            unpacked.files += 1;
            work.at(unpacked.files as u64, progress)?;
        } else {
            files::create_dir(&place)?;
        }
    }
    work.end(progress)?;
    // The end of the gzip stream holds the checksum: read up to it, and see that nothing follows.
    left.set(BETWEEN);
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    if reader.read(&mut [0]).map_err(damaged)? > 0 {
        return Err(refused("something follows the end of the archive".into()));
    }
    if unpacked.files == 0 {
        return Err(refused("there are no files in the archive".into()));
    }
    Ok(unpacked)
}

fn write(entry: &mut Entry<'_, impl Read>, name: &str, place: &Path) -> Result<()> {
    if let Some(parent) = place.parent() {
        files::create_dir(parent)?;
    }
    let mut out =
        File::options().create_new(true).write(true).open(place).map_err(|cause| Error::io("create", place, &cause))?;
    let (mut buffer, mut copied) = (vec![0; 1 << 16], 0);
    loop {
        let read = entry.read(&mut buffer).map_err(damaged)?;
        if read == 0 {
            break;
        }
        out.write_all(&buffer[..read]).map_err(|cause| Error::io("write", place, &cause))?;
        copied += read as u64;
    }
    if copied != entry.size() {
        return Err(refused(format!("entry {name:?} is cut short")));
    }
    Ok(())
}

/// Hands on at most `left` bytes, so that neither a bomb nor a header without end gets through.
struct Metered<'a, R> {
    inner: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("it holds more than its entries say"));
        }
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.inner.read(&mut buffer[..most])?;
        self.left.set(left - read as u64);
        Ok(read)
    }
}

/// What is unpacked so far, to find what is there twice.
#[derive(Default)]
struct Tree {
    top: Option<PathBuf>,
    /// By what file systems may take for the same path: the path itself, and whether it is a file.
    known: BTreeMap<String, (PathBuf, bool)>,
}

impl Tree {
    /// Where an entry goes below the top folder; nothing for that folder itself.
    fn place(&mut self, name: &str, whole: &Path, is_file: bool) -> Result<Option<PathBuf>> {
        let mut components = whole.components();
        let Some(top) = components.next() else { return Ok(None) };
        let (top, below) = (PathBuf::from(top.as_os_str()), components.as_path());
        let known = self.top.get_or_insert_with(|| top.clone());
        if *known != top || (is_file && below.as_os_str().is_empty()) {
            let what = format!("entry {name:?} is not in the one folder at the archive's top, {}", known.display());
            return Err(refused(what));
        }
        for path in below.ancestors().filter(|path| !path.as_os_str().is_empty()) {
            let is_file = is_file && path == below;
            let key = folded(&path.to_string_lossy());
            let same = self.known.entry(key).or_insert_with(|| (PathBuf::new(), is_file));
            let is_new = same.0.as_os_str().is_empty();
            if is_new {
                same.0 = path.into();
            } else if is_file || same.1 || same.0 != path {
                let what = format!(
                    "entry {name:?} is there twice, or differs from another only in case or in how Unicode spells it"
                );
                return Err(refused(what));
            }
        }
        Ok((!below.as_os_str().is_empty()).then(|| below.into()))
    }
}

/// What two names have in common that some file systems take for one: macOS ignores how Unicode spells a letter, Windows and macOS
/// ignore case.
fn folded(name: &str) -> String {
    name.nfd().flat_map(char::to_lowercase).nfd().collect()
}

/// The entry's path, if it leads nowhere else.
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

fn damaged(cause: io::Error) -> Error {
    refused(format!("the archive is damaged or cut short: {cause}"))
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::Archive, what)
}
