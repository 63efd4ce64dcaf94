//! `decisions.csv`: what a person decided about single photos. Every split honours it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Dataset;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, Lock, cells};

/// The file's name, in the data folder.
pub const DECISIONS: &str = "decisions.csv";

/// What is to be done with a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is as it should be; it is not asked about again.
    Keep,
    /// It belongs to the class of this name.
    Relabel(String),
    /// It goes into no part of a split.
    Drop,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::Relabel(class) => write!(f, "relabel to {class}"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

/// Decisions by photo. A photo is named as in the data set, `class/file`, and by the SHA-256 of its bytes: a decision about a photo
/// that was replaced since is not honoured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    rows: BTreeMap<String, (String, Decision)>,
}

/// What decisions did to a split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Names the decisions exactly; empty where there are none. Other ones make another split.
    pub sha256: String,
    /// Photos that were dropped, as `class/file`, with their bytes.
    pub dropped: BTreeMap<String, u64>,
    /// Photos that are in another class than their folder says: from `class/file` to `class/file`.
    pub relabelled: BTreeMap<String, String>,
    /// Decisions about photos that are not there any more, or not what they were, as `class/file`.
    pub unused: Vec<String>,
}

/// The decisions that can be honoured, of one data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Honoured {
    /// By `class/file`: only what changes something.
    pub(super) by_name: BTreeMap<String, Decision>,
    /// See [`Decided`].
    pub(super) unused: Vec<String>,
    /// See [`Decided`].
    pub(super) sha256: String,
}

impl Decisions {
    /// The decisions in a data folder; none where there is no file.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] for a line that cannot be understood: a wrong decision would be worse than none.
    pub fn read(data: &Path) -> Result<Self> {
        let path = data.join(DECISIONS);
        if !path.exists() {
            return Ok(Self::default());
        }
        let table = cells::read(&files::read(&path)?).map_err(|error| broken(error.what()).at(&path))?;
        if table.head != HEADER {
            return Err(broken(&format!("line 1: the columns are not {}", HEADER.join(","))).at(path));
        }
        let mut rows = BTreeMap::new();
        for (line, row) in table.rows {
            let (name, sha256, decision) =
                parse(&row).map_err(|what| broken(&format!("line {line}: {what}")).at(&path))?;
            if rows.insert(name.clone(), (sha256, decision)).is_some() {
                return Err(broken(&format!("line {line}: {name:?} stands there twice")).at(path));
            }
        }
        Ok(Self { rows })
    }

    /// Adds decisions to those in a data folder, in place of earlier ones about the same photos, in one step.
    ///
    /// # Errors
    /// What [`Decisions::read`] says; [`ErrorKind::Locked`] while another process does the same.
    pub fn add(data: &Path, new: impl IntoIterator<Item = (String, String, Decision)>) -> Result<Self> {
        let _lock = Lock::take(&data.join(".decisions.lock"))?;
        let mut all = Self::read(data)?;
        for (name, sha256, decision) in new {
            all.rows.insert(name, (sha256, decision));
        }
        all.write(data)?;
        Ok(all)
    }

    /// The decision about the photo of this name (`class/file`) with these bytes.
    pub fn of(&self, name: &str, sha256: &str) -> Option<&Decision> {
        self.rows.get(name).filter(|(known, _)| known == sha256).map(|(_, decision)| decision)
    }

    /// Whether there is one about a photo of this name, whatever its bytes are now.
    pub fn has(&self, name: &str) -> bool {
        self.rows.contains_key(name)
    }

    /// All of them by the photo's name, with the SHA-256 of its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Decision)> {
        self.rows.iter().map(|(name, (sha256, decision))| (name.as_str(), sha256.as_str(), decision))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn write(&self, data: &Path) -> Result<()> {
        let path = data.join(DECISIONS);
        let row = |(name, sha256, decision): (&str, &str, &Decision)| {
            let (word, class) = match decision {
                Decision::Keep => ("keep", ""),
                Decision::Relabel(class) => ("relabel", class.as_str()),
                Decision::Drop => ("drop", ""),
            };
            [name, sha256, word, class].map(String::from)
        };
        files::write_bytes(&path, &cells::table(&HEADER, self.iter().map(row)).map_err(|error| error.at(&path))?)
    }

    /// Which of them this data set honours. Only photos that something was decided about are read.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] for a class that the data set does not have.
    pub(super) fn honoured(&self, dataset: &Dataset, data: &Path) -> Result<Honoured> {
        let paths: BTreeMap<&str, &PathBuf> =
            dataset.samples.iter().map(|sample| (sample.name.as_str(), &sample.path)).collect();
        let (mut honoured, mut key) = (Honoured::default(), String::new());
        for (name, sha256, decision) in self.iter().filter(|(.., decision)| **decision != Decision::Keep) {
            if let Decision::Relabel(class) = decision
                && !dataset.classes.contains(class)
            {
                let what =
                    format!("{name} is to be of class {class:?}; the classes are {}", dataset.classes.join(", "));
                return Err(Error::new(ErrorKind::Dataset, what)
                    .at(data.join(DECISIONS))
                    .mend("correct the class, or add a folder for it"));
            }
            let found = paths.get(name).is_some_and(|path| files::sha256_file(path).is_ok_and(|own| own == sha256));
            key += &format!("{name},{sha256},{decision},{found}\n");
            if found {
                honoured.by_name.insert(name.to_string(), decision.clone());
            } else {
                honoured.unused.push(name.to_string());
            }
        }
        if !key.is_empty() {
            honoured.sha256 = files::sha256(key.as_bytes());
        }
        Ok(honoured)
    }
}

const HEADER: [&str; 4] = ["path", "sha256", "decision", "class"];

fn parse(row: &[String]) -> std::result::Result<(String, String, Decision), String> {
    let field = |index: usize| row.get(index).map_or("", String::as_str);
    // A file's name may begin or end with a space; the rest may not.
    let (name, sha256, word, class) = (field(0), field(1).trim(), field(2).trim(), field(3).trim());
    if name.split('/').any(str::is_empty) {
        return Err(format!("{name:?} is no path of a photo"));
    }
    if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("{sha256:?} is no SHA-256"));
    }
    let decision = match (word, class) {
        ("keep", "") => Decision::Keep,
        ("drop", "") => Decision::Drop,
        ("relabel", class) if !class.is_empty() => Decision::Relabel(class.into()),
        ("relabel", _) => return Err("relabel needs a class in the last column".into()),
        ("keep" | "drop", _) => return Err(format!("{word} takes no class; there is {class:?}")),
        _ => return Err(format!("{word:?} is none of keep, relabel, drop")),
    };
    Ok((name.into(), sha256.to_lowercase(), decision))
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Dataset, format!("these decisions cannot be understood: {what}"))
        .mend("correct or delete this line")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Decisions> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(DECISIONS), text).unwrap();
        Decisions::read(folder.path())
    }

    #[test]
    fn what_is_added_is_read_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let sha256 = files::sha256(b"photo");
        let row = |name: &str, decision| (name.to_string(), sha256.clone(), decision);
        assert!(Decisions::read(folder.path()).unwrap().is_empty());
        Decisions::add(folder.path(), [row("roses/a, b.jpg", Decision::Drop), row("roses/2.jpg", Decision::Keep)])
            .unwrap();
        let again = [row("roses/2.jpg", Decision::Relabel("tulips".into()))];
        let added = Decisions::add(folder.path(), again).unwrap();
        let read = Decisions::read(folder.path()).unwrap();
        assert_eq!((&read, read.len()), (&added, 2));
        assert_eq!(read.of("roses/2.jpg", &sha256), Some(&Decision::Relabel("tulips".into())));
        assert_eq!(read.of("roses/a, b.jpg", &sha256), Some(&Decision::Drop));
        assert_eq!(read.of("roses/2.jpg", &files::sha256(b"another")), None, "the photo was replaced");
        assert_eq!(files::sorted_dir(folder.path()).unwrap().len(), 1, "no lock or scratch is left");
    }

    #[test]
    fn a_line_that_cannot_be_understood_is_named() {
        let sha256 = files::sha256(b"photo");
        let head = "path,sha256,decision,class";
        assert!(
            read(&format!("\u{feff}{head}\r\nroses/1.jpg,{sha256}, drop ,\r\n")).is_ok(),
            "as a spreadsheet writes it"
        );
        for (line, word) in [
            (format!("roses/1.jpg,{sha256},remove,"), "none of keep, relabel, drop"),
            (format!("roses/1.jpg,{sha256},relabel,"), "needs a class"),
            (format!("roses/1.jpg,{sha256},drop,tulips"), "takes no class"),
            ("roses/1.jpg,12,drop,".into(), "no SHA-256"),
            (format!("roses//1.jpg,{sha256},drop,"), "no path of a photo"),
            (format!("roses/1.jpg,{sha256},drop"), "has 3 cells; expected 4"),
        ] {
            let error = read(&format!("{head}\nroses/0.jpg,{sha256},keep,\n{line}\n")).unwrap_err();
            assert!(error.what().contains("line 3") && error.what().contains(word), "{error}");
            assert!(error.path().is_some() && error.how_to_mend().is_some(), "{error}");
        }
        assert!(read("path,decision\n").unwrap_err().what().contains("columns"));
        let twice = format!("{head}\nroses/1.jpg,{sha256},keep,\nroses/1.jpg,{sha256},drop,\n");
        assert!(read(&twice).unwrap_err().what().contains("twice"));
    }
}
