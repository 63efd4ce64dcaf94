//! A learner trains: phase by phase, each in the run that it belongs to.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use super::Learner;
use super::build::phases;
use super::network::Kind;
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind, Result};
use crate::models::Cut;
use crate::report::live::Live;
use crate::report::progress;
use crate::report::telling::{Telling, asked_to_stop};
use crate::report::{View, shows};
use crate::train::{self, Ended, Event, History, Phase};

impl Learner {
    /// Phase 1 as the settings say: the new head alone, on a frozen backbone.
    pub fn head(&self) -> Phase {
        Phase::head(&self.asked)
    }

    /// Phase 2 as the settings say: the head and the backbone's upper layers.
    pub fn upper(&self) -> Phase {
        Phase::upper(&self.asked)
    }

    /// The phases that the settings name, in order: head and upper layers, or the baseline's only one. Those of no epochs are left out.
    pub fn phases(&self) -> Vec<Phase> {
        phases(&self.asked, self.kind())
    }

    /// Trains the head: [`Learner::fit`] of [`Learner::head`].
    ///
    /// # Errors
    /// Those of [`Learner::fit`].
    pub fn fit_head(&mut self) -> Result<Fitted> {
        self.fit(&self.head())
    }

    /// The head as [`Config::instant`] has it: solved for at once, not trained step by step.
    pub fn instant(&self) -> Phase {
        Phase::head(&Config { head: Config::instant().head, ..self.asked.clone() })
    }

    /// Solves for the head: [`Learner::fit`] of [`Learner::instant`]. Seconds, once the features are there.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(mut learner: Learner) -> Result<()> {
    /// learner.fit_instant()?;
    /// learner.evaluate(Split::Val)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Learner::fit`]; [`ErrorKind::Config`] if the head's hidden layer has fewer than two units a class.
    pub fn fit_instant(&mut self) -> Result<Fitted> {
        self.fit(&self.instant())
    }

    /// Trains the head and the upper layers, after the head alone: [`Learner::fit`] of [`Learner::upper`].
    ///
    /// # Errors
    /// Those of [`Learner::fit`].
    pub fn fit_upper(&mut self) -> Result<Fitted> {
        self.fit(&self.upper())
    }

    /// Trains the new head, then the head and the upper layers: [`Learner::fit_all`] of a pretrained network.
    ///
    /// # Errors
    /// Those of [`Learner::fit`]; [`ErrorKind::Config`] for the baseline, which has nothing to be tuned.
    pub fn fine_tune(&mut self) -> Result<Fitted> {
        if self.kind() == Kind::Baseline {
            let what = "this network learns from scratch: there is nothing to fine-tune";
            return Err(Error::new(ErrorKind::Config, what).mend("train it with learner.fit_all()"));
        }
        self.fit_all()
    }

    /// Trains [all phases that the settings name](Learner::phases), one after the other, until one is stopped; gives what the last one came to.
    ///
    /// # Errors
    /// Those of [`Learner::fit`]; [`ErrorKind::Config`] if the settings leave all phases out.
    pub fn fit_all(&mut self) -> Result<Fitted> {
        let mut last = None;
        for phase in self.phases() {
            let fitted = self.fit(&phase)?;
            let is_stopped = fitted.ended == Ended::Stopped;
            last = Some(fitted);
            if is_stopped {
                break;
            }
        }
        let what = "the settings leave all phases out: each has 0 epochs";
        last.ok_or_else(|| {
            Error::new(ErrorKind::Config, what).mend("give head.epochs, fine_tune.epochs or baseline.epochs")
        })
    }

    /// Trains one phase, shown in one display that grows, where the kernel can show one, or else with a line an epoch on the standard output. A phase that a stop or a crash cut short goes on, as does one that ended
    /// with fewer epochs or less patience than are asked for now; one that is done is not trained again.
    ///
    /// What a phase computes is its identity ([`Phase::computes`]). One of the same name that computes something else trains anew from where
    /// the phases before it ended, in a run of its own; the earlier run stays beside it, and is found again when its settings are.
    ///
    /// # Errors
    /// See [`train::fit`]. A phase of the upper layers before the head's is an error too.
    pub fn fit(&mut self, phase: &Phase) -> Result<Fitted> {
        let note = self.settle(phase)?;
        let mut telling = Telling::printed(&self.run);
        let live = Mutex::new(Live::new(&self.run));
        let fitted = self.fit_shown(phase, note, &live, &mut |event| {
            telling.observe(event);
            asked_to_stop()
        })?;
        let is_shown = telling.end(&fitted.ended, &fitted.history);
        Ok(Fitted { is_shown, ..fitted })
    }

    /// Trains one phase and tells `observe` what happens; nothing is printed.
    pub fn fit_with(&mut self, phase: &Phase, observe: &mut dyn FnMut(&Event) -> ControlFlow<()>) -> Result<Fitted> {
        let note = self.settle(phase)?;
        let live = Mutex::new(Live::new(&self.run));
        self.fit_shown(phase, note, &live, observe)
    }

    /// Takes the run that a phase belongs to; gives what a person should know of it.
    pub(super) fn settle(&mut self, phase: &Phase) -> Result<Option<String>> {
        self.project.check_origin()?;
        phase.check()?;
        let is_upper = phase.cut == Cut::Upper || phase.name == self.upper().name;
        if is_upper && self.config.head.epochs > 0 && !self.run.progress()?.is_finished("head") {
            return Err(Error::new(
                ErrorKind::Config,
                "the head's phase is not finished; fine-tuning would start from noise",
            )
            .mend("run learner.fit_head() to its end first"));
        }
        if phase.epochs == 0 || std::mem::take(&mut self.is_reset) {
            return Ok(None);
        }
        let placed = self.family.place(&self.run, phase)?;
        if placed.run.folder != self.run.folder {
            self.run = placed.run;
            self.held.best = None;
        }
        self.hold_best()?;
        Ok(placed.note)
    }

    pub(super) fn fit_shown(
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
        self.held.changed.extend(trained);
        self.held.best = None;
        let held = self.hold_best();
        let ended = ended?;
        begun.and(held)?;
        if self.run.last().exists() {
            self.record_fit()?;
        }
        Ok(Fitted { ended, note, history: self.history()?, is_shown: false })
    }

    /// Forgets this run's training, on the disk and in memory. Other runs stay.
    pub fn reset(&mut self) -> Result<()> {
        self.run.reset()?;
        self.is_reset = true;
        self.hold_best()
    }
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
    /// Whether the cell has shown the epochs and their curves while it trained: then it does not show them again.
    pub is_shown: bool,
}

impl Fitted {
    /// How it ended, and all epochs of the run.
    pub fn view(&self) -> View {
        let view = View::new(progress::ended(&self.ended));
        self.note.iter().fold(view, View::line).and(self.history.view())
    }

    /// Called by the notebook's kernel to show this.
    pub fn evcxr_display(&self) {
        if self.is_shown {
            let view = View::new(self.history.title());
            self.history.advice().into_iter().fold(view, View::hint).show();
        } else {
            self.view().show();
        }
    }
}

/// Settings that say what was trained, where a phase of theirs was changed by hand.
fn remember(config: &mut Config, phase: &Phase) {
    let is = |planned: Phase| (planned.name, planned.cut) == (phase.name.clone(), phase.cut);
    if is(Phase::head(config)) {
        config.head = phase.settings();
    } else if is(Phase::upper(config)) {
        config.fine_tune = phase.settings();
    } else if is(Phase::baseline(config)) {
        config.baseline = phase.settings();
    }
}

shows!(without_display Fitted);
