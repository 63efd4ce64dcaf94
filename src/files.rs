//! Files on disk: atomic writes, hashes, sorted folders, locks.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// Writes a file so that it either is there whole or is not touched: into a sibling file, flushed to the disk, then
/// renamed over the target, then the folder flushed. A reader, or a power cut, never sees half of it.
///
/// # Errors
/// [`ErrorKind::Io`] or [`ErrorKind::DiskFull`]; what stood at `path` before is still there.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    create_dir(folder)?;
    let attempt = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".petal-").suffix(".tmp");
        // A temporary file is private by default; what we write is meant to be read by others as far as the umask allows.
        #[cfg(unix)]
        builder.permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let scratch = builder.tempfile_in(folder)?;
        let mut writer = BufWriter::with_capacity(1 << 20, scratch);
        fill(&mut writer)?;
        let scratch = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        scratch.as_file().sync_all()?;
        scratch.persist(path).map_err(|e| e.error)?;
        // A rename is durable once its folder is; Windows cannot open folders and does it by itself.
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    };
    attempt().map_err(|cause| Error::io("write", path, &cause))
}

/// [`write_atomic`] for bytes that are already in memory.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomic(path, |out| out.write_all(bytes))
}

/// Makes a folder that either is there whole or not at all: filled under another name beside it, then renamed. What stood
/// at `path` before stays until then. What a killed run left beside it is removed first.
///
/// # Errors
/// What `fill` gives, and then nothing is left of it; [`ErrorKind::Locked`] while another process makes the same folder.
pub fn write_dir<T>(path: &Path, fill: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = |ending: &str| path.with_file_name(format!(".{name}.{ending}"));
    let (scratch, old) = (beside("incomplete"), beside("old"));
    let _lock = Lock::take(&beside("lock"))?;
    remove_dir(&scratch)?;
    remove_dir(&old)?;
    create_dir(&scratch)?;
    let filled = fill(&scratch).and_then(|value| {
        let moved = |from: &Path, to: &Path| fs::rename(from, to).map_err(|cause| Error::io("create", to, &cause));
        if path.exists() {
            moved(path, &old)?;
        }
        moved(&scratch, path)?;
        Ok(value)
    });
    // Whatever went wrong is told already.
    let _ = remove_dir(if filled.is_ok() { &old } else { &scratch });
    filled
}

/// Removes a folder with all that is in it; none is fine.
fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, &cause)),
        _ => Ok(()),
    }
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|cause| Error::io("read", path, &cause))
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

/// The SHA-256 of some bytes, in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of a file, in lower-case hex, read in pieces.
pub fn sha256_file(path: &Path) -> Result<String> {
    let failed = |cause: io::Error| Error::io("read", path, &cause);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A lock that other processes respect, held until it is dropped (or the process ends, however it ends).
#[derive(Debug)]
pub struct Lock {
    /// The operating system unlocks it when it is closed.
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock, or fails at once with [`ErrorKind::Locked`] if another process holds it. Its file is removed with it.
    pub fn take(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            create_dir(folder)?;
        }
        let failed = |cause: io::Error| Error::io("lock", path, &cause);
        loop {
            let mut file =
                File::options().create(true).read(true).write(true).truncate(false).open(path).map_err(failed)?;
            match file.try_lock() {
                // Its holder removed the file after we opened it: another process may hold the one that is there now.
                Ok(()) if !is_at(&file, path) => {}
                Ok(()) => {
                    file.set_len(0).map_err(failed)?;
                    write!(file, "{}", std::process::id()).map_err(failed)?;
                    return Ok(Self { _file: file, path: path.into() });
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let known = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
                    let who = if known { format!("process {holder}") } else { "another process".into() };
                    return Err(Error::new(ErrorKind::Locked, format!("{who} is using this folder"))
                        .at(path)
                        .mend("wait for it to end, or stop it, and run this again"));
                }
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still held. Where the system does not allow it, an empty lock stays, which is no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether this open file is the one at the path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |found: &fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if id(&a) == id(&b))
}

/// Other systems do not remove a file that is open.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_scratch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        write_bytes(&path, b"old").unwrap();
        let error = write_atomic(&path, |out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DiskFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(sorted_dir(folder.path()).unwrap(), [path]);
    }

    #[test]
    fn a_folder_is_there_whole_or_not_at_all() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("photos");
        let fill = |text: &'static str| move |folder: &Path| write_bytes(&folder.join("1"), text.as_bytes());
        let names = || -> Vec<_> {
            let left = sorted_dir(parent.path()).unwrap();
            left.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        let fails = |folder: &Path| fill("half")(folder).and(Err::<(), _>(Error::new(ErrorKind::Archive, "bad")));
        assert_eq!(write_dir(&path, fails).unwrap_err().kind(), ErrorKind::Archive);
        assert!(names().is_empty());

        // What a killed run left is not taken over.
        write_bytes(&parent.path().join(".photos.incomplete/2"), b"left").unwrap();
        write_dir(&path, fill("whole")).unwrap();
        assert_eq!(names(), ["photos"]);
        assert_eq!(sorted_dir(&path).unwrap(), [path.join("1")]);

        write_dir(&path, fails).unwrap_err();
        assert_eq!(read(&path.join("1")).unwrap(), b"whole");
        write_dir(&path, fill("new")).unwrap();
        assert_eq!(read(&path.join("1")).unwrap(), b"new");
        assert_eq!(names(), ["photos"]);
    }

    #[test]
    fn hashes_match_the_published_vectors() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        write_bytes(&path, b"abc").unwrap();
        assert_eq!(sha256_file(&path).unwrap(), expected);
    }

    #[test]
    fn a_lock_keeps_a_second_holder_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path).unwrap();
        assert_eq!(Lock::take(&path).unwrap_err().kind(), ErrorKind::Locked);
        drop(first);
        assert!(sorted_dir(folder.path()).unwrap().is_empty());
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_lock_is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (path, count) = (folder.path().join("lock"), folder.path().join("count"));
        write_bytes(&count, b"0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = loop {
                            match Lock::take(&path) {
                                Ok(lock) => break lock,
                                Err(error) => assert_eq!(error.kind(), ErrorKind::Locked),
                            }
                        };
                        // Read, then write: two at once would lose one.
                        let number: u32 = fs::read_to_string(&count).unwrap().parse().unwrap();
                        fs::write(&count, (number + 1).to_string()).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(&count).unwrap(), "200");
    }
}
