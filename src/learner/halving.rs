//! A search among settings: all of them for a few epochs, the better half for twice as many, and so on.

use std::ops::ControlFlow;

use super::Learner;
use crate::base::config::{Candidate, Config};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::project::Project;
use crate::base::work::{Progress, Unit, Work};
use crate::data::Splits;
use crate::report::Bar;
use crate::report::telling::asked_to_stop;
use crate::train::{Ended, Event, Halving, Rung, Tried, halving};

/// Tries settings by successive halving: each trains with `first` epochs in its last phase, the better half (by validation accuracy, of equals by loss)
/// with twice as many, and so on until those that are left have had all their epochs. A run of its own for each, as if it had been trained by hand:
/// what was done is found again, so that a search that was stopped goes on, and one over more settings begins with what is known.
///
/// The test photos are not read. Measure the winner on them, once, when the choice is made.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project, splits: &Splits, config: &Config) -> Result<()> {
/// let candidates = config.grid(&["recipe=seed,best", "fine_tune.learning_rate=1e-4,2e-4,4e-4"])?;
/// let found = sweep(project, splits, &candidates, 1)?; // as a cell's last line: a table and a picture
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] without candidates, for two of one name, or for settings without a phase; those of [`Learner::fit`].
pub fn sweep(project: &Project, splits: &Splits, candidates: &[Candidate], first: usize) -> Result<Halving> {
    let mut bar = Bar::new();
    let candidates = of_photos(candidates, splits);
    let mut work = Work::new("trying settings", Unit::Epochs, epochs_at_most(&candidates, first) as u64);
    let found = sweep_with(project, splits, &candidates, first, &mut |_, event| {
        work.done = work.total.min(work.done + u64::from(matches!(event, Event::Epoch { .. })));
        match bar.tell(&work) {
            ControlFlow::Continue(()) => asked_to_stop(),
            stop => stop,
        }
    })?;
    work.end(&mut bar)?;
    Ok(found)
}

/// The same; `observe` is told of every event of every training, with the candidate's name, and may stop it. Nothing is printed.
pub fn sweep_with(
    project: &Project,
    splits: &Splits,
    candidates: &[Candidate],
    first: usize,
    observe: &mut dyn FnMut(&str, &Event) -> ControlFlow<()>,
) -> Result<Halving> {
    check(candidates, first)?;
    let candidates = of_photos(candidates, splits);
    let mut left: Vec<&Candidate> = candidates.iter().collect();
    let mut found = Halving { photos: splits.val.samples.len(), rungs: Vec::new(), is_stopped: false };
    let mut epochs = first;
    loop {
        let mut rung = Rung { epochs, tried: Vec::new(), kept: 0 };
        for candidate in &left {
            match try_out(project, splits, candidate, epochs, observe)? {
                Some(tried) => rung.tried.push(tried),
                None => {
                    found.is_stopped = true;
                    break;
                }
            }
        }
        halving::rank(&mut rung.tried);
        let better = rung.tried.iter().take(left.len().div_ceil(2));
        left = better.filter_map(|tried| left.iter().find(|candidate| candidate.name == tried.name).copied()).collect();
        // Where the better half has had all of its epochs, the best of it is known.
        let is_last = left.iter().all(|candidate| full(&candidate.config) <= epochs);
        rung.kept = if is_last || found.is_stopped { 0 } else { left.len() };
        found.rungs.push(rung);
        if is_last || found.is_stopped {
            return Ok(found);
        }
        // One that is left alone has nobody to be compared with.
        let most = left.iter().map(|candidate| full(&candidate.config)).max().unwrap_or(epochs);
        epochs = if left.len() == 1 { most } else { (2 * epochs).min(most) };
    }
}

/// The same candidates, with as many epochs as so many photos take.
fn of_photos(candidates: &[Candidate], splits: &Splits) -> Vec<Candidate> {
    let photos = splits.train.samples.len();
    let of =
        |candidate: &Candidate| Candidate { name: candidate.name.clone(), config: candidate.config.of_photos(photos) };
    candidates.iter().map(of).collect()
}

/// Trains one candidate with at most so many epochs; none where it was stopped.
fn try_out(
    project: &Project,
    splits: &Splits,
    candidate: &Candidate,
    epochs: usize,
    observe: &mut dyn FnMut(&str, &Event) -> ControlFlow<()>,
) -> Result<Option<Tried>> {
    let mut learner = Learner::new(project, splits, &with_epochs(&candidate.config, epochs))?;
    let phases = learner.phases();
    for phase in &phases {
        let fitted = learner.fit_with(phase, &mut |event| observe(&candidate.name, event))?;
        if fitted.ended == Ended::Stopped {
            return Ok(None);
        }
    }
    // A run that went on in an earlier search has more epochs than this round gives.
    let mut history = learner.history()?;
    let mut taken = 0;
    history.epochs.retain(|epoch| {
        taken += usize::from(phases.last().is_some_and(|last| last.name == epoch.phase));
        taken <= epochs
    });
    let what = || Error::new(ErrorKind::Config, format!("{}: no epoch was trained", candidate.name));
    let best = history.best().ok_or_else(what)?;
    Ok(Some(Tried {
        name: candidate.name.clone(),
        run: learner.run().folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        accuracy: best.val_accuracy,
        loss: best.val_loss,
        seconds: history.epochs.iter().map(|epoch| epoch.seconds).sum(),
    }))
}

/// The epochs of the last phase.
fn full(config: &Config) -> usize {
    if config.fine_tune.epochs > 0 { config.fine_tune.epochs } else { config.head.epochs }
}

fn with_epochs(config: &Config, epochs: usize) -> Config {
    let mut config = config.clone();
    let last = if config.fine_tune.epochs > 0 { &mut config.fine_tune } else { &mut config.head };
    last.epochs = last.epochs.min(epochs);
    config
}

fn check(candidates: &[Candidate], first: usize) -> Result<()> {
    let names: std::collections::BTreeSet<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    if candidates.is_empty() || first == 0 || names.len() < candidates.len() {
        let got = format_args!("{} candidates of {} names, first {first} epochs", candidates.len(), names.len());
        return Err(Error::config(
            "the sweep",
            got,
            "at least one candidate, each with a name of its own, and an epoch",
        )
        .mend("config.grid(&[\"fine_tune.learning_rate=1e-4,2e-4\"])?"));
    }
    match candidates.iter().find(|candidate| full(&candidate.config) == 0) {
        Some(idle) => {
            Err(Error::config("the epochs of all phases", 0, "at least one").mend(format!("see {}", idle.name)))
        }
        None => Ok(()),
    }
}

/// The epochs of all trainings, if nothing is known yet and every phase takes all of its own.
fn epochs_at_most(candidates: &[Candidate], first: usize) -> usize {
    let head = |config: &Config| if config.fine_tune.epochs > 0 { config.head.epochs } else { 0 };
    let heads = candidates.iter().map(|candidate| head(&candidate.config)).max().unwrap_or(0);
    let most = candidates.iter().map(|candidate| full(&candidate.config)).max().unwrap_or(0);
    let (mut left, mut epochs, mut sum) = (candidates.len(), first, 0);
    loop {
        sum += left * (heads + epochs.min(most));
        if epochs >= most {
            return sum;
        }
        left = left.div_ceil(2);
        epochs = if left == 1 { most } else { 2 * epochs };
    }
}
