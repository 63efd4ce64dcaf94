//! What a subcommand says in the end: text for people, or one JSON object.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use petal::Error;
use petal::eval::predict::Unreadable;
use serde_json::{Value, json};

use crate::interrupt::STOPPED;
/// A path for JSON, whatever its bytes are.
pub(crate) fn lossy(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

/// A path in a line of text: it cannot break the line, nor speak to the terminal.
pub(crate) fn shown(path: impl AsRef<Path>) -> String {
    lossy(path).replace(char::is_control, " ")
}

/// What is said of files and folders that were not looked into.
pub(crate) fn hidden(paths: &[std::path::PathBuf]) -> String {
    match paths {
        [] => String::new(),
        [first, ..] => {
            format!("not looked into, because hidden: {} files and folders, {} the first\n", paths.len(), shown(first))
        }
    }
}

/// A list of what could not be read.
pub(crate) fn unreadable(files: &[Unreadable]) -> Vec<Value> {
    files.iter().map(|bad| json!({ "path": lossy(&bad.path), "error": bad.error.what() })).collect()
}

/// What a subcommand says in the end.
pub(crate) struct Output {
    text: String,
    json: Value,
    /// A line each for what went wrong without ending the work, on stderr.
    complaints: Vec<String>,
    status: u8,
}

impl Output {
    /// The work is done.
    pub(crate) fn done(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, complaints: Vec::new(), status: 0 }
    }

    /// The work was stopped before its end; the same command goes on.
    pub(crate) fn stopped(text: impl Into<String>, json: Value) -> Self {
        Self { status: STOPPED, ..Self::done(text, json) }
    }

    /// The work failed.
    pub(crate) fn failed(error: &Error) -> Self {
        let json = json!({
            "error": error.what(),
            "kind": format!("{:?}", error.kind()),
            "file": error.path().map(|path| path.display().to_string()),
            "mend": error.how_to_mend(),
        });
        Self { text: String::new(), json, complaints: vec![format!("petal: {error}")], status: 1 }
    }

    /// The same, with its text on stderr: something else was written to the standard output.
    pub(crate) fn aside(mut self, is_taken: bool) -> Self {
        if is_taken {
            self.complaints.insert(0, std::mem::take(&mut self.text).trim_end().to_string());
            self.json = Value::Null;
        }
        self
    }

    /// The rest is done, but these files could not be read: the exit status says so.
    pub(crate) fn but(mut self, errors: &[Unreadable]) -> Self {
        let lines = errors.iter().map(|bad| format!("petal: {}: {}", shown(&bad.path), bad.error.what()));
        self.complaints.extend(lines.map(|line| line.replace(char::is_control, " ")));
        self.status = self.status.max(u8::from(!errors.is_empty()));
        self
    }

    /// Prints everything and gives the exit status.
    pub(crate) fn print(self, json: bool) -> ExitCode {
        let text = if json && !self.json.is_null() { self.json.to_string() } else { self.text };
        let text = if text.is_empty() { text } else { format!("{}\n", text.trim_end()) };
        // A closed pipe (`petal … | head`) is the reader's choice, not an error.
        let _ = std::io::stdout().write_all(text.as_bytes());
        for line in &self.complaints {
            eprintln!("{line}");
        }
        ExitCode::from(self.status)
    }
}
