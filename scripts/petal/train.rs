//! `petal train`

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use petal::data::Split;
use petal::learner::{Kind, Learner};
use petal::prelude::*;
use petal::train::Ended;
use petal::train::run::record::REPORT;
use petal::{export, files};
use serde_json::json;

use crate::LimitOptions;
use crate::interrupt::Interrupt;
use crate::output::{Output, lossy};
use crate::photos::Photos;
use crate::progress::Training;
use crate::settings::Settings;

/// What to train, and how. What is not given is as the recipe says.
#[derive(Args)]
pub(crate) struct Options {
    /// Without --photos or --labels: the split that is in the data folder.
    #[command(flatten)]
    photos: Photos,
    /// The transfer model, or the small network from scratch.
    #[arg(long, value_enum, default_value = "transfer")]
    model: Which,
    #[command(flatten)]
    settings: Settings,
    /// Name of the run's folder; without it, made from the settings.
    #[arg(long)]
    run: Option<String>,
    /// Most epochs of the head's phase.
    #[arg(long)]
    epochs_head: Option<usize>,
    /// Most epochs of the fine-tuning phase; for the baseline, of its only phase.
    #[arg(long)]
    epochs_tune: Option<usize>,
    /// Minutes that training may take: epochs, and which layers, are planned from the speed of the first steps. For recipes with a head and upper layers.
    #[arg(long, conflicts_with_all = ["epochs_tune"])]
    minutes: Option<f64>,
    /// Put the model into models/best_model.safetensors (baseline_model.safetensors), even where another run's is there.
    #[arg(long)]
    replace_model: bool,
    /// Leave the features of training photos out of the model file: unknown photos are told by their energy then (setting trust.bank).
    #[arg(long)]
    without_bank: bool,
    /// Compute the frozen layers anew each epoch instead of keeping their results on disk.
    #[arg(long)]
    no_cache: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Transfer,
    Baseline,
}

impl Options {
    /// Trains all phases, then measures the best epoch on the test photos.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        let since = Instant::now();
        let mut config = self.config(project)?;
        config.limits = limits.over(config.limits);
        let splits = self.photos.splits(project, &mut config)?;
        let kind = match self.model {
            Which::Baseline => Kind::Baseline,
            Which::Transfer => Kind::Transfer,
        };
        config = self.settings.with_chosen_network(config, project, &splits)?;
        let mut learner = Learner::in_run(project, &splits, &config, kind, self.run.as_deref())?;
        let interrupt = Interrupt::watch()?;
        let mut training = Training::new(interrupt.clone());
        eprintln!(
            "to stop after the current step and keep everything: Ctrl-C, or the file {}",
            learner.run().stop_file().display()
        );
        let first = if self.minutes.is_some() { 1 } else { usize::MAX };
        for phase in learner.phases().into_iter().take(first) {
            if fit(&mut learner, &phase, &mut training)? == Ended::Stopped {
                return Ok(stopped(&learner));
            }
        }
        if let Some(minutes) = self.minutes {
            eprintln!("{}", learner.plan(minutes, since)?);
            for phase in learner.phases().into_iter().skip(1) {
                if fit(&mut learner, &phase, &mut training)? == Ended::Stopped {
                    return Ok(stopped(&learner));
                }
            }
        }
        if interrupt.is_asked() {
            return Ok(stopped(&learner));
        }
        let evaluation = learner.evaluate(Split::Test)?;
        let accuracy = evaluation.accuracy();
        learner.info_mut().metrics.insert("test_accuracy".into(), accuracy.value);
        let best = learner.run().best();
        let kept = self.keep(project, &mut learner)?;
        let history = learner.history()?;
        let text = format!(
            "test accuracy {:.1} % (95 % interval {:.1} to {:.1} %, {} photos; by guessing the largest class, {:.1} %)\n\
             model file {}\n{}run {}\nits page {}\n",
            100.0 * accuracy.value,
            100.0 * accuracy.low,
            100.0 * accuracy.high,
            evaluation.predictions.len(),
            100.0 * evaluation.guess(),
            best.display(),
            kept.said,
            learner.run().folder.display(),
            learner.run().folder.join(REPORT).display()
        );
        let json = json!({
            "model": lossy(&best),
            "sha256": files::sha256_file(&best)?,
            "kept": kept.path.as_ref().map(lossy),
            "split": crate::split_dataset::told(&splits),
            "run": lossy(&learner.run().folder),
            "epochs": history.epochs,
            "ended": history.ended,
            "test": crate::evaluate::numbers(&evaluation),
            "peak_memory_bytes": petal::project::peak_memory(),
        });
        Ok(Output::done(text, json))
    }

    /// Keeps the model under its usual name, beside the runs, where no other run's is there.
    fn keep(&self, project: &Project, learner: &mut Learner) -> Result<Kept> {
        let file = project.models.join(match self.model {
            Which::Transfer => "best_model.safetensors",
            // A file of its own, so that the baseline does not take the place of the model it is compared with.
            Which::Baseline => "baseline_model.safetensors",
        });
        let own = learner.run().folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(other) = other_run(&file, &own)
            && !self.replace_model
        {
            let said = format!("{} stays that of {other}; --replace-model puts this one there\n", file.display());
            return Ok(Kept { said, path: None });
        }
        learner.info_mut().run = Some(own);
        let saved = learner.save(&file)?;
        learner.info_mut().run = None;
        let card = saved.card().map_or(String::new(), |card| format!("its model card {card}\n"));
        Ok(Kept {
            said: format!("the same, with the run's name in it: {}\n{card}", saved.path.display()),
            path: Some(saved.path),
        })
    }

    fn config(&self, project: &Project) -> Result<Config> {
        self.settings.config(project, &self.photos, |config| {
            if let Some(epochs) = self.epochs_head {
                (config.head.epochs, config.head.least_steps) = (epochs, 0);
            }
            if let Some(epochs) = self.epochs_tune {
                (config.fine_tune.epochs, config.fine_tune.least_steps) = (epochs, 0);
                (config.baseline.epochs, config.baseline.least_steps) = (epochs, 0);
            }
            config.cache &= !self.no_cache;
            config.trust.bank &= !self.without_bank;
        })
    }
}

/// Trains a phase, and says how it ended.
fn fit(learner: &mut Learner, phase: &Phase, training: &mut Training) -> Result<Ended> {
    let fitted = learner.fit_with(phase, &mut |event| training.show(event))?;
    training.clear();
    match &fitted.ended {
        Ended::Before => eprintln!("phase {} was finished before with the same settings", phase.name),
        Ended::Finished(reason) => eprintln!("phase {}: {reason}", phase.name),
        Ended::Stopped => {}
    }
    Ok(fitted.ended)
}

/// What became of the model file beside the runs.
struct Kept {
    said: String,
    /// None where another run's model stays there.
    path: Option<PathBuf>,
}

/// Whose model a file is, where it is not this run's.
fn other_run(file: &Path, own: &str) -> Option<String> {
    if !file.exists() {
        return None;
    }
    match export::info(file) {
        Ok(info) => match info.run {
            Some(run) if run == own => None,
            Some(run) => Some(format!("run {run}")),
            None => Some("a run that it does not name".into()),
        },
        Err(_) => Some("something else than a run".into()),
    }
}

fn stopped(learner: &Learner) -> Output {
    let run = &learner.run().folder;
    let text = format!("stopped; everything is kept in {}\nto go on: the same command again\n", run.display());
    Output::stopped(text, json!({"stopped": true, "run": run}))
}
