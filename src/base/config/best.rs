//! The recipes beside `seed`: `best`, the most accurate in minutes, and `instant`, an answer in seconds.

use super::{AugmentConfig, Config, Layers, Method, PhaseConfig, Schedule, Watch};

impl Config {
    /// The recipe `best`: the head as in `seed`, then **all** layers, each epoch on a new view of every photo, varied by TrivialAugment as well.
    /// docs/RECIPES.md has what was measured.
    ///
    /// It starts from the head and keeps the epoch of the highest validation accuracy over both phases, so that it is never below the head there.
    ///
    /// ```
    /// use petal::prelude::*;
    ///
    /// let config = Config { backbone: Backbone::EfficientnetLite0, weights: WeightsFrom::Embedded, ..Config::best() };
    /// assert_eq!(Phase::upper(&config).cut, Cut::Images);
    /// ```
    pub fn best() -> Self {
        Self {
            views: 2,
            augment: AugmentConfig { rotate: 15.0, zoom: 1.5, trivial: true, ..AugmentConfig::default() },
            fine_tune: PhaseConfig {
                layers: Layers::All,
                schedule: Schedule::Cosine,
                label_smoothing: 0.1,
                watch: Watch::Accuracy,
                least_steps: 200,
                ..PhaseConfig::new(16, 16, 2e-4)
            },
            ..Self::seed()
        }
    }

    /// The recipe `instant`: no training of a network at all, but the best linear classifier of its features, solved for. The epochs of the head are
    /// one, those of the upper layers none.
    ///
    /// ```
    /// use petal::prelude::*;
    ///
    /// let config = Config { backbone: Backbone::EfficientnetLite0, weights: WeightsFrom::Embedded, ..Config::instant() };
    /// assert!(Phase::head(&config).recipe.is_instant());
    /// ```
    pub fn instant() -> Self {
        Self {
            head: PhaseConfig { method: Method::Instant, ..PhaseConfig::new(1, 1, 1.0) },
            fine_tune: PhaseConfig::new(0, 1, 1e-5),
            ..Self::seed()
        }
    }
}
