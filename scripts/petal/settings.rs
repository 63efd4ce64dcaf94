//! Settings as a command line gives them.

use std::path::PathBuf;

use clap::Args;
use petal::config::{Fit, Precision};
use petal::prelude::*;

use crate::photos::Photos;

/// Settings to start from, and what is to be otherwise.
#[derive(Args)]
pub(crate) struct Settings {
    /// Settings to start from: seed (the full road), best (the most accurate), instant (the head alone, in seconds) or demo (the road in small, offline).
    #[arg(long, default_value = "seed")]
    recipe: String,
    /// Settings from a TOML file instead of a recipe.
    #[arg(long, conflicts_with = "recipe")]
    config: Option<PathBuf>,
    #[arg(long, value_parser = crate::named, help = format!("The pretrained network: {}; a repository of timm's with weights of one of them, hf:owner/name; or auto: of those on this machine the one that knows most of the photos already", Backbone::ALL.map(Backbone::name).join(", ")))]
    backbone: Option<String>,
    /// Its weights: hub, embedded (efficientnet-lite0 only), random, hf:owner/name, or a safetensors file.
    #[arg(long, value_parser = crate::parsed::<WeightsFrom>)]
    weights: Option<WeightsFrom>,
    /// How a photo becomes the square that the network sees: crop (its middle), squash (all of it, squeezed) or pad (all of it, with a margin).
    #[arg(long, value_parser = crate::parsed::<Fit>)]
    fit: Option<Fit>,
    /// In what numbers the network multiplies: f32, or bf16, which is faster where the processor has instructions for it.
    #[arg(long, value_parser = crate::parsed::<Precision>)]
    precision: Option<Precision>,
    /// Another setting, by its name in the settings file: --set fine_tune.label_smoothing=0.1. Can be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// The seed of everything random.
    #[arg(long)]
    seed: Option<u64>,
}

impl Settings {
    /// The recipe or the file, but for what was given; `more` changes it before what --set says.
    pub(crate) fn config(&self, project: &Project, photos: &Photos, more: impl FnOnce(&mut Config)) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::recipe(&self.recipe)?,
        };
        if let Some(name) = self.backbone.as_ref().filter(|_| !self.is_auto()) {
            config = config.with_network(name, project)?;
        }
        if let Some(weights) = &self.weights {
            config.weights = weights.clone();
        }
        config.fit = self.fit.unwrap_or(config.fit);
        config.precision = self.precision.unwrap_or(config.precision);
        config.seed = self.seed.unwrap_or(config.seed);
        config = photos.over(config);
        more(&mut config);
        config.with(&self.settings)
    }

    /// Whether the photos are to say which network it is.
    fn is_auto(&self) -> bool {
        self.backbone.as_deref() == Some("auto")
    }

    /// The settings with the network that knows most of these photos already, where that is asked for.
    pub(crate) fn with_chosen_network(&self, config: Config, project: &Project, splits: &Splits) -> Result<Config> {
        if !self.is_auto() {
            return Ok(config);
        }
        let chosen = choose_network(project, splits, &config, &networks_at_hand()?)?;
        eprintln!("{}", chosen.view().without_hints().text());
        Ok(chosen.config)
    }

    /// What --set says, but for settings that are chosen among: a recipe that is tried does not take it back.
    pub(crate) fn set_but(&self, over: &[String]) -> Vec<&String> {
        let name = |setting: &str| setting.split('=').next().unwrap_or_default().trim().to_owned();
        self.settings.iter().filter(|setting| over.iter().all(|other| name(other) != name(setting))).collect()
    }
}
