//! One stretch of training: which layers, how long, how fast.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::recipes::by_settings::BySettings;
use super::recipes::recipe::Recipe;
use super::recipes::seed::SeedRecipe;
use crate::base::config::{Config, Layers, Method, PhaseConfig};
use crate::base::error::Result;
use crate::models::Cut;

/// One stretch of training: which layers, how long, how fast.
///
/// ```
/// use petal::prelude::*;
///
/// let config = Config::demo();
/// let phase = Phase { learning_rate: 3e-4, ..Phase::head(&config) };
/// assert_eq!((phase.name.as_str(), phase.epochs), ("head", 4));
/// ```
#[derive(Clone, Debug)]
pub struct Phase {
    /// `head`, `fine-tune`, `baseline`, or a name of your own. It stands in the history.
    pub name: String,
    /// What comes after this cut is trained; what comes before it is frozen.
    pub cut: Cut,
    /// Most epochs.
    pub epochs: usize,
    /// Epochs in a row without a better validation loss after which the phase ends.
    pub patience: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// How a step is taken: by the techniques of the settings ([`BySettings`]), [`SeedRecipe`] where these are none.
    pub recipe: Arc<dyn Recipe>,
}

/// Phases are equal where they are the same stretch of training: recipes by what they compute.
impl PartialEq for Phase {
    fn eq(&self, other: &Self) -> bool {
        let all = |phase: &Self| (phase.name.clone(), phase.cut, phase.settings(), phase.computes());
        all(self) == all(other)
    }
}

impl Phase {
    /// Phase 1: the new head alone, on a frozen backbone.
    pub fn head(config: &Config) -> Self {
        Self::new("head", Cut::Features, config.head)
    }

    /// Phase 2: the head and the backbone's upper layers, or all of them ([`PhaseConfig::layers`]). Settings call it `fine_tune`, and the files of a run `fine-tune`.
    pub fn upper(config: &Config) -> Self {
        let cut = match config.fine_tune.layers {
            Layers::Upper => Cut::Upper,
            Layers::All => Cut::Images,
        };
        Self::new("fine-tune", cut, config.fine_tune)
    }

    /// The small network from scratch: all of it.
    pub fn baseline(config: &Config) -> Self {
        Self::new("baseline", Cut::Images, config.baseline)
    }

    /// A phase of your own.
    pub fn new(name: &str, cut: Cut, settings: PhaseConfig) -> Self {
        let PhaseConfig { epochs, patience, learning_rate, .. } = settings;
        // What is solved for is so after one.
        let epochs = if settings.method == Method::Instant { epochs.min(1) } else { epochs };
        // How many photos there are is not known here, so that the epochs are what they are.
        let settings = PhaseConfig { least_steps: 0, ..settings };
        let is_plain = settings == PhaseConfig::new(epochs, patience, learning_rate);
        let recipe: Arc<dyn Recipe> = if is_plain { Arc::new(SeedRecipe) } else { Arc::new(BySettings(settings)) };
        Self { name: name.into(), cut, epochs, patience, learning_rate, recipe }
    }

    /// Everything of it that decides its numbers, key by key: the same phase again is found, one that differs in any of these is
    /// another. `epochs` and `patience` are not among them: they only say how long to go on.
    pub fn computes(&self) -> BTreeMap<String, String> {
        let cut = match self.cut {
            Cut::Images => "images",
            Cut::Upper => "upper",
            Cut::Features => "features",
        };
        let Self { learning_rate, recipe, .. } = self;
        let mut computes =
            BTreeMap::from([("cut".into(), cut.into()), ("learning_rate".into(), learning_rate.to_string())]);
        computes.extend(recipe.key(&self.settings()));
        computes
    }

    /// The same, by a recipe of your own.
    #[must_use]
    pub fn by(self, recipe: impl Recipe + 'static) -> Self {
        Self { recipe: Arc::new(recipe), ..self }
    }

    /// The settings as they stand in a [`Config`].
    pub fn settings(&self) -> PhaseConfig {
        self.recipe.settings(PhaseConfig::new(self.epochs, self.patience, self.learning_rate))
    }

    /// Checks the ranges of a phase that was put together by hand.
    pub fn check(&self) -> Result<()> {
        self.settings().check(&self.name)
    }
}
