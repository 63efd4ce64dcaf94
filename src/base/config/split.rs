//! Which photos go where, and what becomes of those that show the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// What fraction of the photos goes into which split; they sum to 1. And what becomes of photos that show the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// Fraction to learn from. Default 0.8.
    pub train: f64,
    /// Fraction that decides when to stop and which epoch is best. Default 0.1.
    pub val: f64,
    /// Fraction looked at once, at the end. Default 0.1.
    pub test: f64,
    /// What becomes of photos that show the same. Default [`Duplicates::Together`].
    pub duplicates: Duplicates,
    /// How alike two photos are at least, where they differ most, to be taken for the same: from 0 (nothing in common there) to 1 (equal).
    /// Default 0.75.
    pub duplicate_threshold: f64,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self { train: 0.8, val: 0.1, test: 0.1, duplicates: Duplicates::Together, duplicate_threshold: 0.75 }
    }
}

/// What becomes of photos that show the same: copies, also resized, encoded again, recoloured, mirrored or cropped a little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum Duplicates {
    /// They are in one part (`together`): none is learned from and measured on. The default.
    #[default]
    Together,
    /// They are found and told, but the parts are drawn as if they were not (`report`).
    Report,
    /// They are not looked for (`off`).
    Off,
}

impl Duplicates {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Together, Self::Report, Self::Off];

    /// The word in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Together => "together",
            Self::Report => "report",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Duplicates {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| Error::unknown("duplicates", name, &Self::ALL.map(Self::name)))
    }
}

impl TryFrom<String> for Duplicates {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        name.parse().map_err(|error: Error| error.in_a_line())
    }
}
