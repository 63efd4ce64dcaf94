//! A network, its photos and its run folder together: what a notebook holds on to.

mod background;
mod interpret;
mod lr_find;
mod predictions;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::config::{ClassifierConfig, Config, Fit};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, output};
use crate::base::project::Project;
use crate::base::seed::Seed;
use crate::data::{Loader, Split, Splits};
use crate::eval::{self, Evaluation, Prediction};
use crate::export::{self, ModelInfo};
use crate::models::{Architecture, Cut, Model, Origin, registry, weights};
use crate::pixels::{Filter, Preprocess};
use crate::report::live::Live;
use crate::report::progress::Lines;
use crate::report::{self, Figure, Table, View, Watch, shows};
use crate::train::{self, Cache, Ended, Event, Family, History, Job, Phase, Progress, Run};

pub use background::Background;
pub use predictions::Predictions;

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
/// learner.fit(&Phase::head(config))?; // the new head, on a frozen backbone
/// learner.fit(&Phase::fine_tune(config))?; // the head and the upper layers
/// let result = learner.evaluate(Split::Test)?; // as a last line: accuracy with its interval
/// learner.save("models/final_model.safetensors")?;
/// learner.predict("photo.jpg")?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Learner {
    project: Project,
    splits: Splits,
    config: Config,
    model: Model,
    info: ModelInfo,
    /// The runs of these settings.
    family: Family,
    /// The one of them that the last phase was trained in, or the next one may be.
    run: Run,
    held: Mutex<Held>,
    /// Whether the run was reset: then the next phase trains here, even where another run holds it.
    is_reset: bool,
}

/// What the model's values are.
#[derive(Clone, Debug)]
struct Held {
    /// Which of the run's best values they are; none where that is not known.
    best: Option<Best>,
    /// The tensors that may differ from those that the learner began with.
    changed: BTreeSet<String>,
}

/// The best epoch of a run, and its validation loss.
type Best = (usize, Option<f64>);

impl Learner {
    /// The pretrained network that the settings name, with a new head for the photos' classes.
    ///
    /// # Errors
    /// What loading the weights can give; [`ErrorKind::Checkpoint`] if the run's folder cannot be gone on from.
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
        let classes = splits.classes.len();
        let (architecture, preprocess) = match kind {
            Kind::Baseline => {
                let preprocess = Preprocess { fit: config.fit, ..unit(config.image_size) };
                (Architecture::Baseline { classes, image_size: config.image_size }, preprocess)
            }
            Kind::Transfer => {
                let preprocess = registry::weights(config.backbone).preprocess;
                let preprocess = Preprocess { size: config.image_size, fit: config.fit, ..preprocess };
                (
                    Architecture::Transfer {
                        backbone: config.backbone,
                        hidden: config.classifier.hidden,
                        dropout: config.classifier.dropout,
                        classes,
                    },
                    preprocess,
                )
            }
        };
        let model = Model::new(&architecture, Seed(config.seed), &project.device)?;
        let mut origin = None;
        if kind == Kind::Transfer {
            origin = pretrain(&model, config, project)?;
        }
        let info = ModelInfo {
            architecture,
            classes: splits.classes.to_vec(),
            preprocess,
            backbone_weights: origin,
            metrics: BTreeMap::new(),
            run: None,
        };
        let made_with = made_with(&info, splits, config, kind);
        let runs = project.models.join("runs");
        let family = match name {
            Some(name) => Family::new(&runs, &info.name(), made_with).named(plain(name)?),
            None => Family::new(&runs, &info.name(), made_with),
        };
        let run = family.open(&plan(config, kind))?;
        let (project, splits) = (project.clone(), splits.clone());
        // What the run says of its photos is what they are, whatever the settings say.
        let config = Config { source: splits.source(), ..config.clone() };
        let held = Mutex::new(Held { best: Some(Best::default()), changed: BTreeSet::new() });
        let learner = Self { project, splits, config, model, info, family, run, held, is_reset: false };
        learner.hold_best()?;
        Ok(learner)
    }

    /// Trains one phase, with a line an epoch on the standard output. A phase that a stop or a crash cut short goes on, as does one that ended
    /// with fewer epochs or less patience than are asked for now; one that is done is not trained again.
    ///
    /// What a phase computes is its identity ([`Phase::computes`]). One of the same name that computes something else trains anew from where
    /// the phases before it ended, in a run of its own; the earlier run stays beside it, and is found again when its settings are.
    ///
    /// # Errors
    /// See [`train::fit`]. A fine-tuning phase before the head's is an error too.
    pub fn fit(&mut self, phase: &Phase) -> Result<Fitted> {
        let note = self.settle(phase)?;
        let mut lines = Lines::printed(&self.run);
        let live = Mutex::new(Live::new(&self.run));
        let fitted = self.fit_shown(phase, note, &live, &mut |event| {
            lines.observe(event);
            ControlFlow::Continue(())
        })?;
        lines.end(&fitted.ended, &fitted.history);
        Ok(fitted)
    }

    /// Trains one phase and tells `observe` what happens; nothing is printed.
    pub fn fit_with(&mut self, phase: &Phase, observe: &mut dyn FnMut(&Event) -> ControlFlow<()>) -> Result<Fitted> {
        let note = self.settle(phase)?;
        let live = Mutex::new(Live::new(&self.run));
        self.fit_shown(phase, note, &live, observe)
    }

    /// Takes the run that a phase belongs to; gives what a person should know of it.
    fn settle(&mut self, phase: &Phase) -> Result<Option<String>> {
        self.project.check_origin()?;
        phase.check()?;
        if phase.cut == Cut::Upper && self.config.head.epochs > 0 && !self.run.progress()?.is_finished("head") {
            return Err(Error::new(
                ErrorKind::Config,
                "the head's phase is not finished; fine-tuning would start from noise",
            )
            .mend("run learner.fit(&Phase::head(&config)) to its end first"));
        }
        if phase.epochs == 0 || std::mem::take(&mut self.is_reset) {
            return Ok(None);
        }
        let placed = self.family.place(&self.run, phase)?;
        if placed.run.folder != self.run.folder {
            self.run = placed.run;
            self.held().best = None;
        }
        self.hold_best()?;
        Ok(placed.note)
    }

    /// A panel that shows this run while it trains, with a button that stops it: for a cell before the one that fits.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the run's folder cannot be written to.
    pub fn watch(&self) -> Result<Watch> {
        Watch::new(&self.run, in_jupyter())
    }

    fn fit_shown(
        &mut self,
        phase: &Phase,
        note: Option<String>,
        live: &Mutex<Live>,
        observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Fitted> {
        let live = || live.lock().unwrap_or_else(PoisonError::into_inner);
        remember(&mut self.config, phase);
        if let Some(note) = &note {
            // Asked to stop, it does so after the first step.
            let _ = observe(&Event::Placed { note });
        }
        let mut begun = Ok(());
        let mut observe = |event: &Event| {
            if matches!(event, Event::Begin { .. }) {
                // The run is locked, and can be written to.
                begun = self.record_begin();
            }
            live().observe(event);
            if begun.is_err() { ControlFlow::Break(()) } else { observe(event) }
        };
        let ended = self.with_job(phase, |job| train::fit(job, &mut observe));
        live().end(&ended);
        // However it ended, the model has the best values that are saved: those that the history speaks of.
        let trained = self.model.trainable_vars(phase.cut)?.into_iter().map(|(name, _)| name);
        self.held().changed.extend(trained);
        self.held().best = None;
        let held = self.hold_best();
        let ended = ended?;
        begun.and(held)?;
        if self.run.last().exists() {
            self.record_fit()?;
        }
        Ok(Fitted { ended, note, history: self.history()? })
    }

    /// Forgets this run's training, on the disk and in memory. Other runs stay.
    pub fn reset(&mut self) -> Result<()> {
        self.run.reset()?;
        self.is_reset = true;
        self.hold_best()
    }

    /// All epochs of this run so far.
    pub fn history(&self) -> Result<History> {
        Ok(self.run.progress()?.history)
    }

    /// Stage by stage: output shape, parameters, and how many of them train in the last phase.
    pub fn summary(&self) -> Result<Table> {
        let cut = match self.info.architecture {
            Architecture::Baseline { .. } => Cut::Images,
            Architecture::Transfer { .. } => Cut::Upper,
        };
        report::model_summary(&self.model, cut, self.config.image_size)
    }

    /// Predicts all photos of a split. The run's folder gets `predictions_<split>.csv`, the numbers in `metrics.json`, and a new page,
    /// `report.html`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if this run has not finished a phase yet.
    pub fn evaluate(&self, split: Split) -> Result<Evaluation> {
        self.check_trained()?;
        let evaluation = eval::evaluate(&self.model, &self.loader(split), &self.info.name())?;
        self.record_evaluation(split, &evaluation)?;
        Ok(evaluation)
    }

    /// Grad-CAM of these predictions, for the predicted classes: photo and overlay side by side. Also written to
    /// `visualizations/gradcam_example.png`.
    pub fn grad_cam(&self, predictions: &[Prediction]) -> Result<Figure> {
        self.grad_cam_for(predictions, None)
    }

    /// The same for the class of this name, whatever was predicted.
    pub fn grad_cam_of(&self, class: &str, predictions: &[Prediction]) -> Result<Figure> {
        self.grad_cam_for(predictions, Some(self.info.class(class)?))
    }

    fn grad_cam_for(&self, predictions: &[Prediction], class: Option<usize>) -> Result<Figure> {
        self.project.check_origin()?;
        self.check_trained()?;
        let ModelInfo { preprocess, classes, .. } = &self.info;
        let figure = report::grad_cam(&self.model, preprocess, classes, predictions, class)?;
        figure.save(self.project.visualizations.join("gradcam_example.png"))
    }

    /// Predicts one photo.
    pub fn predict(&self, path: impl AsRef<Path>) -> Result<Labelled> {
        self.check_trained()?;
        predictions::check_there(path.as_ref())?;
        let paths = [path.as_ref().to_path_buf()];
        let (mut found, mut unreadable) =
            eval::predict(&self.model, &self.info.preprocess, &paths, &self.config.limits, &self.project.device)?;
        match (found.pop(), unreadable.pop()) {
            (Some(prediction), _) => Ok(Labelled { prediction, classes: self.info.classes.clone() }),
            (None, Some(unreadable)) => Err(unreadable.error),
            (None, None) => Err(Error::new(ErrorKind::Image, "nothing came back for this photo").at(path.as_ref())),
        }
    }

    /// Writes the model to one file that needs nothing else: weights, classes, preprocessing. Another model file there is replaced; any other
    /// file is not.
    ///
    /// # Errors
    /// Those of [`output::write`]; [`ErrorKind::Config`] if this run has not finished a phase yet.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Saved> {
        self.check_trained()?;
        let path = path.as_ref();
        let bytes = export::to_bytes(&self.model, &self.info).map_err(|error| error.at(path))?;
        output::write(path, export::MODEL_FILE, &bytes)?;
        Ok(Saved { path: path.to_path_buf(), bytes: bytes.len() as u64, sha256: files::sha256(&bytes) })
    }

    /// The network itself.
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

    /// Its folder.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Batches of a split, as this network was trained to see photos; not augmented.
    pub fn loader(&self, split: Split) -> Loader {
        let subset = self.splits.get(split);
        Loader::new(subset, self.info.preprocess, self.config.batch_size, &self.project.device)
    }

    /// Calls `work` with what a phase of this learner works on.
    fn with_job<R>(&self, phase: &Phase, work: impl FnOnce(&Job) -> R) -> R {
        work(&Job {
            model: &self.model,
            info: &self.info,
            train: &self.loader(Split::Train).augmented(self.config.augment, Seed(self.config.seed)),
            val: &self.loader(Split::Val),
            phase,
            config: &self.config,
            run: &self.run,
            cache: &Cache::folder(&self.project),
        })
    }

    /// Fails before the first phase is finished. Sees that the model has the run's best values, even where another notebook or
    /// the command trained on.
    fn check_trained(&self) -> Result<()> {
        if self.run.progress()?.history.ended.is_empty() {
            return Err(Error::new(ErrorKind::Config, "this model has not finished a training phase yet")
                .at(&self.run.folder)
                .mend("run the fit cells first; a stopped one goes on where it was"));
        }
        self.hold_best()
    }

    /// Sees that the model has the run's best values, and those that it began with where the run has trained nothing.
    fn hold_best(&self) -> Result<()> {
        let best = Some(best_of(&self.run.progress()?));
        let Held { best: held, changed } = self.held().clone();
        if held == best {
            return Ok(());
        }
        let values = self.run.load(&self.project.device)?.best;
        if changed.iter().any(|name| !values.contains_key(name)) {
            // What another run has trained must not stay.
            let fresh = Model::new(&self.info.architecture, Seed(self.config.seed), &self.project.device)?;
            if matches!(self.info.architecture, Architecture::Transfer { .. }) {
                pretrain(&fresh, &self.config, &self.project)?;
            }
            let values = fresh.params().iter().map(|(name, param)| (name.to_string(), param.var.as_tensor().clone()));
            self.model.params().set_all(&values.collect())?;
        }
        self.model.params().set_all(&values).map_err(|error| {
            Error::new(ErrorKind::Checkpoint, format!("this checkpoint does not fit the network: {}", error.what()))
                .at(self.run.last())
                .mend("delete this file to train anew")
        })?;
        *self.held() = Held { best, changed: values.into_keys().collect() };
        Ok(())
    }

    /// Plain values: a panic while they were held leaves nothing half done.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn best_of(progress: &Progress) -> Best {
    (progress.monitor.best_epoch, progress.monitor.best)
}

/// Which network a [`Learner`] trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pretrained backbone with a new head.
    Transfer,
    /// The small network from scratch.
    Baseline,
}

/// What a call of [`Learner::fit`] came to.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// How it ended.
    pub ended: Ended,
    /// What should be known of where it was trained: in another run than before, and why.
    pub note: Option<String>,
    /// All epochs of the run.
    pub history: History,
}

/// A prediction with the names of its classes.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The prediction.
    pub prediction: Prediction,
    /// Class names, in the order of its probabilities.
    pub classes: Vec<String>,
}

/// A model file that was written.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

shows!(Fitted, Labelled, Saved);

impl Fitted {
    /// How it ended, and all epochs of the run.
    pub fn view(&self) -> View {
        let view = View::new(report::training::ended(&self.ended));
        self.note.iter().fold(view, View::line).and(self.history.view())
    }
}

impl Labelled {
    /// The most probable class.
    pub fn class(&self) -> &str {
        self.classes.get(self.prediction.best().0).map_or("", String::as_str)
    }

    /// The photo and the probability of each class.
    pub fn view(&self) -> View {
        report::predicted(&self.prediction, &self.classes)
    }
}

impl Saved {
    /// The file, its size, its hash.
    pub fn view(&self) -> View {
        View::new("the model is saved; this file needs nothing else").facts([
            ("file", self.path.display().to_string()),
            ("size", report::table::bytes(self.bytes)),
            ("SHA-256", self.sha256.clone()),
        ])
    }
}

/// Whether a Jupyter server has started this kernel: it sets this variable, other programs that run notebooks do not.
fn in_jupyter() -> bool {
    std::env::var_os("JPY_SESSION_NAME").is_some()
}

/// Puts the pretrained weights that the settings name into a model; says where they came from, if they are not random.
fn pretrain(model: &Model, config: &Config, project: &Project) -> Result<Option<Origin>> {
    let Some(loaded) = weights::load(config.backbone, &config.weights, &project.device, &project.models)? else {
        return Ok(None);
    };
    weights::apply(model, &loaded)?;
    Ok(Some(loaded.origin))
}

/// A pretrained backbone for its features alone, with its preprocessing. Its head is random and of no use.
pub fn backbone_model(config: &Config, project: &Project) -> Result<(Model, Preprocess)> {
    let ClassifierConfig { hidden, dropout } = config.classifier;
    let architecture = Architecture::Transfer { backbone: config.backbone, hidden, dropout, classes: 5 };
    let model = Model::new(&architecture, Seed(config.seed), &project.device)?;
    pretrain(&model, config, project)?;
    Ok((model, Preprocess { fit: config.fit, ..registry::weights(config.backbone).preprocess }))
}

/// The baseline's preprocessing: values from 0 to 1, as Keras' `Rescaling(1/255)`.
fn unit(size: usize) -> Preprocess {
    Preprocess { size, crop: 0.875, fit: Fit::Crop, filter: Filter::Bilinear, mean: [0.0; 3], std: [1.0; 3] }
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
    if kind == Kind::Transfer {
        keys.insert("views".into(), config.views.to_string());
        let origin = info.backbone_weights.as_ref().map_or("random".to_string(), |origin| origin.sha256.clone());
        keys.insert("weights".into(), origin);
    }
    keys
}

/// Settings that say what was trained, where a phase of theirs was changed by hand.
fn remember(config: &mut Config, phase: &Phase) {
    let is = |planned: Phase| (planned.name, planned.cut) == (phase.name.clone(), phase.cut);
    if is(Phase::head(config)) {
        config.head = phase.settings();
    } else if is(Phase::fine_tune(config)) {
        config.fine_tune = phase.settings();
    } else if is(Phase::baseline(config)) {
        config.baseline = phase.settings();
    }
}

/// The phases that the settings name.
fn plan(config: &Config, kind: Kind) -> Vec<Phase> {
    let mut phases = match kind {
        Kind::Baseline => vec![Phase::baseline(config)],
        Kind::Transfer => vec![Phase::head(config), Phase::fine_tune(config)],
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

/// Trains the small network from scratch, with a line an epoch on the standard output, and gives its learner.
pub fn train_baseline(project: &Project, splits: &Splits, config: &Config) -> Result<Learner> {
    let mut learner = Learner::baseline(project, splits, config)?;
    learner.fit(&Phase::baseline(config))?;
    Ok(learner)
}
