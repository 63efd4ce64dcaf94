//! The folder of the kernel's sockets and of the file that asks for a stop.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder that goes when the kernel ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes one for this process, and removes those of kernels that were killed. Its path is short: a socket's may have 100 bytes.
    pub(crate) fn create() -> io::Result<Folder> {
        let parent = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|path| path.is_dir() && path.as_os_str().len() < 60);
        let parent = parent.unwrap_or_else(|| {
            if std::env::temp_dir().as_os_str().len() < 60 { std::env::temp_dir() } else { PathBuf::from("/tmp") }
        });
        remove_stale(&parent);
        let folder = parent.join(format!("petal-kernel-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Folder(folder))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the shim connects to.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("output")
    }

    /// Where the cells' process connects to for comm messages.
    pub(crate) fn inbox(&self) -> PathBuf {
        self.0.join("inbox")
    }

    /// The file that exists while a stop is asked for.
    pub(crate) fn stop(&self) -> PathBuf {
        self.0.join("stop")
    }

    /// Removes it.
    pub(crate) fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn remove_stale(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process =
            name.to_str().and_then(|name| name.strip_prefix("petal-kernel-")).and_then(|id| id.parse::<i32>().ok());
        if process.is_some_and(is_gone) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether there is no process of this number.
fn is_gone(id: i32) -> bool {
    if id <= 0 {
        return false;
    }
    // SAFETY: takes no pointers; the signal 0 only asks whether there is such a process.
    let found = unsafe { libc::kill(id, 0) } == 0;
    !found && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}
