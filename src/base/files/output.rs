//! What a person asked to have written, at a path of theirs.
//!
//! It goes where the path leads: through a link to the link's end, into a pipe or a device. And it takes the place of nothing but an earlier
//! output of its kind: a path that leads to a photo, a table of labels or a model is a slip, whichever way it leads there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::atomic::write_bytes;
use crate::base::error::{Error, ErrorKind, Result};

/// What an output is, so that an earlier one can be told from other files.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// In words: `predictions`.
    pub name: &'static str,
    /// Whether a file that begins with these bytes is one.
    pub is: fn(&[u8]) -> bool,
}

/// How much of a file's beginning tells its kind.
const BEGINNING: u64 = 1 << 16;

/// Writes an output. A plain file is replaced in one step, as by [`write_bytes`]; what is none (a pipe, a device) is written to; a link stays.
/// `-` and the names of the standard output mean the standard output.
///
/// # Errors
/// [`ErrorKind::Io`] where it cannot be written; [`ErrorKind::Config`] where another file is in its place, which stays.
pub fn write(path: &Path, kind: Kind, bytes: &[u8]) -> Result<()> {
    let failed = |cause: io::Error| Error::io("write", path, &cause);
    match Target::of(path)? {
        Target::Standard => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()).map_err(failed),
        Target::Stream => {
            // To its end: what somebody wrote there before stays.
            let mut file = File::options().append(true).open(path).map_err(failed)?;
            file.write_all(bytes).and_then(|()| file.flush()).map_err(failed)
        }
        Target::File(target) => {
            check(path, &target, kind)?;
            write_bytes(&target, bytes)
        }
    }
}

/// Fails where [`write()`] would, for a reason that can be known before there is anything to write.
///
/// # Errors
/// See [`write()`].
pub fn check_free(path: &Path, kind: Kind) -> Result<()> {
    match Target::of(path)? {
        Target::File(target) => check(path, &target, kind),
        _ => Ok(()),
    }
}

/// Whether a path means the standard output.
pub fn is_standard(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

fn check(path: &Path, target: &Path, kind: Kind) -> Result<()> {
    let mut beginning = Vec::new();
    match File::open(target) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(Error::io("read", path, &cause)),
        Ok(file) => {
            file.take(BEGINNING).read_to_end(&mut beginning).map_err(|cause| Error::io("read", path, &cause))?;
        }
    }
    // An empty file holds nothing that could be lost.
    if beginning.is_empty() || (kind.is)(&beginning) {
        return Ok(());
    }
    let what =
        format!("this file is there already, and is not {} that petal has written: it is not overwritten", kind.name);
    Err(Error::new(ErrorKind::Config, what).at(path).mend("name another file; or move this one away, if it may go"))
}

/// Where a path leads.
enum Target {
    /// To the standard output.
    Standard,
    /// To something that takes bytes and has no content of its own: a pipe, a device, an open file of this process.
    Stream,
    /// To a plain file, which may not be there yet: links are followed.
    File(PathBuf),
}

impl Target {
    fn of(path: &Path) -> Result<Self> {
        if is_standard(path) {
            return Ok(Self::Standard);
        }
        if path.is_dir() {
            return Err(Error::new(ErrorKind::Config, "this is a folder; expected a file to write")
                .at(path)
                .mend("name a file in it"));
        }
        Self::of_file(path).map_err(|cause| Error::io("write", path, &cause).mend("name another file"))
    }

    fn of_file(path: &Path) -> io::Result<Self> {
        let is_open_file =
            ["/dev/fd", "/proc", "/dev/std"].iter().any(|start| path.to_string_lossy().starts_with(start));
        match fs::metadata(path) {
            Ok(found) if is_open_file || !found.is_file() => Ok(Self::Stream),
            Ok(_) => path.canonicalize().map(Self::File),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => end_of(path).map(Self::File),
            Err(cause) => Err(cause),
        }
    }
}

/// Where a link to nothing leads; the path itself where it is none.
fn end_of(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    // A circle of links ends here, as it does in the system.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("these links lead round in a circle"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { name: "predictions", is: |bytes| bytes.starts_with(b"path,") };

    #[test]
    fn only_an_earlier_output_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("new.csv"), KIND, b"path,1").unwrap();
        write(&at("new.csv"), KIND, b"path,2").unwrap();
        assert_eq!(fs::read(at("new.csv")).unwrap(), b"path,2");
        fs::write(at("empty"), b"").unwrap();
        write(&at("empty"), KIND, b"path,1").unwrap();
        fs::write(at("photo.jpg"), [0xff, 0xd8, 0xff]).unwrap();
        fs::hard_link(at("photo.jpg"), at("hard.csv")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        for name in ["photo.jpg", "hard.csv", "folder"] {
            check_free(&at(name), KIND).unwrap_err();
            let error = write(&at(name), KIND, b"path,1").unwrap_err();
            assert_eq!(error.path(), Some(at(name).as_path()), "{error}");
        }
        assert_eq!(fs::read(at("photo.jpg")).unwrap(), [0xff, 0xd8, 0xff]);
        let error = write(&at("photo.jpg"), KIND, b"").unwrap_err();
        assert!(error.what().contains("is not predictions") && error.how_to_mend().is_some(), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_pipes_and_devices_stay_what_they_are() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("below")).unwrap();
        symlink("below/real.csv", at("link.csv")).unwrap();
        for bytes in [b"path,1", b"path,2"] {
            write(&at("link.csv"), KIND, bytes).unwrap();
            assert_eq!(fs::read(at("below/real.csv")).unwrap(), bytes);
        }
        assert!(at("link.csv").symlink_metadata().unwrap().is_symlink());
        fs::write(at("photo.jpg"), [0xff, 0xd8, 0xff]).unwrap();
        symlink("photo.jpg", at("slip.csv")).unwrap();
        write(&at("slip.csv"), KIND, b"path,1").unwrap_err();
        assert_eq!(fs::read(at("photo.jpg")).unwrap(), [0xff, 0xd8, 0xff]);
        symlink("round", at("round")).unwrap();
        write(&at("round"), KIND, b"path,1").unwrap_err();

        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let (pipe, bytes) = (at("pipe"), b"path,1");
        let reader = std::thread::spawn(move || fs::read(pipe).unwrap());
        write(&at("pipe"), KIND, bytes).unwrap();
        assert_eq!(reader.join().unwrap(), bytes);
        assert!(at("pipe").metadata().unwrap().file_type().is_fifo());
        write(Path::new("/dev/null"), KIND, bytes).unwrap();
        assert!(Path::new("/dev/null").metadata().unwrap().file_type().is_char_device());
    }
}
