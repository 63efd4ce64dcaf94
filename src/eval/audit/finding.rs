//! What an audit says of single photos.

use std::fmt;

/// A kind of finding about a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Its label is likely wrong.
    Label,
    /// (Nearly) the same photo is in another class.
    Twin,
    /// It is unlike all others, as the network sees it.
    Unlike,
    /// It is blurred.
    Blurred,
    /// It is dark.
    Dark,
    /// It is bright.
    Bright,
    /// There is little in it.
    Plain,
    /// It is longer or higher than others.
    Shape,
    /// It is much smaller or larger than others.
    Size,
}

impl Kind {
    /// All of them, those first that a person should look at first.
    pub const ALL: [Self; 9] = [
        Self::Label,
        Self::Twin,
        Self::Unlike,
        Self::Blurred,
        Self::Dark,
        Self::Bright,
        Self::Plain,
        Self::Shape,
        Self::Size,
    ];

    /// Its name in tables: `label`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Twin => "twin",
            Self::Unlike => "unlike",
            Self::Blurred => "blurred",
            Self::Dark => "dark",
            Self::Bright => "bright",
            Self::Plain => "plain",
            Self::Shape => "shape",
            Self::Size => "size",
        }
    }

    /// What it means, as the title of a gallery.
    pub fn title(self) -> &'static str {
        match self {
            Self::Label => "Likely in the wrong class",
            Self::Twin => "(Nearly) the same photo in two classes",
            Self::Unlike => "Unlike all others",
            Self::Blurred => "Blurred",
            Self::Dark => "Dark",
            Self::Bright => "Bright",
            Self::Plain => "Little in them",
            Self::Shape => "Of an odd shape",
            Self::Size => "Of an odd size",
        }
    }

    /// What its number is.
    pub fn measure(self) -> &'static str {
        match self {
            Self::Label => "1 less the probability of its label, by a head that has not learned from it",
            Self::Twin => "likeness where the two differ most, 0 to 1",
            _ => "robust standard deviations from the set's median",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something about a photo that a person should look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The photo, by its place in [`Audit::photos`](super::Audit::photos).
    pub photo: usize,
    /// The other photo of a twin.
    pub other: Option<usize>,
    /// How sure, in what [`Kind::measure`] says; more is surer.
    pub sure: f64,
    /// In words: `likely tulips (93 %)`.
    pub says: String,
}
