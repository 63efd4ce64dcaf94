//! A cell is compiled by the call of rustc that was kept for the same state of things.
//!
//! A dependency is as it was when the call was kept: a process that has loaded a library does not take another in its place, either.

use super::state::Folder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The state that a call is to be kept for. Whoever has this in its environment is what cargo calls in rustc's place.
pub(super) const STATE: &str = "PETAL_KERNEL_STATE";
/// The file that evcxr looks into for the library that was made.
const MADE: &str = "EVCXR_EXECUTION_SO_PATH";
/// The crate that evcxr makes of a cell.
const CELL: &str = "ctx";
const KEPT: &str = "calls";

/// How rustc was called for a cell.
#[derive(Serialize, Deserialize)]
struct Call {
    /// The libraries that the cell is linked with, and when they were made.
    libraries: BTreeMap<String, Option<SystemTime>>,
    folder: String,
    /// rustc, and what it was given.
    command: Vec<String>,
    /// What cargo adds to the environment.
    added: BTreeMap<String, String>,
}

/// Compiles the cell at hand by the call that was kept for this state; the exit status.
pub(super) fn repeat(folder: &Folder, state: &str) -> Option<i32> {
    let text = std::fs::read(folder.file(KEPT).join(state)).ok()?;
    let call = serde_json::from_slice::<Call>(&text).ok()?.with(|text| folder.bound(text));
    if call.libraries.iter().any(|(library, made)| made_at(library) != *made) {
        return None;
    }
    let (rustc, arguments) = call.command.split_first()?;
    let status = match Command::new(rustc).args(arguments).current_dir(&call.folder).envs(&call.added).status() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("{rustc} cannot be started: {error}");
            return Some(101);
        }
    };
    if status.success()
        && let Some(file) = std::env::var_os(MADE)
        && let Err(error) = std::fs::write(&file, call.library().as_os_str().as_encoded_bytes())
    {
        eprintln!("{}: {error}", Path::new(&file).display());
        return Some(101);
    }
    status.code().or(Some(101))
}

impl Call {
    /// The same call with other texts.
    fn with(self, change: impl Fn(&str) -> String) -> Call {
        Call {
            libraries: self.libraries.into_iter().map(|(library, made)| (change(&library), made)).collect(),
            folder: change(&self.folder),
            command: self.command.iter().map(|word| change(word)).collect(),
            added: self.added.into_iter().map(|(name, value)| (name, change(&value))).collect(),
        }
    }

    /// The library that the call makes.
    fn library(&self) -> PathBuf {
        let folder = self.command.windows(2).find(|pair| pair[0] == "--out-dir").map_or("", |pair| &pair[1]);
        let name = format!("{}{CELL}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        Path::new(&self.folder).join(folder).join(name)
    }
}

/// Keeps a call of rustc, if it is for a cell. Without it, cargo is asked again.
pub(super) fn keep(state: String, words: &[OsString]) {
    let text = |text: &OsString| text.to_str().map(str::to_owned);
    let Some(command) = words.iter().map(text).collect::<Option<Vec<String>>>() else { return };
    if !command.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1] == CELL) {
        return;
    }
    let Some(folder) = Folder::here() else { return };
    // But for its jobserver, which ends with it.
    let is_cargos = |name: &str| {
        name != "CARGO_MAKEFLAGS"
            && ["CARGO", "LD_LIBRARY_PATH", "DYLD_"].iter().any(|beginning| name.starts_with(beginning))
    };
    let all = std::env::vars_os().filter_map(|(name, value)| Some((text(&name)?, text(&value)?)));
    let added = all.filter(|(name, _)| is_cargos(name)).collect();
    let linked = command.windows(2).filter(|pair| pair[0] == "--extern").filter_map(|pair| pair[1].split_once('='));
    let libraries = linked.map(|(_, library)| (library.to_owned(), made_at(library))).collect();
    let Some(here) = std::env::current_dir().ok().map(PathBuf::into_os_string).as_ref().and_then(text) else { return };
    let call = Call { libraries, folder: here, command, added }.with(|text| folder.freed(text));
    if let Ok(text) = serde_json::to_vec(&call) {
        folder.write(&folder.file(KEPT).join(state), &text);
    }
}

/// A path of cargo's is whole.
fn made_at(library: &str) -> Option<SystemTime> {
    std::fs::metadata(library).ok()?.modified().ok()
}
