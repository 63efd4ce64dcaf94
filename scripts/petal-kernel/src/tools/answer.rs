//! What cargo says of itself, of rustc and of packages: the same each time.

use super::state::Folder;
use serde_json::{Value, json};
use std::io::Write;
use std::process::Command;

/// Words by which such questions are known.
pub(super) const QUESTIONS: [&str; 4] = ["locate-project", "config", "--version", "--print"];

/// Tells the answer that was kept for this state, or cargo's, which is kept then; the exit status.
pub(super) fn tell(folder: &Folder, question: &mut Command, state: &str) -> i32 {
    let file = folder.file("answers").join(state);
    let kept = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let Some(answer) = kept.or_else(|| ask(folder, question)) else { return 101 };
    // What went wrong may go well the next time.
    if answer["status"] == 0 && !file.exists() {
        folder.write(&file, answer.to_string().as_bytes());
    }
    let text = |name: &str| folder.bound(answer[name].as_str().unwrap_or_default());
    let _ = std::io::stdout().write_all(text("stdout").as_bytes());
    let _ = std::io::stderr().write_all(text("stderr").as_bytes());
    answer["status"].as_i64().and_then(|status| i32::try_from(status).ok()).unwrap_or(101)
}

/// Asks cargo; none if there is none, or it was ended.
fn ask(folder: &Folder, question: &mut Command) -> Option<Value> {
    let output = question.output().inspect_err(|error| eprintln!("cargo cannot be started: {error}")).ok()?;
    let text = |bytes: Vec<u8>| folder.freed(&String::from_utf8_lossy(&bytes));
    Some(json!({ "status": output.status.code()?, "stdout": text(output.stdout), "stderr": text(output.stderr) }))
}
