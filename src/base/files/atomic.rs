//! Files and folders that are there whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::lock::is_at;
use super::{Lock, create_dir};
use crate::base::error::{Error, Result};

/// Writes a file so that it either is there whole or is not touched: into a sibling file, flushed to the disk, then
/// renamed over the target, then the folder flushed. A reader, or a power cut, never sees half of it.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) or [`ErrorKind::DiskFull`](crate::ErrorKind::DiskFull); what stood at `path` before is still there.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    replace(
        path,
        |file| {
            let mut writer = BufWriter::with_capacity(1 << 20, file);
            fill(&mut writer)?;
            writer.flush()
        },
        true,
    )
}

/// [`write_atomic`] for bytes that are already in memory.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |file| file.write_all(bytes), true)
}

/// [`write_bytes`], read back and compared before what stood at `path` goes.
pub fn write_verified(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(
        path,
        |file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            file.rewind()?;
            let mut buffer = vec![0; 1 << 20];
            for expected in bytes.chunks(buffer.len()) {
                let got = &mut buffer[..expected.len()];
                file.read_exact(got)?;
                if got != expected {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "what was read back is not what was written",
                    ));
                }
            }
            Ok(())
        },
        true,
    )
}

/// [`write_bytes`] without waiting for the disk: a reader never sees half of it, but a power cut may undo it. For what only
/// tells others how things stand.
pub fn publish(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |file| file.write_all(bytes), false)
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>, durable: bool) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    create_dir(folder)?;
    let attempt = || -> io::Result<()> {
        let mut scratch = Scratch::create(path)?;
        write(&mut scratch.file)?;
        if durable {
            scratch.file.sync_all()?;
        }
        scratch.put(path)?;
        // A rename is durable once its folder is; Windows cannot open folders and does it by itself.
        #[cfg(unix)]
        if durable {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    attempt().map_err(|cause| Error::io("write", path, &cause))
}

/// The file that is written in a target's place. It bears the target's name, so that the next writer finds and removes what a
/// killed process left; a living one holds its lock.
struct Scratch {
    file: File,
    path: PathBuf,
    is_placed: bool,
}

impl Scratch {
    fn create(target: &Path) -> io::Result<Self> {
        let mut name = OsString::from(".");
        name.push(target.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        name.push(".tmp");
        let path = target.with_file_name(name);
        loop {
            // Anew, so that it is ours, and a link that somebody put there leads nowhere.
            match File::options().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => {
                    lock_where_possible(&file);
                    if is_at(&file, &path) {
                        return Ok(Self { file, path, is_placed: false });
                    }
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => remove_abandoned(&path)?,
                Err(cause) => return Err(cause),
            }
        }
    }

    fn put(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_placed {
            // While its lock is still held. Whatever went wrong is told already.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a scratch file as soon as nobody holds it.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let gone = match File::open(path) {
        _ if is_link => fs::remove_file(path),
        Ok(file) => {
            lock_where_possible(&file);
            if is_at(&file, path) { fs::remove_file(path) } else { Ok(()) }
        }
        Err(cause) => Err(cause),
    };
    match gone {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// Waits for a lock. Some network drives have none; then two writers of one file may disturb each other, and one gets an error.
fn lock_where_possible(file: &File) {
    let _ = file.lock();
}

/// Writes a copy of a file in one step: it is there whole or not at all.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(|cause| Error::io("read", from, &cause))?;
    write_atomic(to, |out| io::copy(&mut source, out).map(|_| ()))
}

/// Makes a folder that either is there whole or not at all: filled under another name beside it, then renamed. What stood
/// at `path` before stays until then. What a killed run left beside it is removed first.
///
/// # Errors
/// What `fill` gives, and then nothing is left of it; [`ErrorKind::Locked`](crate::ErrorKind::Locked) while another process makes the same folder.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::ErrorKind;
    use crate::base::files::{read, sorted_dir};

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
    fn what_a_killed_writer_left_goes_and_a_living_one_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (path, scratch) = (folder.path().join("model"), folder.path().join(".model.tmp"));
        fs::write(&scratch, "left").unwrap();
        write_bytes(&path, b"new").unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), scratch.exists()), (&b"new"[..], false));
        #[cfg(unix)]
        {
            let elsewhere = folder.path().join("elsewhere");
            std::os::unix::fs::symlink(&elsewhere, &scratch).unwrap();
            write_verified(&path, b"newer").unwrap();
            assert!(!elsewhere.exists() && !scratch.exists());
        }
        std::thread::scope(|scope| {
            for byte in 0..8u8 {
                let path = &path;
                scope.spawn(move || (0..25).for_each(|_| write_bytes(path, &[byte; 3000]).unwrap()));
            }
        });
        let last = fs::read(&path).unwrap();
        assert!(last.len() == 3000 && last.iter().all(|byte| *byte == last[0]));
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
}
