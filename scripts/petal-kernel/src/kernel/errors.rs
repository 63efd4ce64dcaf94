//! What went wrong, in words: what it is, where it is, and how to mend it.

use super::record::Failure;
use crate::code::{line_in, lines_with_question_marks};
use ariadne::sources;
use evcxr::{CompilationError, Theme};

const RED: &str = "\x1b[1;31m";
const BLUE: &str = "\x1b[34m";
const PLAIN: &str = "\x1b[0m";
/// What the system, and so the compiler, says of a full disk.
const FULL: &str = "No space left on device";

/// An error as Jupyter shows it.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) traceback: Vec<String>,
}

impl Fault {
    fn new(name: &str, value: &str, more: Vec<String>) -> Fault {
        let mut traceback = vec![format!("{RED}{name}{PLAIN}: {value}")];
        traceback.extend(more);
        Fault { name: name.to_owned(), value: value.to_owned(), traceback }
    }

    /// evcxr did not start.
    pub(super) fn of_start(error: &str) -> Fault {
        Fault::new(
            "StartError",
            &format!("evcxr could not be started: {}", error.trim()),
            vec!["Restart the kernel when that is mended; no cell can run before.".to_owned()],
        )
    }

    /// evcxr panicked.
    pub(super) fn of_kernel() -> Fault {
        Fault::new(
            "KernelError",
            "evcxr has panicked over this cell; the server's log says more",
            vec!["Variables may be lost. Change the cell, or restart the kernel.".to_owned()],
        )
    }

    /// evcxr says something else.
    pub(super) fn of_evcxr(error: &str) -> Fault {
        if error.contains(FULL) { Fault::of_full_disk() } else { Fault::new("Error", error.trim(), Vec::new()) }
    }

    /// There is no room for what the compiler makes.
    fn of_full_disk() -> Fault {
        let value = "the disk is full, so the cell could not be compiled; nothing of it has run, and all variables are as they were";
        let mend = "Make some room where Rust's kernels compile (PETAL_CACHE, or ~/.cache/petal) and for temporary files, and run the cell again.";
        Fault::new("DiskFull", value, vec![mend.to_owned()])
    }

    /// The person has stopped the cell, and it did not end by itself.
    pub(super) fn of_stop(variables: &[String]) -> Fault {
        let mut more = lost(variables);
        more.push(
            "petal's own long calls end by themselves, and lose nothing: they look for a stop after each step."
                .to_owned(),
        );
        Fault::new("Interrupted", "the cell did not end when it was asked to, so its process was ended", more)
    }

    /// The person has stopped the cell before it ran.
    pub(super) fn of_stop_while_compiling() -> Fault {
        Fault::new(
            "Interrupted",
            "stopped while it was compiled; nothing of it has run, and all variables are as they were",
            Vec::new(),
        )
    }

    /// The process has ended.
    pub(super) fn of_end(how: &str, last_words: &str, variables: &[String]) -> Fault {
        let said: Vec<&str> = last_words.trim().lines().collect();
        let mut more: Vec<String> =
            said[said.len().saturating_sub(12)..].iter().map(|line| format!("  {line}")).collect();
        more.extend(lost(variables));
        Fault::new("ProcessEnded", &format!("the process that runs the cells has ended: {how}"), more)
    }

    /// The compiler refuses the cell.
    pub(super) fn of_compiling(errors: &[CompilationError], code: &str, number: u64) -> Fault {
        if errors.iter().any(|error| error.message().contains(FULL)) {
            return Fault::of_full_disk();
        }
        let file = format!("cell {number}");
        let mut traceback = Vec::new();
        for error in errors {
            traceback.extend(reported(error, code, &file));
            for help in error.help() {
                traceback.push(format!("{BLUE}help{PLAIN}: {}", help.replace("\n\n", " ")));
            }
            traceback.extend(error.evcxr_extra_hint().map(|hint| format!("{BLUE}help{PLAIN}: {hint}")));
        }
        let first = errors.first();
        let message = first.map(CompilationError::message).unwrap_or_default();
        let code = first.and_then(CompilationError::code).unwrap_or("CompileError");
        let line = first
            .and_then(|error| error.primary_spanned_message()?.span)
            .map(|span| format!(" ({file}, line {})", span.start_line));
        Fault { name: code.to_owned(), value: format!("{message}{}", line.unwrap_or_default()), traceback }
    }

    /// The cell has failed. Also what of the text on the standard error was there before.
    pub(super) fn of_failure(
        failure: Failure,
        text: &str,
        last_words: &str,
        code: &str,
        compiled: &str,
        number: u64,
    ) -> (Fault, String) {
        let kept = "Variables that this cell defines are not kept; those from before are.";
        let more = |places: Vec<String>| -> Vec<String> {
            places.into_iter().chain(code.contains("let ").then(|| kept.to_owned())).collect()
        };
        match failure {
            Failure::Panic => {
                let text = if text.contains("panicked at ") { text } else { last_words };
                let (before, place, message) = panicked(text);
                let place = place.map(|place| located(&place, code, compiled, number));
                (Fault::new("Panic", &message, more(place.into_iter().collect())), before)
            }
            Failure::QuestionMark => {
                let text = if text.trim().is_empty() { last_words } else { text };
                let lines = lines_with_question_marks(code);
                let place = |line: &usize| {
                    format!(
                        "  {BLUE}cell {number}, line {line}{PLAIN}: {}",
                        code.lines().nth(line - 1).unwrap_or_default().trim()
                    )
                };
                let mut places: Vec<String> = lines.iter().map(place).collect();
                if places.len() > 1 {
                    places.insert(0, "  one of these:".to_owned());
                }
                (Fault::new("Error", text.trim(), more(places)), String::new())
            }
        }
    }
}

/// What is gone with the process, and what is not.
fn lost(variables: &[String]) -> Vec<String> {
    let what = match variables {
        [] => "There were no variables to lose.".to_owned(),
        names => format!("Lost variables: {}. Run the cells that make them again.", names.join(", ")),
    };
    vec![what, "Functions, types, `use`s and `:dep`s are still there; a new process has been started.".to_owned()]
}

/// The compiler's words, drawn beside the code.
fn reported(error: &CompilationError, code: &str, file: &str) -> Vec<String> {
    let report = if error.is_from_user_code() {
        error.build_report(file.to_owned(), code.to_owned(), Theme::Light)
    } else {
        None
    };
    let mut drawn = Vec::new();
    if let Some(report) = report
        && report.write(sources([(file.to_owned(), code.to_owned())]), &mut drawn).is_ok()
    {
        return String::from_utf8_lossy(&drawn).lines().map(str::to_owned).collect();
    }
    let number = error.code().map(|code| format!("[{code}]")).unwrap_or_default();
    let mut lines = vec![format!("{RED}error{number}{PLAIN}: {}", error.message())];
    for message in error.spanned_messages() {
        if let Some(span) = &message.span {
            lines.push(format!("  {BLUE}{file}, line {}{PLAIN}", span.start_line));
            lines.extend(message.lines.iter().map(|line| format!("    {line}")));
            let width = span.end_column.saturating_sub(span.start_column).max(1);
            lines.push(format!(
                "    {}{RED}{} {}{PLAIN}",
                " ".repeat(span.start_column.saturating_sub(1)),
                "^".repeat(width),
                message.label
            ));
        } else if !message.label.is_empty() {
            lines.push(format!("  {}", message.label));
        }
    }
    lines
}

/// What a panic says: the text before it, its place (`file:line:column`), and its message.
fn panicked(text: &str) -> (String, Option<String>, String) {
    let Some(at) = text.rfind("panicked at ") else { return (String::new(), None, text.trim().to_owned()) };
    let head = text[..at].rfind("thread ").unwrap_or(at);
    let before = text[..head].strip_suffix('\n').unwrap_or(&text[..head]);
    let rest = &text[at + "panicked at ".len()..];
    let (place, message) = rest.split_once(":\n").unwrap_or((rest, ""));
    let message = message.split("\nnote: run with `RUST_BACKTRACE").next().unwrap_or(message);
    (before.to_owned(), Some(place.trim().to_owned()), message.trim().to_owned())
}

/// The place of a panic, in the cell where it is one of the cell's lines.
fn located(place: &str, code: &str, compiled: &str, number: u64) -> String {
    let mut parts = place.rsplitn(3, ':');
    let (_, line, file) =
        (parts.next(), parts.next().and_then(|line| line.parse::<usize>().ok()), parts.next().unwrap_or(place));
    let Some(line) = line.filter(|_| file.ends_with("src/lib.rs") && !file.starts_with('/')) else {
        return format!("  {BLUE}{place}{PLAIN}");
    };
    let source = compiled.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim();
    match line_in(code, compiled, line) {
        Some(line) => format!(
            "  {BLUE}cell {number}, line {line}{PLAIN}: {}",
            code.lines().nth(line - 1).unwrap_or_default().trim()
        ),
        None => format!("  {BLUE}from an earlier cell{PLAIN}: {source}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_line_in_the_cell() {
        let text = "mine\n\nthread 'main' (12) panicked at src/lib.rs:3:5:\nthe message\nin two lines\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        let (fault, before) = Fault::of_failure(
            Failure::Panic,
            text,
            "",
            "let a = 1;\npanic!();",
            "// generated\nlet a = 1;\npanic!();",
            7,
        );
        assert_eq!(
            (fault.name.as_str(), fault.value.as_str(), before.as_str()),
            ("Panic", "the message\nin two lines", "mine\n")
        );
        assert!(
            fault.traceback[1].contains("cell 7, line 2") && fault.traceback[1].ends_with("panic!();"),
            "{fault:?}"
        );
        assert!(fault.traceback[2].contains("not kept"));
    }

    #[test]
    fn f81_a_full_disk_is_told_with_its_mend() {
        let said = "Compilation failed, but no parsable errors were found. STDERR:\nrustc-LLVM ERROR: IO failure on output stream: No space left on device\n";
        let fault = Fault::of_evcxr(said);
        assert_eq!(fault.name, "DiskFull");
        assert!(fault.traceback.iter().any(|line| line.contains("run the cell again")), "{fault:?}");
        assert_eq!(Fault::of_evcxr("something else\n").value, "something else");
    }

    #[test]
    fn a_failed_question_mark_is_told_with_the_lines_that_have_one() {
        let (fault, _) = Fault::of_failure(Failure::QuestionMark, "no such file\n", "", "a()?;\nb();", "", 2);
        assert_eq!(fault.value, "no such file");
        assert!(fault.traceback[1].ends_with(": a()?;"), "{fault:?}");
    }

    #[test]
    fn what_is_lost_is_named() {
        let fault = Fault::of_end("signal 9", "last\nwords\n", &["a".to_owned(), "b".to_owned()]);
        let text = fault.traceback.join("\n");
        for words in ["signal 9", "words", "Lost variables: a, b", ":dep"] {
            assert!(text.contains(words), "{text}");
        }
    }
}
