//! Settings: plain public fields with their units, read from one TOML file, checked once.

mod backbone;
mod best;
mod check;
mod grid;
mod named;
mod picture;
mod recipes;
mod set;
mod source;
mod split;
mod techniques;
mod test;
mod training;
mod trust;
mod weights;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;

pub use backbone::Backbone;
pub use grid::Candidate;
pub use named::Named;
pub use picture::{AugmentConfig, Fit};
pub use source::{Limits, Source};
pub use split::{Duplicates, SplitConfig};
pub use techniques::{Balance, Layers, Method, OptimizerKind, Precision, Schedule, Watch};
pub use test::{TestConfig, TestViews};
pub use training::{ClassifierConfig, PhaseConfig};
pub use trust::{Sets, TrustConfig};
pub use weights::WeightsFrom;

/// Everything that decides what a run computes. Saved in each run's folder; together with the photos and the seed's weights
/// it gives the same bytes again.
///
/// ```
/// let config = petal::Config { seed: 7, ..petal::Config::seed() };
/// assert_eq!(petal::Config::from_toml(&config.to_toml())?, config);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The one seed of everything random. Default 42.
    pub seed: u64,
    /// Where the photos come from. Default [`Source::TfFlowers`].
    pub source: Source,
    /// The pretrained network. Default [`Backbone::Resnet50`].
    pub backbone: Backbone,
    /// Where the pretrained weights come from. Default [`WeightsFrom::Hub`].
    pub weights: WeightsFrom,
    /// Side of the square that the network sees, in pixels. Default 224.
    pub image_size: usize,
    /// How a photo becomes that square. Default [`Fit::Crop`].
    pub fit: Fit,
    /// Photos a step. The last, smaller batch is never dropped. Default 32.
    pub batch_size: usize,
    /// How many augmented versions of each photo there are for the transfer model; epoch `e` uses version `e mod views`.
    /// Default 2.
    pub views: usize,
    /// Whether what the frozen part computes is kept on disk. Speed alone: it changes no result. Default true.
    pub cache: bool,
    /// Gigabytes (10⁹ bytes) that the files of the cache may take, those of all runs together. Before new ones are written, those that were not used for
    /// longest go, but none that a training is reading. What one training needs is written even where it is more. Default 20.
    pub cache_limit: f64,
    /// What a photo may at most cost. Default 64 MiB a file, 20,000 pixels a side, 178,956,970 pixels in all.
    pub limits: Limits,
    /// What fraction of the photos goes where, and what becomes of those that show the same. Default 0.8, 0.1, 0.1, together.
    pub split: SplitConfig,
    /// How classes of uneven size are evened out in training. Default [`Balance::None`].
    #[serde(skip_serializing_if = "is_none")]
    pub balance: Balance,
    /// In what numbers the network multiplies. Default [`Precision::F32`]. On the CPU alone.
    #[serde(skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// How training photos are varied.
    pub augment: AugmentConfig,
    /// How the trained network is asked about photos. Default as it was trained, one view of each. It changes nothing of the training.
    #[serde(skip_serializing_if = "TestConfig::is_plain")]
    pub test: TestConfig,
    /// How far it is trusted: calibrated probabilities, sets of classes, photos of none of them. It changes nothing of the training.
    #[serde(skip_serializing_if = "TrustConfig::is_plain")]
    pub trust: TrustConfig,
    /// The new head on the pretrained backbone.
    pub classifier: ClassifierConfig,
    /// Phase 1: the head alone, on a frozen backbone. Default 10 epochs, patience 3, learning rate 1e-3.
    pub head: PhaseConfig,
    /// Phase 2: the head and the upper layers. Elsewhere it is called `upper`, and `fine_tune` is both phases; here and in a run's files it keeps
    /// the name that it has always had. Default 10 epochs, patience 3, learning rate 1e-5.
    pub fine_tune: PhaseConfig,
    /// The small network from scratch. Default 20 epochs, patience 5, learning rate 1e-3.
    pub baseline: PhaseConfig,
}

fn is_none(balance: &Balance) -> bool {
    *balance == Balance::None
}

impl Config {
    /// Reads and checks a TOML file. What it leaves out is as in [`Config::seed`]; an unknown key is an error.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = String::from_utf8(files::read(path)?)
            .map_err(|_| Error::new(ErrorKind::Config, "this file is not UTF-8 text").at(path))?;
        Self::from_toml(&text).map_err(|error| error.at(path))
    }

    /// Reads and checks TOML text.
    pub fn from_toml(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|cause| {
            let line = cause.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            Error::new(ErrorKind::Config, format!("line {line}: {}", cause.message()))
        })?;
        config.check()?;
        Ok(config)
    }

    /// The settings as TOML text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_else(|cause| unreachable!("plain settings always serialize: {cause}"))
    }

    /// [`Config::cache_limit`] in bytes.
    pub fn cache_bytes(&self) -> u64 {
        (self.cache_limit * 1e9) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_are_valid_and_survive_toml() {
        for config in [Config::seed(), Config::demo(), Config::best(), Config::instant()] {
            config.check().unwrap();
            assert_eq!(Config::from_toml(&config.to_toml()).unwrap(), config);
        }
    }
}
