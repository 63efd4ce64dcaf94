//! The folder that a kernel compiles its cells in (scripts/kernel/workspace.py), and the state of what cargo looks at there.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// For the folder's path in what is handed on to other kernels.
const HERE: &str = "<the kernel's folder>";

/// Variables that cargo goes by begin with one of these.
const HEEDED: [&str; 5] = ["CARGO", "RUST", "LD_", "DYLD_", "EVCXR_FORCE"];

/// Such a folder.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The one that this process was started in.
    pub(super) fn here() -> Option<Folder> {
        let here = std::env::current_dir().ok()?;
        let folder = here.ancestors().take(2).find(|folder| folder.join("repository.lock").is_file())?;
        Some(Folder(folder.to_owned()))
    }

    /// A file in it.
    pub(super) fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// Text for kernels everywhere: without the folder's path.
    pub(super) fn freed(&self, text: &str) -> String {
        text.replace(&*self.0.to_string_lossy(), HERE)
    }

    /// Such text for this folder.
    pub(super) fn bound(&self, text: &str) -> String {
        text.replace(HERE, &self.0.to_string_lossy())
    }

    /// Puts the repository's locked versions in place before petal is needed: for a cell without dependencies, cargo strikes them.
    pub(super) fn lock(&self) {
        let text = |file: &str| std::fs::read_to_string(self.file(file)).unwrap_or_default();
        if text("cell/Cargo.toml").contains("petal") && !text("Cargo.lock").contains("\"petal\"") {
            let _ = std::fs::copy(self.file("repository.lock"), self.file("Cargo.lock"));
        }
    }

    /// A hash of all that cargo's answer hangs on: what it was asked, the variables it goes by, and its files.
    pub(super) fn state(&self, words: &[OsString]) -> String {
        let mut digest = Sha256::new();
        let mut note = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        words.iter().for_each(|word| note(self.freed(&word.to_string_lossy()).as_bytes()));
        let mut heeded: Vec<(String, String)> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), self.freed(&value.to_string_lossy())))
            .filter(|(name, _)| HEEDED.iter().any(|heeded| name.starts_with(heeded)))
            .collect();
        heeded.sort();
        for (name, value) in heeded {
            note(name.as_bytes());
            note(value.as_bytes());
        }
        let own =
            ["cell/Cargo.toml", "cell/.cargo/config.toml", "Cargo.toml", "repository.lock"].map(|file| self.file(file));
        for file in own.into_iter().chain(settings()) {
            note(self.freed(&std::fs::read_to_string(file).unwrap_or_default()).as_bytes());
        }
        digest.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Has what only cargo needs copied from the prepared folder (scripts/kernel/launch.py), if it was not yet.
    pub(super) fn complete(&self) {
        let file = self.file("rest");
        let Ok(text) = std::fs::read(&file) else { return };
        let words: Vec<String> = serde_json::from_slice(&text)
            .ok()
            .and_then(|value: Value| value.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        let Some((program, rest)) = words.split_first() else { return };
        // Without it, cargo compiles anew what it does not find.
        if Command::new(program).args(rest).status().is_ok_and(|status| status.success()) {
            let _ = std::fs::remove_file(file);
        }
    }

    /// Writes a file as a whole, or not at all: a disk that is full does no harm.
    pub(super) fn write(&self, path: &Path, text: &[u8]) {
        let part = path.with_extension(std::process::id().to_string());
        let folder = path.parent().unwrap_or(&self.0);
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&part, text));
        if written.and_then(|()| std::fs::rename(&part, path)).is_err() {
            let _ = std::fs::remove_file(part);
        }
    }
}

/// A person's own settings of cargo.
fn settings() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    Some(home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?.join("config.toml"))
}
