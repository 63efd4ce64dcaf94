//! How a trained network is asked about photos.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// How a trained network is asked about photos: at which size, and about how many views of each. Nothing that it learns hangs on it, so several ways
/// can be tried on the validation photos without training again.
///
/// ```
/// use petal::config::{TestConfig, TestViews};
///
/// let config = petal::Config::best().with(&["test.size=256", "test.views=flip"])?;
/// assert_eq!(config.test, TestConfig { size: 256, views: TestViews::Flip });
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TestConfig {
    /// Side of the square that the network is shown, in pixels; 0 is the one that it was trained with. A network that was trained on parts of photos
    /// has seen things larger than they are in whole ones, and may do better on larger squares (Touvron et al. 2019, arXiv:1906.06423). Default 0.
    pub size: usize,
    /// The views whose probabilities are averaged. Default [`TestViews::One`].
    pub views: TestViews,
}

/// The views of a photo that a network is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestViews {
    /// The photo as it is (`one`). The default.
    #[default]
    One,
    /// It and its mirror image (`flip`).
    Flip,
    /// Its four corners and its middle, each an eighth smaller than the whole, and their mirror images (`crops`): ten views (Krizhevsky et al. 2012).
    Crops,
}

impl TestConfig {
    /// Whether a network is asked as it was trained.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl TestViews {
    /// The name in settings, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Flip => "flip",
            Self::Crops => "crops",
        }
    }
}

impl FromStr for TestViews {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let all = [Self::One, Self::Flip, Self::Crops];
        let unknown = || Error::unknown("views", name, &all.map(Self::name));
        all.into_iter().find(|views| views.name() == name).ok_or_else(unknown)
    }
}
