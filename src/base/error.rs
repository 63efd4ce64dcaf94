//! What went wrong, with which file, and how to mend it.
//!
//! There is one error type. A notebook cell shows nothing but its [`Display`](fmt::Display), so that says everything, in at
//! most three lines: what happened (expected and got), the file, the mend.

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of everything in petal that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Whose fault it is, for a program to act on. A person reads the text.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A setting is unknown, out of its range, or contradicts another.
    Config,
    /// The network or a server failed, after all retries.
    Network,
    /// Something is not on this machine and going online was ruled out.
    Offline,
    /// A file's bytes are not the ones that were expected.
    Checksum,
    /// An archive is broken, or holds what no data set should.
    Archive,
    /// A folder of photos does not fit the job: no classes, an empty class, a changed split.
    Dataset,
    /// A picture cannot be read: it is damaged, or cut short.
    Image,
    /// A file is something that petal does not read.
    Format,
    /// A picture is beyond the limits.
    Limit,
    /// Weights or a model file do not fit the network.
    Weights,
    /// Tensors do not fit each other, or Candle refused an operation.
    Tensor,
    /// Training met a number that is not finite.
    Diverged,
    /// A checkpoint cannot be used to go on from.
    Checkpoint,
    /// There is not enough memory.
    Memory,
    /// There is not enough room on the disk.
    DiskFull,
    /// Another process is using the same run or data.
    Locked,
    /// The person asked to stop.
    Interrupted,
    /// The notebook's kernel is set up in a way that would give wrong results.
    Notebook,
    /// A file cannot be read or written.
    Io,
    /// A figure or table cannot be drawn.
    Render,
    /// petal itself is at fault.
    Bug,
}

/// What went wrong, with which file, and how to mend it.
///
/// ```
/// use petal::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Dataset, "class \"roses\" has 1 photo; a split needs at least 3")
///     .at("photos/roses")
///     .mend("add photos to this folder, or remove it");
/// assert_eq!(error.kind(), ErrorKind::Dataset);
/// assert_eq!(error.to_string().lines().count(), 3);
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    what: String,
    path: Option<PathBuf>,
    mend: Option<String>,
}

impl Error {
    /// An error that says what happened: with the expected and the actual value, where there is one.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, what: what.into(), path: None, mend: None }))
    }

    /// An operating-system failure while doing something (`"read"`, `"create"`) to a file.
    pub fn io(doing: &str, path: impl Into<PathBuf>, cause: &std::io::Error) -> Self {
        let kind = match cause.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded | std::io::ErrorKind::FileTooLarge => {
                ErrorKind::DiskFull
            }
            _ => ErrorKind::Io,
        };
        let error = Self::new(kind, format!("cannot {doing} this file or folder: {cause}")).at(path);
        match kind {
            ErrorKind::DiskFull => error.mend("free some space and run this again"),
            _ => error,
        }
    }

    /// A wrong setting: its key, the value that was given, and what is allowed.
    pub fn config(key: &str, got: impl fmt::Display, allowed: &str) -> Self {
        Self::new(ErrorKind::Config, format!("setting {key} is {got}; expected {allowed}"))
    }

    /// A word that is none of those that are known: its setting, the word, the others, and the one that may have been meant.
    pub fn unknown(key: &str, got: &str, known: &[&str]) -> Self {
        let error = Self::config(key, format_args!("{got:?}"), &format!("one of {}", known.join(", ")));
        match nearest(got, known) {
            Some(word) => error.mend(format!("did you mean {word}?")),
            None => error,
        }
    }

    /// Names the file or folder that the error is about.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.0.mend = Some(mend.into());
        self
    }

    /// What happened and how to mend it, for a place that has one line.
    pub fn in_a_line(&self) -> String {
        let Inner { what, mend, .. } = self.0.as_ref();
        one_line(&mend.as_ref().map_or_else(|| what.clone(), |mend| format!("{what}; {mend}")))
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, without the file and the mend.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// The file or folder that the error is about.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// How to mend it.
    pub fn how_to_mend(&self) -> Option<&str> {
        self.0.mend.as_deref()
    }
}

/// The word that a misspelt one may have been meant as: at most a third of its letters are others, left out or too many.
pub fn nearest<'a>(got: &str, known: &[&'a str]) -> Option<&'a str> {
    let got = got.to_lowercase();
    let far = |word: &&&str| strsim::osa_distance(&got, &word.to_lowercase());
    known.iter().min_by_key(far).filter(|word| 3 * far(word) <= word.chars().count().max(3)).copied()
}

/// Newlines and control characters in a message (they come from file names) would break the three lines, and could speak
/// the kernel's output protocol or the terminal's; characters that turn the direction of writing would show one name as another.
/// They are shown escaped.
pub(crate) fn one_line(text: &str) -> String {
    let turns =
        |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().flat_map(|c| if c.is_control() || turns(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.0.what))?;
        if let Some(path) = &self.0.path {
            write!(f, "\nfile: {}", one_line(&path.display().to_string()))?;
        }
        if let Some(mend) = &self.0.mend {
            write!(f, "\nmend: {}", one_line(mend))?;
        }
        Ok(())
    }
}

/// The same text as `Display`, so that `unwrap()` and `main() -> Result` read well.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl From<candle_core::Error> for Error {
    fn from(cause: candle_core::Error) -> Self {
        Self::new(ErrorKind::Tensor, cause.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_file_and_mend_in_three_lines() {
        let error =
            Error::config("split.train", "1.5", "a fraction between 0 and 1").at("petal.toml").mend("change it");
        assert_eq!(
            error.to_string(),
            "setting split.train is 1.5; expected a fraction between 0 and 1\nfile: petal.toml\nmend: change it"
        );
        assert_eq!(format!("{error:?}"), error.to_string());
    }

    #[test]
    fn a_misspelt_word_is_guessed_and_another_one_is_not() {
        let known = ["hub", "embedded", "random"];
        let said = |word: &str| Error::unknown("weights", word, &known).to_string();
        assert_eq!(
            said("embeded"),
            "setting weights is \"embeded\"; expected one of hub, embedded, random\nmend: did you mean embedded?"
        );
        assert!(said("Hubb").contains("did you mean hub?") && said("embdeded").contains("embedded?"));
        assert!(!said("photos").contains("did you mean") && !said("").contains("did you mean"));
    }

    #[test]
    fn control_characters_in_names_cannot_add_lines() {
        let error = Error::new(ErrorKind::Dataset, "bad class").at("a\nEVCXR_BEGIN_CONTENT text/html");
        assert_eq!(error.to_string().lines().count(), 2);
    }

    #[test]
    fn a_full_disk_has_its_own_kind() {
        let cause = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Error::io("write", "x", &cause).kind(), ErrorKind::DiskFull);
    }
}
