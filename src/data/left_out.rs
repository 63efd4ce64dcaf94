//! What lies among the photos and is not used, and why. Nothing is left out without being counted and named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, ErrorKind};

/// Why a file or folder is not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A picture of a format that petal reads, which cannot be decoded.
    #[default]
    Damaged,
    /// A picture of a format that petal does not read.
    OtherFormat,
    /// Larger than the limits allow.
    TooLarge,
    /// There is nothing in it.
    Empty,
    /// It may not be read.
    NoPermission,
    /// A link to something that is not there, or in a circle.
    BrokenLink,
    /// A pipe, a device, a socket.
    NotAFile,
    /// A link to a folder that is searched anyway: on another way, or because the link lies in it.
    SeenBefore,
    /// Its content is no picture.
    NotAPicture,
    /// Its name says that it is not meant to be seen, or it is one that a system makes.
    Hidden,
    /// Something that petal has made: a folder of data or models, a figure.
    OwnWork,
    /// It lies in no class's folder.
    NoClass,
    /// The table of labels does not name it, or gives it no label.
    NoLabel,
    /// The table of labels names it, and it is not there.
    Missing,
}

impl Reason {
    /// In words, for a list of such files.
    pub fn words(self) -> &'static str {
        match self {
            Self::Damaged => "cannot be read",
            Self::OtherFormat => "a format that petal does not read",
            Self::TooLarge => "larger than the limits allow",
            Self::Empty => "empty",
            Self::NoPermission => "may not be read",
            Self::BrokenLink => "a link to nothing",
            Self::NotAFile => "not a plain file",
            Self::SeenBefore => "a link to a folder that is searched anyway",
            Self::NotAPicture => "not a picture",
            Self::Hidden => "hidden, or a system's own",
            Self::OwnWork => "made by petal",
            Self::NoClass => "in no class's folder",
            Self::NoLabel => "without a label",
            Self::Missing => "in the labels, but not there",
        }
    }

    /// Whether it is a photo as good as any, but for a fault that may be mended: one that is mended changes the set of photos.
    pub fn is_photo(self) -> bool {
        matches!(self, Self::Damaged | Self::TooLarge)
    }
}

/// A file or folder that is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Bytes of the file; 0 for a folder, or where it cannot even be found.
    pub bytes: u64,
    /// Why, as a kind.
    #[serde(default)]
    pub reason: Reason,
    /// Why, in words, with what to do about it where something can be done.
    pub why: String,
}

impl LeftOut {
    /// For a reason that says everything.
    pub fn new(reason: Reason) -> Self {
        Self { bytes: 0, reason, why: reason.words().into() }
    }

    /// For a file that looked like a photo, and cannot be decoded. One that turns out to be of another format counts as such a photo, too: its
    /// beginning does not tell.
    pub fn after(error: &Error) -> Self {
        let reason = if error.kind() == ErrorKind::Limit { Reason::TooLarge } else { Reason::Damaged };
        Self::new(reason).because(error.in_a_line())
    }

    /// For a picture of a format that is not read, which the error names.
    pub fn not_read(error: &Error) -> Self {
        let why = error.in_a_line();
        Self::new(Reason::OtherFormat).because(why.strip_prefix("this is ").unwrap_or(&why))
    }

    /// The same with its own words.
    #[must_use]
    pub fn because(self, why: impl Into<String>) -> Self {
        Self { why: why.into(), ..self }
    }

    /// The same for a file of so many bytes.
    #[must_use]
    pub fn of(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

/// Files with one reason, in the order of the reasons; what has a format of its own name is grouped by that.
pub fn grouped(left_out: &BTreeMap<String, LeftOut>) -> Vec<(String, Vec<&str>)> {
    let mut groups: BTreeMap<(Reason, &str), Vec<&str>> = BTreeMap::new();
    for (name, LeftOut { reason, why, .. }) in left_out {
        let own = if matches!(reason, Reason::OtherFormat) { why.as_str() } else { reason.words() };
        groups.entry((*reason, own)).or_default().push(name);
    }
    groups.into_iter().map(|((_, words), names)| (words.to_string(), names)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_and_named() {
        let heic = LeftOut::new(Reason::OtherFormat).because("HEIC");
        let all = [
            ("b.heic", heic.clone()),
            ("a.heic", heic),
            (".x", LeftOut::new(Reason::Hidden)),
            ("1.jpg", LeftOut::new(Reason::Damaged)),
        ];
        let all = all.map(|(name, left_out)| (name.to_string(), left_out)).into();
        let groups = grouped(&all);
        let shown: Vec<_> = groups.iter().map(|(words, names)| (words.as_str(), names.as_slice())).collect();
        assert_eq!(
            shown,
            [
                ("cannot be read", &["1.jpg"][..]),
                ("HEIC", &["a.heic", "b.heic"]),
                ("hidden, or a system's own", &[".x"])
            ]
        );
    }
}
