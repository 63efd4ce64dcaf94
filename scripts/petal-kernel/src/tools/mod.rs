//! The `cargo` and `rustc` of kernels: the real ones, but where what they would say or do is known.
//!
//!     evcxr, rust-analyzer → rust/bin/cargo (scripts/kernel/prepare.py), which is this program
//!         build, check       the call of rustc that was kept for the same state of things; else cargo, whose call is kept (call.rs)
//!         metadata           the answer that was kept for the same state of things; else that of scripts/kernel/metadata.py (answer.rs)
//!         questions          likewise; else cargo's
//!     and rust/bin/rustc     questions: likewise; else the real one
//!
//! To find out that of 400 packages none is to be built again, cargo needs as long as rustc does for a cell; and rust-analyzer asks the same seven
//! questions each time a kernel starts. What is kept lies in the kernel's folder, and the prepared one hands it on to all kernels.
//!
//! `check`, with which evcxr finds what is wrong where it can't tell a type, is `build`: that finds the same, but has everything compiled already, where
//! `check` would first go through all dependencies again, for minutes.

mod answer;
mod call;
mod state;

use state::Folder;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of Rust's tools as kernels find them: `bin/cargo`, `bin/rustc`, the real `cargo` and `rustc`, and `metadata`.
const TOOLS: &str = "PETAL_KERNEL_TOOLS";

fn tools() -> Option<PathBuf> {
    std::env::var_os(TOOLS).map(PathBuf::from)
}

/// Is cargo or rustc, or what cargo calls for a cell; otherwise it returns.
pub(crate) fn hook() {
    let mut words = std::env::args_os();
    let called = words.next().map(PathBuf::from).unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    let name = called.file_name().and_then(OsStr::to_str);
    let command = if let (Some("cargo"), Some(tools)) = (name, tools()) {
        cargo(&tools, words)
    } else if let (Some("rustc"), Some(tools)) = (name, tools()) {
        rustc(&tools, words)
    } else if let Some((state, (rustc, rest))) = std::env::var(call::STATE).ok().zip(words.split_first()) {
        call::keep(state, &words);
        let mut command = Command::new(rustc);
        command.args(rest).env_remove(call::STATE);
        command
    } else {
        return;
    };
    replace(command);
}

/// Becomes another program.
fn replace(mut command: Command) -> ! {
    let error = command.exec();
    eprintln!("{} cannot be started: {error}", command.get_program().display());
    std::process::exit(101);
}

/// The real rustc, where the answer is not known.
fn rustc(tools: &Path, words: Vec<OsString>) -> Command {
    let mut command = Command::new(tools.join("rustc"));
    command.args(&words);
    let is_question = |word: &str| matches!(word, "-vV" | "-Vv" | "-V" | "--version") || word.starts_with("--print");
    let mut asked = words.iter().filter_map(|word| word.to_str());
    let compiles = asked.clone().any(|word| word.ends_with(".rs"));
    if !compiles
        && asked.any(is_question)
        && let Some(folder) = Folder::here()
    {
        std::process::exit(answer::tell(&folder, &mut command, &folder.state(&words)));
    }
    command
}

/// The command to go on with, where the answer is not known.
fn cargo(tools: &Path, words: Vec<OsString>) -> Command {
    let mut command = Command::new(tools.join("cargo"));
    let Some(folder) = Folder::here() else {
        command.args(words);
        return command;
    };
    folder.lock();
    let asked: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    match asked.iter().find(|word| matches!(**word, "build" | "check" | "metadata") || answer::QUESTIONS.contains(word))
    {
        Some(&"metadata") => {
            command = Command::new(tools.join("metadata"));
            command.arg(tools.join("cargo")).args(&words);
            if let Some(state) = folder.state_of_packages(&words) {
                std::process::exit(answer::tell(&folder, &mut command, &state));
            }
        }
        Some(&("build" | "check")) => {
            let words: Vec<OsString> =
                words.into_iter().map(|word| if word == "check" { "build".into() } else { word }).collect();
            let state = folder.state(&words);
            if let Some(status) = call::repeat(&folder, &state) {
                std::process::exit(status);
            }
            folder.complete();
            // Of the packages that cargo compiles, the cell is the only one of its workspace.
            let program = std::env::current_exe().unwrap_or_default();
            command.args(words).env(call::STATE, state).env("RUSTC_WORKSPACE_WRAPPER", program);
        }
        Some(_) => std::process::exit(answer::tell(&folder, command.args(&words), &folder.state(&words))),
        None => {
            folder.complete();
            command.args(words);
        }
    }
    command
}
