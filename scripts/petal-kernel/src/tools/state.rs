//! The folder that a kernel compiles its cells in (scripts/kernel/workspace.py), and the state of what cargo looks at there.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// For the folder's path in what is handed on to other kernels.
const HERE: &str = "<the kernel's folder>";

/// Variables that cargo goes by begin with one of these.
const HEEDED: [&str; 7] = ["CARGO", "RUSTC", "RUSTFLAGS", "RUSTUP", "LD_", "DYLD_", "EVCXR_FORCE"];

/// How the notebooks' petal stands in a cell's manifest, up to its path (DEPENDENCY in scripts/kernel/workspace.py).
const PETAL: &str = r#"petal = { package = "petal_notebook", path = ""#;

/// This one is rust-analyzer's, and another each time: a file for what it does not read.
const UNHEEDED: &str = "CARGO_RESOLVER_LOCKFILE_PATH";

/// Such a folder.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The one that this process was started in, or else the kernel's.
    pub(super) fn here() -> Option<Folder> {
        let here = std::env::current_dir().ok();
        let kernels = std::env::var_os("EVCXR_TMPDIR").map(PathBuf::from);
        let mut folders = here.iter().chain(&kernels).flat_map(|folder| folder.ancestors().take(2));
        let folder = folders.find(|folder| folder.join("repository.lock").is_file())?;
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

    /// A hash of all that an answer of cargo's or rustc's hangs on: what it was asked, the compiler, the variables it goes by, and its files.
    pub(super) fn state(&self, words: &[OsString]) -> String {
        self.state_with(words, Vec::new())
    }

    /// The same for what cargo says of packages: their own manifests are looked at, too. None where the cell depends on more than the notebooks'
    /// petal: what cargo chooses of others hangs on more.
    pub(super) fn state_of_packages(&self, words: &[OsString]) -> Option<String> {
        let cell = std::fs::read_to_string(self.file("cell/Cargo.toml")).ok()?;
        let mut manifests = Vec::new();
        for line in cell.split_once("[dependencies]")?.1.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let path = line.strip_prefix(PETAL)?.strip_suffix("\" }")?;
            let package = Path::new(path).canonicalize().ok()?;
            let files = |folder: &Path| ["Cargo.toml", "Cargo.lock"].map(|name| folder.join(name));
            manifests.extend(package.ancestors().flat_map(files).filter(|file| file.is_file()));
        }
        Some(self.state_with(words, manifests))
    }

    fn state_with(&self, words: &[OsString], more: Vec<PathBuf>) -> String {
        let mut digest = Sha256::new();
        let mut note = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        words.iter().for_each(|word| note(self.freed(&word.to_string_lossy()).as_bytes()));
        note(compiler().unwrap_or_default().as_bytes());
        let mut heeded: Vec<(String, String)> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), self.freed(&value.to_string_lossy())))
            .filter(|(name, _)| name != UNHEEDED && HEEDED.iter().any(|heeded| name.starts_with(heeded)))
            .collect();
        heeded.sort();
        for (name, value) in heeded {
            note(name.as_bytes());
            note(value.as_bytes());
        }
        let own =
            ["cell/Cargo.toml", "cell/.cargo/config.toml", "Cargo.toml", "repository.lock"].map(|file| self.file(file));
        for file in own.into_iter().chain(settings()).chain(more) {
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

/// What tells one compiler from another that was put in its place.
fn compiler() -> Option<String> {
    let file = std::fs::metadata(super::tools()?.join("rustc")).ok()?;
    Some(format!("{} {} {:?}", file.ino(), file.len(), file.modified().ok()?))
}

/// A person's own settings of cargo.
fn settings() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    Some(home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?.join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_says_of_petal_hangs_on_its_manifests_and_of_other_packages_is_never_kept() {
        let scratch = std::env::temp_dir().join(format!("petal-state-{}", std::process::id()));
        let (own, petal) = (scratch.join("kernel"), scratch.join("petal"));
        let put = |file: PathBuf, text: &str| {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        let cell = |dependencies: &str| {
            put(own.join("cell/Cargo.toml"), &format!("[package]\nname = \"ctx\"\n\n[dependencies]\n{dependencies}\n"));
            Folder(own.clone()).state_of_packages(&["metadata".into()])
        };
        let dependency = format!("{PETAL}{}\" }}", petal.join("notebook").display());
        assert_eq!(cell(&dependency), None, "it is not there");
        put(petal.join("notebook/Cargo.toml"), "[package]");
        put(petal.join("Cargo.toml"), "[workspace]");
        let first = cell(&dependency);
        assert!(first.is_some());
        assert_eq!(cell(&format!("    {dependency}\n")).map(|state| state.len()), first.as_ref().map(String::len));
        assert_eq!(cell(&dependency), first);
        // In another kernel's folder it is the same; another question or lock file is another.
        let there = scratch.join("another kernel");
        put(there.join("cell/Cargo.toml"), &std::fs::read_to_string(own.join("cell/Cargo.toml")).unwrap());
        assert_eq!(Folder(there.clone()).state_of_packages(&["metadata".into()]), first);
        assert_ne!(Folder(there.clone()).state_of_packages(&["tree".into()]), first);
        put(there.join("repository.lock"), "newer");
        assert_ne!(Folder(there).state_of_packages(&["metadata".into()]), first);
        put(petal.join("Cargo.lock"), "version = 4");
        assert_ne!(cell(&dependency), first);
        assert_eq!(cell(&format!("{dependency}\nitoa = \"1\"")), None);
        std::fs::remove_dir_all(scratch).unwrap();
    }
}
