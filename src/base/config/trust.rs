//! How far a trained network is to be trusted, and what is said where it isn't.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// How far a trained network is to be trusted, and what is said where it isn't. Nothing that it learns hangs on it.
///
/// ```
/// use petal::config::Sets;
///
/// let config = petal::Config::seed().with(&["trust.coverage=0.9", "trust.sets=by-class"])?;
/// assert_eq!((config.trust.coverage, config.trust.sets), (0.9, Sets::ByClass));
/// assert!(petal::Config::seed().with(&["trust.coverage=1"]).is_err());
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrustConfig {
    /// Whether the network is asked for its raw probabilities alone: not calibrated, without sets, never `unknown`. Default false.
    pub raw: bool,
    /// How often the set of classes that is said of a photo has the true one in it, 0.5 to 0.999. Default 0.95.
    pub coverage: f64,
    /// How such sets are made. Default [`Sets::Lac`].
    pub sets: Sets,
    /// How many photos of the known classes may be called unknown, as a share, 0 to 0.5; 0 calls none so. Default 0.05.
    pub false_alarms: f64,
    /// Whether a model file carries features of training photos, to which others are compared. Without them a photo is known or unknown
    /// by its energy score. Default true.
    pub bank: bool,
}

impl Default for TrustConfig {
    fn default() -> Self {
        Self { raw: false, coverage: 0.95, sets: Sets::Lac, false_alarms: 0.05, bank: true }
    }
}

impl TrustConfig {
    /// Whether all of it is at its default.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// How sets of classes are made that have the true one in them so often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sets {
    /// All classes above one probability (`lac`): the smallest sets on average (Sadinle et al. 2019). The default.
    #[default]
    Lac,
    /// The most probable classes until their sum is enough (`aps`): larger sets, which are more even between easy and hard photos (Romano
    /// et al. 2020).
    Aps,
    /// As `lac`, with a probability for each class that has enough validation photos (`by-class`): the coverage holds class by class.
    ByClass,
}

impl Sets {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lac, Self::Aps, Self::ByClass];

    /// The name in settings, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lac => "lac",
            Self::Aps => "aps",
            Self::ByClass => "by-class",
        }
    }
}

impl FromStr for Sets {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let unknown = || Error::unknown("sets", name, &Self::ALL.map(Self::name));
        Self::ALL.into_iter().find(|sets| sets.name() == name).ok_or_else(unknown)
    }
}
