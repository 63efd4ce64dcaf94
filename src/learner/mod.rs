//! A network, its photos and its run folder together: what a notebook holds on to.

mod audit;
mod background;
mod budget;
mod build;
mod calibrate;
mod choose;
mod compare;
mod cross_validate;
mod explain;
mod export;
mod fit;
mod halving;
mod held;
mod interpret;
mod lr_find;
mod network;
mod predict;
mod record;
mod save;

use crate::base::config::{Config, TrustConfig};
use crate::base::error::Result;
use crate::base::project::Project;
use crate::base::seed::Seed;
use crate::data::{Loader, Split, Splits};
use crate::eval::Asked;
use crate::export::ModelInfo;
use crate::models::{Architecture, Cut, Model};
use crate::pixels::Preprocess;
use crate::report::gallery::batch;
use crate::report::{self, Figure, Table};
use crate::train::{Cache, Family, History, Job, Phase, Run, trust};

pub use background::Background;
pub use choose::{ChosenNetwork, TriedNetwork, choose_network, networks_at_hand};
pub use compare::{compare_over_seeds, compare_runs};
pub use cross_validate::CrossValidation;
pub use fit::Fitted;
pub use halving::{sweep, sweep_with};
pub use network::{Kind, backbone_model};
pub use predict::{Labelled, Predictions};
pub use save::Saved;

use held::{Held, Trained};

/// A network, its photos and its run folder together.
///
/// Training goes on from the run folder: after a stop, a crash or a restart of the kernel, the same calls continue. Other
/// settings, photos or weights make another run; so does a phase that computes something else than the one of its name before, and the
/// earlier run stays as it is ([`Learner::fit`]).
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project, splits: &Splits, config: &Config) -> Result<()> {
/// let mut learner = Learner::new(project, splits, config)?;
/// learner.fit_head()?; // the new head, on a frozen backbone
/// learner.fit_upper()?; // the head and the upper layers; fine_tune()? does both
/// let result = learner.evaluate(Split::Test)?; // as a last line: accuracy with its interval
/// learner.save("models/final_model.safetensors")?;
/// learner.predict("photo.jpg")?;
/// # Ok(()) }
/// ```
///
/// What its phases are, its settings say. A single one of them may be another: `learner.fit(&Phase { learning_rate: 3e-2, ..learner.head() })?`.
#[derive(Debug)]
pub struct Learner {
    project: Project,
    splits: Splits,
    /// The settings as they were given.
    asked: Config,
    /// The same, but for the phases that were trained otherwise: what the run's folder says.
    config: Config,
    model: Model,
    info: ModelInfo,
    /// The runs of these settings.
    family: Family,
    /// The one of them that the last phase was trained in, or the next one may be.
    run: Run,
    held: Held,
    /// Whether the run was reset: then the next phase trains here, even where another run holds it.
    is_reset: bool,
}

impl Learner {
    /// All epochs of this run so far.
    pub fn history(&self) -> Result<History> {
        Ok(self.run.progress()?.history)
    }

    /// Stage by stage: output shape, parameters, and how many of them train in the last phase.
    pub fn summary(&self) -> Result<Table> {
        let cut = match self.kind() {
            Kind::Baseline => Cut::Images,
            Kind::Transfer => self.upper().cut,
        };
        report::model_summary(&self.model, cut, self.config.image_size)
    }

    /// `n` photos to train on, drawn from the seed, as the network sees them in its first epoch: after augmentation.
    pub fn show_batch(&self, n: usize) -> Result<Figure> {
        batch(&self.train_loader(), Seed(self.config.seed), n)
    }

    /// `n` photos of any part, drawn from the seed, as the network sees them: those to train on after augmentation, others as they are.
    pub fn show_batch_of(&self, split: Split, n: usize) -> Result<Figure> {
        match split {
            Split::Train => self.show_batch(n),
            _ => batch(&self.loader(split), Seed(self.config.seed), n),
        }
    }

    /// The network itself, as this learner made or trained it.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What a model file says of it: classes, preprocessing, origin. Metrics may be added before [`Learner::save`].
    pub fn info_mut(&mut self) -> &mut ModelInfo {
        &mut self.info
    }

    /// What a model file says of it.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The settings; where a phase was trained with other ones than were given, with those.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How far it is trusted: whether its probabilities are calibrated, how often sets of classes hold, how rarely a known photo is called unknown. To be
    /// changed before photos are predicted: `learner.trust_mut().coverage = 0.9`.
    pub fn trust_mut(&mut self) -> &mut TrustConfig {
        &mut self.config.trust
    }

    /// Its folder.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Batches of a split, as this network was trained to see photos; not augmented.
    pub fn loader(&self, split: Split) -> Loader {
        let subset = self.splits.get(split);
        Loader::new(subset, self.info.preprocess, self.config.batch_size, &self.project.device)
    }

    /// The network as the settings ask it, [`ModelInfo::test`], trusted so far; and the batches of a split that it takes.
    fn asking<'a>(&self, model: &'a Trained, how: TrustConfig, split: Split) -> Result<(Asked<'a>, Loader)> {
        let asked = trust::asked(model, model.info(), how)?;
        let subset = self.splits.get(split);
        let loader = Loader::new(subset, *asked.preprocess(), self.config.batch_size, &self.project.device);
        Ok((asked, loader))
    }

    /// Its name in tables, with how it is asked where that is otherwise than it was trained.
    fn name_asked(&self, asked: &Asked) -> String {
        match asked.words(&self.info.preprocess) {
            words if words.is_empty() => self.info.name(),
            words => format!("{}, {words}", self.info.name()),
        }
    }

    /// Batches to train on: augmented.
    pub fn train_loader(&self) -> Loader {
        self.loader(Split::Train).augmented(self.config.augment, Seed(self.config.seed))
    }

    fn kind(&self) -> Kind {
        match self.info.architecture {
            Architecture::Baseline { .. } => Kind::Baseline,
            Architecture::Transfer { .. } => Kind::Transfer,
        }
    }

    /// Calls `work` with what a phase of this learner works on.
    fn with_job<R>(&self, phase: &Phase, work: impl FnOnce(&Job) -> R) -> R {
        let preprocess = &self.info.preprocess;
        let preprocess = Preprocess { size: phase.recipe.side().unwrap_or(preprocess.size), ..*preprocess };
        let train = Loader::new(&self.splits.train, preprocess, self.config.batch_size, &self.project.device);
        // What is solved for learns from photos as they are.
        let is_varied = !phase.recipe.is_instant();
        let train = if is_varied { train.augmented(self.config.augment, Seed(self.config.seed)) } else { train };
        work(&Job {
            model: &self.model,
            info: &self.info,
            train: &train,
            val: &self.loader(Split::Val),
            phase,
            config: &self.config,
            run: &self.run,
            cache: &Cache::folder(&self.project),
        })
    }
}
