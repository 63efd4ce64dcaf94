//! A learner is made: the network, its weights, its run.

use std::collections::{BTreeMap, BTreeSet};

use super::Learner;
use super::held::{Best, Held};
use super::network::{Kind, pretrain, unit};
use crate::base::config::{Balance, Config};
use crate::base::error::{Error, Result};
use crate::base::project::Project;
use crate::base::seed::Seed;
use crate::data::Splits;
use crate::export::ModelInfo;
use crate::models::{Architecture, Model};
use crate::pixels::Preprocess;
use crate::train::{Family, Phase};

impl Learner {
    /// The pretrained network that the settings name, with a new head for the photos' classes.
    ///
    /// # Errors
    /// What loading the weights can give; [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if the run's folder cannot be gone on from.
    pub fn new(project: &Project, splits: &Splits, config: &Config) -> Result<Self> {
        Self::in_run(project, splits, config, Kind::Transfer, None)
    }

    /// The small network from scratch.
    pub fn baseline(project: &Project, splits: &Splits, config: &Config) -> Result<Self> {
        Self::in_run(project, splits, config, Kind::Baseline, None)
    }

    /// Either network, in a run folder of this name; without one, the name is made from the settings.
    pub fn in_run(project: &Project, splits: &Splits, config: &Config, kind: Kind, name: Option<&str>) -> Result<Self> {
        config.check()?;
        project.check_origin()?;
        let config = &config.of_photos(splits.train.samples.len());
        let classes = splits.classes.len();
        let architecture = match kind {
            Kind::Baseline => Architecture::Baseline { classes, image_size: config.image_size },
            Kind::Transfer => Architecture::Transfer {
                backbone: config.backbone,
                hidden: config.classifier.hidden,
                dropout: config.classifier.dropout,
                classes,
            },
        };
        let model = Model::new(&architecture, Seed(config.seed), &project.device)?.in_precision(config.precision)?;
        let (preprocess, origin) = match kind {
            Kind::Baseline => (unit(config.image_size), None),
            Kind::Transfer => pretrain(&model, config, project)?,
        };
        let preprocess = Preprocess { size: config.image_size, fit: config.fit, ..preprocess };
        let info = ModelInfo {
            architecture,
            classes: splits.classes.to_vec(),
            preprocess,
            test: config.test,
            precision: config.precision,
            backbone_weights: origin,
            metrics: BTreeMap::new(),
            run: None,
            trust: None,
        };
        let made_with = made_with(&info, splits, config, kind);
        let runs = project.models.join("runs");
        let family = match name {
            Some(name) => Family::new(&runs, &info.name(), made_with).named(plain(name)?),
            None => Family::new(&runs, &info.name(), made_with),
        };
        let run = family.open(&phases(config, kind))?;
        let (project, splits) = (project.clone(), splits.clone());
        // What the run says of its photos is what they are, whatever the settings say.
        let config = Config { source: splits.source(), ..config.clone() };
        let held = Held { best: Some(Best::default()), changed: BTreeSet::new() };
        let asked = config.clone();
        let mut learner = Self { project, splits, asked, config, model, info, family, run, held, is_reset: false };
        learner.hold_best()?;
        Ok(learner)
    }
}

/// Everything that decides the numbers of a run but its phases, key by key. `cache` is not among them: it changes none.
fn made_with(info: &ModelInfo, splits: &Splits, config: &Config, kind: Kind) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::from([
        ("architecture".to_string(), json(&info.architecture)),
        ("augment".into(), json(&config.augment)),
        ("batch_size".into(), config.batch_size.to_string()),
        ("classes".into(), splits.classes.join(", ")),
        ("photos.train".into(), splits.train.sha256.clone()),
        ("photos.val".into(), splits.val.sha256.clone()),
        ("preprocess".into(), json(&info.preprocess)),
        ("seed".into(), config.seed.to_string()),
    ]);
    if config.balance != Balance::None {
        keys.insert("balance".into(), json(&config.balance));
    }
    if !config.precision.is_f32() {
        keys.insert("precision".into(), config.precision.name().into());
    }
    if kind == Kind::Transfer {
        keys.insert("views".into(), config.views.to_string());
        let origin = info.backbone_weights.as_ref().map_or("random".to_string(), |origin| origin.sha256.clone());
        keys.insert("weights".into(), origin);
    }
    keys
}

/// The phases that the settings name, in order.
pub(super) fn phases(config: &Config, kind: Kind) -> Vec<Phase> {
    let mut phases = match kind {
        Kind::Baseline => vec![Phase::baseline(config)],
        Kind::Transfer => vec![Phase::head(config), Phase::upper(config)],
    };
    phases.retain(|phase| phase.epochs > 0);
    phases
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|cause| unreachable!("plain settings always serialize: {cause}"))
}

/// A run's name, if it is one that every file system takes as it is.
fn plain(name: &str) -> Result<&str> {
    let plain = !name.is_empty() && name.len() <= 100 && !name.starts_with('.');
    if plain && name.chars().all(|c| c.is_alphanumeric() || "-_. ".contains(c)) {
        return Ok(name);
    }
    Err(Error::config("run", format_args!("{name:?}"), "letters, digits, '-', '_', '.' and spaces"))
}
