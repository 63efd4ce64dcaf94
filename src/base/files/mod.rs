//! Files on disk: atomic writes, hashes, locks, which file a path leads to, what a person asked for.

mod atomic;
pub mod cells;
mod hash;
mod identity;
mod lock;
pub mod output;
pub mod signed;

use std::fs::{self, File};
use std::io;
#[cfg(not(unix))]
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

pub use atomic::{copy, publish, write_atomic, write_bytes, write_dir, write_verified};
pub use hash::{hex, sha256, sha256_file};
pub use identity::Identity;
pub use lock::Lock;

use crate::base::error::{Error, Result};

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|cause| Error::io("read", path, &cause))
}

/// Fills the buffer with what stands at this place of a file. The file's own position may move.
#[cfg(unix)]
pub fn read_at(file: &File, at: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

/// Fills the buffer with what stands at this place of a file. The file's own position may move.
#[cfg(not(unix))]
pub fn read_at(mut file: &File, at: u64, buffer: &mut [u8]) -> io::Result<()> {
    file.seek(io::SeekFrom::Start(at))?;
    file.read_exact(buffer)
}

/// Creates a folder and those above it.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|cause| Error::io("create", path, &cause))
}

/// What a folder holds, sorted by name: the file system's own order must never reach a result.
pub fn sorted_dir(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |cause: io::Error| Error::io("list", path, &cause);
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    Ok(entries)
}
