//! The folder of the cache files: what is in it, how large it is, and what goes to make room.
//!
//! Files that were not used for longest go first. One that a training holds stays, in whatever process it runs: its
//! [`Cached`](super::Cached) has a shared lock on it, and only a file that can be locked alone is removed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::file::Header;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::project::{Machine, Project};

/// What must stay free on the disk.
const RESERVE: u64 = 256 << 20;

/// The cache files of a project.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project) -> Result<()> {
/// let cache = Cache::open(project)?; // as a cell's last line, it shows the files
/// cache.clear()?; // all go but those that a training is reading
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Cache {
    /// The folder.
    pub folder: PathBuf,
    /// The files, those first that were not used for longest.
    pub files: Vec<CacheFile>,
}

/// A file of the cache.
#[derive(Clone, Debug)]
pub struct CacheFile {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last used.
    pub used: SystemTime,
    /// Whether a training holds it, or it is being written.
    pub in_use: bool,
    /// What made it, for example `resnet50, upper`; none where it is not finished, or an older petal made it.
    pub made_by: Option<String>,
    /// Photos in it.
    pub photos: usize,
}

/// Cache files that were removed. Nothing is lost with them but time: they are computed again when they are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// How many.
    pub files: usize,
    /// Their size in all.
    pub bytes: u64,
}

/// What new cache files need, and what went to make room for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that will be written.
    pub needed: u64,
    /// Bytes that were free on the disk then; 0 where that is not known.
    pub free: u64,
    /// What had to go.
    pub evicted: Evicted,
}

impl Cache {
    /// Where a project keeps its cache files: `models/cache`.
    pub fn folder(project: &Project) -> PathBuf {
        project.models.join("cache")
    }

    /// Looks at the cache of a project. An empty one is fine.
    pub fn open(project: &Project) -> Result<Self> {
        Self::look(&Self::folder(project))
    }

    /// Looks at a folder of cache files. What else lies there is left alone.
    pub fn look(folder: &Path) -> Result<Self> {
        let found = if folder.exists() { files::sorted_dir(folder)? } else { Vec::new() };
        let mut files: Vec<_> = found.into_iter().filter(|path| is_ours(path)).filter_map(look_at).collect();
        // Sorted by name before: files of one moment keep an order.
        files.sort_by_key(|file| file.used);
        Ok(Self { folder: folder.to_path_buf(), files })
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Removes all files but those in use.
    pub fn clear(&self) -> Result<Evicted> {
        evict(&self.files)
    }
}

/// Makes room for `needed` bytes, so that all files together stay below the limit, as far as files that nobody uses can go for that.
///
/// # Errors
/// [`ErrorKind::DiskFull`] where even without those files the disk has too little room. Nothing is removed then.
pub(in crate::train) fn make_room(folder: &Path, needed: u64, limit: u64) -> Result<Room> {
    files::create_dir(folder)?;
    // What a killed process left unfinished goes in any case, and what an older petal made: nobody will ask for it again.
    let (finished, unfinished): (Vec<_>, Vec<_>) =
        Cache::look(folder)?.files.into_iter().partition(|file| file.made_by.is_some());
    let mut evicted = evict(&unfinished)?;
    let (in_use, unused): (Vec<_>, Vec<_>) = finished.into_iter().partition(|file| file.in_use);
    let held = in_use.iter().map(|file| file.bytes).sum::<u64>();
    let sizes: Vec<u64> = unused.iter().map(|file| file.bytes).collect();
    let free = || Some(Machine::look(folder).disk_free).filter(|free| *free > 0);
    let too_small = |free: u64| {
        let what = format!("the cache needs {} MB; {} MB are free on this disk", needed >> 20, free >> 20);
        Error::new(ErrorKind::DiskFull, what).at(folder).mend("free some space, or set cache = false")
    };
    let before = free();
    let going = going(&sizes, held, needed, limit, before).ok_or_else(|| too_small(before.unwrap_or(0)))?;
    let Evicted { files, bytes } = evict(&unused[..going])?;
    (evicted.files, evicted.bytes) = (evicted.files + files, evicted.bytes + bytes);
    match free() {
        // Somebody took a file into use, or wrote another one, at this very moment.
        Some(free) if free < needed.saturating_add(RESERVE) => Err(too_small(free)),
        free => Ok(Room { needed, free: free.unwrap_or(0), evicted }),
    }
}

/// How many of the unused files, by their sizes, the first ones first, have to go; none if all of them would not do. What the disk has free is
/// not always known, and then not held against anyone.
fn going(unused: &[u64], held: u64, needed: u64, limit: u64, free: Option<u64>) -> Option<usize> {
    let mut total = held + unused.iter().sum::<u64>() + needed;
    let mut lacking = free.map_or(0, |free| (needed + RESERVE).saturating_sub(free));
    let mut going = 0;
    for bytes in unused {
        if total <= limit && lacking == 0 {
            break;
        }
        (total, lacking, going) = (total - bytes, lacking.saturating_sub(*bytes), going + 1);
    }
    (lacking == 0).then_some(going)
}

/// Removes those of the files that nobody uses.
fn evict(of: &[CacheFile]) -> Result<Evicted> {
    let mut evicted = Evicted::default();
    for file in of {
        let Some(_lock) = lock(&file.path) else { continue };
        match fs::remove_file(&file.path) {
            Ok(()) => (evicted.files, evicted.bytes) = (evicted.files + 1, evicted.bytes + file.bytes),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
            Err(cause) => return Err(Error::io("remove", &file.path, &cause)),
        }
    }
    Ok(evicted)
}

/// Cache files have the name of a hash; an unfinished one has a dot before it, as [`files::write_atomic`] names it.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let finished = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")).unwrap_or(&name);
    let hash = finished.strip_suffix(".bin").unwrap_or_default();
    hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// None where it is gone by now.
fn look_at(path: PathBuf) -> Option<CacheFile> {
    let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let unfinished = path.extension().is_some_and(|ending| ending == "tmp");
    let header = File::open(&path).and_then(|mut file| Header::read(&mut file)).ok().filter(|_| !unfinished);
    let name =
        |Header { key, .. }: &Header| format!("{}, {}", key.part.network, format!("{:?}", key.part.cut).to_lowercase());
    Some(CacheFile {
        bytes: metadata.len(),
        used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        in_use: lock(&path).is_none(),
        made_by: header.as_ref().map(|(header, _)| name(header)),
        photos: header.map_or(0, |(header, _)| header.rows),
        path,
    })
}

/// The file, locked alone; none where somebody else holds it, or that cannot be known.
fn lock(path: &Path) -> Option<File> {
    // Some systems lock only what is open for writing.
    let file = File::options().read(true).write(true).open(path).or_else(|_| File::open(path)).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_few_as_possible_go_for_the_limit_and_for_the_disk() {
        const R: u64 = RESERVE;
        let files = [10, 20, 30];
        // Held, needed, limit, free, and how many go.
        for (held, needed, limit, free, expected) in [
            (0, 40, 100, None, Some(0)),
            (0, 41, 100, None, Some(1)),
            (40, 11, 100, None, Some(2)),
            // What is needed, or in use, is more than the limit by itself: all others go, and that is all.
            (40, 101, 100, None, Some(3)),
            (101, 1, 100, None, Some(3)),
            // The disk is too small, though the limit is not reached.
            (0, 40, 1000, Some(R + 40), Some(0)),
            (0, 40, 1000, Some(R + 39), Some(1)),
            (0, 40, 1000, Some(R + 10), Some(2)),
            (0, 40, 1000, Some(R - 20), Some(3)),
            (0, 40, 1000, Some(R - 21), None),
        ] {
            assert_eq!(going(&files, held, needed, limit, free), expected, "{held} {needed} {limit} {free:?}");
        }
    }

    #[test]
    fn what_is_not_the_caches_is_left_alone() {
        let hash = "0123456789abcdef".repeat(4);
        for (name, expected) in [
            (format!("{hash}.bin"), true),
            (format!(".{hash}.bin.tmp"), true),
            (format!("{hash}.safetensors"), false),
            (format!("{}.bin", &hash[1..]), false),
            ("weights".into(), false),
            ("notes.bin".into(), false),
        ] {
            assert_eq!(is_ours(Path::new(&name)), expected, "{name}");
        }
    }
}
