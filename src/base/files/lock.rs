//! Locks that other processes respect.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::create_dir;
use crate::base::error::{Error, ErrorKind, Result};

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
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |found: &fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if id(&a) == id(&b))
}

/// Other systems do not remove a file that is open.
#[cfg(not(unix))]
pub(super) fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::{sorted_dir, write_bytes};

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
