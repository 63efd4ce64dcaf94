//! A photo, its class and its part: for learning, for deciding, or for the final test.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// A photo and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The file.
    pub path: PathBuf,
    /// What it is called in its data set: the path below the data set's folder, with `/`.
    pub name: String,
    /// Index into the sorted class names.
    pub target: usize,
    /// Its part, where that is given: in a set that comes split, and in a split.
    pub part: Option<Split>,
}

/// The three parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To learn from.
    Train,
    /// To decide when to stop and which epoch is best.
    Val,
    /// To look at once, at the end.
    Test,
}

impl Split {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|split| split.name() == name);
        found.ok_or_else(|| Error::unknown("split", name, &Self::ALL.map(Self::name)))
    }
}

/// How to make a split anew.
pub(super) const RESPLIT: &str =
    "make the split anew with `petal split-dataset --replace` (in a notebook: photos.resplit(…))";
