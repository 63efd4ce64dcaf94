//! Settings that have a name.

use super::{
    AugmentConfig, Backbone, Balance, ClassifierConfig, Config, Fit, Limits, PhaseConfig, Precision, Source,
    SplitConfig, TestConfig, TrustConfig, WeightsFrom,
};
use crate::base::error::{Error, Result};

impl Default for Config {
    fn default() -> Self {
        Self::seed()
    }
}

impl Config {
    /// The recipe `seed`: ResNet-50 on TF Flowers, the full road.
    pub fn seed() -> Self {
        Self {
            seed: 42,
            source: Source::TfFlowers,
            backbone: Backbone::Resnet50,
            weights: WeightsFrom::Hub,
            image_size: 224,
            fit: Fit::Crop,
            batch_size: 32,
            views: 2,
            cache: true,
            cache_limit: 20.0,
            limits: Limits::default(),
            split: SplitConfig::default(),
            balance: Balance::None,
            precision: Precision::F32,
            augment: AugmentConfig::default(),
            test: TestConfig::default(),
            trust: TrustConfig::default(),
            classifier: ClassifierConfig::default(),
            head: PhaseConfig::new(10, 3, 1e-3),
            fine_tune: PhaseConfig::new(10, 3, 1e-5),
            baseline: PhaseConfig::new(20, 5, 1e-3),
        }
    }

    /// The same road in small, without a network: drawn flowers, EfficientNet-Lite0 with the weights in the repository, a
    /// few epochs. A few minutes on a laptop.
    pub fn demo() -> Self {
        Self {
            source: Source::Synthetic { per_class: 40 },
            backbone: Backbone::EfficientnetLite0,
            weights: WeightsFrom::Embedded,
            batch_size: 16,
            head: PhaseConfig::new(4, 3, 1e-3),
            fine_tune: PhaseConfig::new(3, 3, 1e-5),
            // Fewer epochs leave it at guessing: 160 drawn photos are ten steps an epoch.
            baseline: PhaseConfig::new(18, 18, 5e-4),
            ..Self::seed()
        }
    }

    /// The recipe that the environment variable `PETAL_RECIPE` names ([`Config::recipe`]); `seed` when it is not set.
    pub fn from_env() -> Result<Self> {
        match std::env::var_os("PETAL_RECIPE") {
            None => Ok(Self::seed()),
            Some(name) => Self::recipe(&name.to_string_lossy()),
        }
    }

    /// The recipe of this name: `seed`, `best`, `instant` or `demo`.
    pub fn recipe(name: &str) -> Result<Self> {
        match name {
            "seed" | "" => Ok(Self::seed()),
            "demo" => Ok(Self::demo()),
            "best" => Ok(Self::best()),
            "instant" => Ok(Self::instant()),
            other => Err(Error::unknown("recipe", other, &["seed", "best", "instant", "demo"])),
        }
    }
}
