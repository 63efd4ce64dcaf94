//! What happens to real people: a test for each case of docs/RELIABILITY.md, named after its number.

mod archive;
mod archive_refused;
mod checkpoint_resume;
mod checkpoint_saves;
mod dataset;
mod diverged;
mod download;
mod figures;
#[cfg(unix)]
mod file_system;
mod images;
#[cfg(target_os = "linux")]
mod memory;
mod offline;
mod repeatable;
mod run_folder;
mod stops;
mod table;
mod training_limits;
mod weights;

use std::env;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::again;

const CHILD: &str = "PETAL_TEST_CHILD";

/// What an observer answers that has no objection.
const ON: ControlFlow<()> = ControlFlow::Continue(());

/// A process that runs this test alone, and finds the folder by [`as_child`].
fn child(test: &str, folder: &Path) -> Command {
    let mut command = again(test, CHILD, folder);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The folder that a parent process gave to this one.
fn as_child() -> Option<PathBuf> {
    env::var_os(CHILD).map(PathBuf::from)
}

/// Waits until the child says on stderr that it is under way.
fn wait_for_word(child: &mut Child) {
    let mut word = [0];
    child.stderr.as_mut().unwrap().read_exact(&mut word).expect("the child ends without a word");
}

/// Runs the command `petal`.
pub(crate) fn petal(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petal"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Names of all files and folders below a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            if path.is_dir() {
                walk(&path, root, found);
            }
        }
    }
    let mut found = Vec::new();
    if folder.exists() {
        walk(folder, folder, &mut found);
    }
    found.sort();
    found
}
