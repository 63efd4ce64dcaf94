//! What a subcommand says in the end: text for people, or one JSON object.

use std::io::Write;
use std::process::ExitCode;

use petal::Error;
use serde_json::{Value, json};

/// What a subcommand says in the end.
pub(crate) struct Output {
    text: String,
    json: Value,
    /// A line each for what went wrong without ending the work, on stderr.
    complaints: Vec<String>,
    failed: bool,
}

impl Output {
    /// The work is done.
    pub(crate) fn done(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, complaints: Vec::new(), failed: false }
    }

    /// The work failed.
    pub(crate) fn failed(error: &Error) -> Self {
        let json = json!({
            "error": error.what(),
            "kind": format!("{:?}", error.kind()),
            "file": error.path().map(|path| path.display().to_string()),
            "mend": error.how_to_mend(),
        });
        Self { text: String::new(), json, complaints: vec![format!("petal: {error}")], failed: true }
    }

    /// The rest is done, but these files could not be read: the exit status says so.
    pub(crate) fn but(mut self, errors: &[petal::eval::predict::Unreadable]) -> Self {
        let lines = errors.iter().map(|bad| format!("petal: {}: {}", bad.path.display(), bad.error.what()));
        self.complaints.extend(lines.map(|line| line.replace(char::is_control, " ")));
        self.failed |= !errors.is_empty();
        self
    }

    /// Prints everything and gives the exit status.
    pub(crate) fn print(self, json: bool) -> ExitCode {
        let text = if json { self.json.to_string() } else { self.text };
        let text = if text.is_empty() { text } else { format!("{}\n", text.trim_end()) };
        // A closed pipe (`petal … | head`) is the reader's choice, not an error.
        let _ = std::io::stdout().write_all(text.as_bytes());
        for line in &self.complaints {
            eprintln!("{line}");
        }
        ExitCode::from(u8::from(self.failed))
    }
}
