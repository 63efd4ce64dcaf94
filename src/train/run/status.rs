//! How a training stands, for whoever looks on: the notebook's panel, another program, a person.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::base::error::Result;
use crate::train::event::{Ended, Event};

/// What a training is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing yet.
    #[default]
    Waiting,
    /// The frozen layers compute what will be kept.
    Preparing,
    /// It learns.
    Training,
    /// The phase is done.
    Finished,
    /// Somebody asked it to stop; the next call goes on.
    Stopped,
    /// An error ended it.
    Failed,
}

impl State {
    /// Whether a process is at work on it.
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Preparing | Self::Training)
    }
}

/// How a training stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// The phase's name.
    pub phase: String,
    /// Epoch of this phase, counted from 1.
    pub epoch: usize,
    /// Most epochs of this phase.
    pub epochs: usize,
    /// Photos of the epoch so far; while preparing, photos of the frozen layers so far.
    pub done: usize,
    /// Photos of the epoch, or of the frozen layers.
    pub total: usize,
    /// Mean loss of the epoch so far, or of the last whole one.
    pub train_loss: Option<f64>,
    /// Accuracy of the epoch so far, or of the last whole one.
    pub train_accuracy: Option<f64>,
    /// Validation loss of the last whole epoch.
    pub val_loss: Option<f64>,
    /// Validation accuracy of the last whole epoch.
    pub val_accuracy: Option<f64>,
    /// The best epoch so far, counted over all phases.
    pub best_epoch: Option<usize>,
    /// About how long the phase will go on if its patience does not run out; while preparing, how long that will take.
    pub seconds_left: Option<f64>,
    /// Why it ended, where it has.
    pub message: String,
}

impl Status {
    /// How much of the phase is done, from 0 to 1; while the frozen layers compute, how much of that.
    pub fn share(&self) -> f64 {
        let part = if self.total == 0 { 0.0 } else { self.done as f64 / self.total as f64 };
        match self.state {
            State::Finished => 1.0,
            State::Preparing if self.total > 0 => part,
            _ if self.epochs == 0 => 0.0,
            _ => ((self.epoch.saturating_sub(1) as f64 + part) / self.epochs as f64).min(1.0),
        }
    }
}

/// Keeps a [`Status`] from what a training tells its observer.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    status: Status,
    /// When the first photos of this epoch (or of the frozen layers) were done, and how many those were. What came before has
    /// opened files and filled caches; it says little about the rest.
    since: Option<(Instant, usize)>,
    /// Seconds of the last epoch that was seen from its beginning.
    epoch_seconds: Option<f64>,
    /// Whether the epoch under way was begun in an earlier call.
    resumed: bool,
}

impl Tracker {
    /// How it stands.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Takes note of an event.
    pub fn observe(&mut self, event: &Event) {
        self.observe_at(event, Instant::now());
    }

    fn observe_at(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Begin { phase, epochs, steps, history } => {
                *self = Self { resumed: *steps > 0, ..Self::default() };
                let last = history.epochs.last();
                self.status = Status {
                    state: State::Preparing,
                    phase: phase.name.clone(),
                    epoch: epochs + 1,
                    epochs: phase.epochs,
                    train_loss: last.map(|epoch| epoch.train_loss),
                    train_accuracy: last.map(|epoch| epoch.train_accuracy),
                    val_loss: last.map(|epoch| epoch.val_loss),
                    val_accuracy: last.map(|epoch| epoch.val_accuracy),
                    best_epoch: history.best().map(|epoch| epoch.epoch),
                    ..Status::default()
                };
            }
            Event::Placed { .. } | Event::Room(_) | Event::Validating { .. } | Event::Measuring { .. } => {}
            Event::Caching { done, total } => {
                (self.status.done, self.status.total) = (*done, *total);
                self.status.seconds_left = self.rest(now);
            }
            Event::Step { done, total, loss, accuracy, .. } => {
                if self.status.state != State::Training {
                    (self.status.state, self.since) = (State::Training, None);
                }
                (self.status.done, self.status.total) = (*done, *total);
                (self.status.train_loss, self.status.train_accuracy) = (Some(*loss), Some(*accuracy));
                let Status { epoch, epochs, .. } = self.status;
                let rest = self.rest(now);
                let whole = self.epoch_seconds.or_else(|| Some(self.pace(now)? * *total as f64));
                let later = whole.map(|seconds| seconds * epochs.saturating_sub(epoch) as f64);
                self.status.seconds_left = rest.zip(later).map(|(rest, later)| rest + later);
            }
            Event::Epoch { epoch, .. } => {
                if !std::mem::take(&mut self.resumed) {
                    self.epoch_seconds = Some(epoch.seconds);
                }
                self.since = None;
                let status = &mut self.status;
                status.state = State::Training;
                status.seconds_left =
                    self.epoch_seconds.map(|seconds| seconds * status.epochs.saturating_sub(status.epoch) as f64);
                (status.train_loss, status.train_accuracy) = (Some(epoch.train_loss), Some(epoch.train_accuracy));
                (status.val_loss, status.val_accuracy) = (Some(epoch.val_loss), Some(epoch.val_accuracy));
                if epoch.best {
                    status.best_epoch = Some(epoch.epoch);
                }
                if status.epoch < status.epochs {
                    (status.epoch, status.done) = (status.epoch + 1, 0);
                }
            }
        }
    }

    /// Takes note of how it ended.
    pub fn end(&mut self, ended: &Result<Ended>) {
        let (state, message) = match ended {
            Ok(Ended::Before) => (State::Finished, "this phase was finished before".into()),
            Ok(Ended::Finished(reason)) => (State::Finished, reason.clone()),
            Ok(Ended::Stopped) => (State::Stopped, String::new()),
            Err(error) => (State::Failed, error.to_string()),
        };
        (self.status.state, self.status.message, self.status.seconds_left) = (state, message, None);
    }

    /// Seconds a photo, once that can be told.
    fn pace(&mut self, now: Instant) -> Option<f64> {
        let (since, first) = *self.since.get_or_insert((now, self.status.done));
        let spent = now.saturating_duration_since(since);
        let photos = self.status.done.saturating_sub(first);
        (spent > Duration::from_millis(500) && photos > 0).then(|| spent.as_secs_f64() / photos as f64)
    }

    /// Seconds until the end of this epoch, or of the frozen layers.
    fn rest(&mut self, now: Instant) -> Option<f64> {
        let rest = self.status.total.saturating_sub(self.status.done) as f64;
        let pace = self.pace(now);
        match self.epoch_seconds {
            // Measured from end to end: the validation photos are in it.
            Some(seconds) => Some(seconds * rest / self.status.total.max(1) as f64),
            None => pace.map(|pace| pace * rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::PhaseConfig;
    use crate::models::Cut;
    use crate::train::{Epoch, History, Phase};

    fn phase() -> Phase {
        Phase::new("head", Cut::Features, PhaseConfig::new(4, 9, 1e-3))
    }

    fn epoch(number: usize, seconds: f64, best: bool) -> Epoch {
        Epoch {
            phase: "head".into(),
            epoch: number,
            learning_rate: 1e-3,
            train_loss: 0.5,
            train_accuracy: 0.8,
            val_loss: 0.4,
            val_accuracy: 0.9,
            best,
            seconds,
        }
    }

    fn step(done: usize) -> Event<'static> {
        Event::Step { epoch: 1, done, total: 100, loss: 1.5, accuracy: 0.25 }
    }

    #[test]
    fn time_left_follows_the_pace_and_then_the_epochs() {
        let (phase, history, start) = (phase(), History::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut tracker = Tracker::default();
        tracker.observe_at(&Event::Begin { phase: &phase, epochs: 0, steps: 0, history: &history }, at(0));
        assert_eq!((tracker.status().state, tracker.status().epoch), (State::Preparing, 1));
        tracker.observe_at(&Event::Caching { done: 100, total: 400 }, at(1));
        assert_eq!(tracker.status().seconds_left, None);
        tracker.observe_at(&Event::Caching { done: 200, total: 400 }, at(3));
        assert_eq!((tracker.status().seconds_left, tracker.status().share()), (Some(4.0), 0.5));

        // The slow first step is left out: 10 photos a second from then on.
        tracker.observe_at(&step(10), at(20));
        assert_eq!((tracker.status().state, tracker.status().seconds_left), (State::Training, None));
        tracker.observe_at(&step(50), at(24));
        assert_eq!(tracker.status().seconds_left, Some(5.0 + 3.0 * 10.0));
        assert_eq!(tracker.status().share(), 0.125);

        tracker.observe_at(&Event::Epoch { phase: &phase, epoch: &epoch(1, 12.0, true) }, at(32));
        let status = tracker.status().clone();
        assert_eq!((status.seconds_left, status.epoch, status.share()), (Some(36.0), 2, 0.25));
        assert_eq!((status.best_epoch, status.val_accuracy), (Some(1), Some(0.9)));
        tracker.observe_at(&step(50), at(38));
        assert_eq!(tracker.status().seconds_left, Some(6.0 + 2.0 * 12.0));
    }

    #[test]
    fn an_epoch_that_was_gone_on_with_says_nothing_about_the_next() {
        let (phase, history) = (phase(), History { epochs: vec![epoch(1, 9.0, true)], ended: vec![] });
        let mut tracker = Tracker::default();
        tracker.observe(&Event::Begin { phase: &phase, epochs: 1, steps: 3, history: &history });
        assert_eq!((tracker.status().epoch, tracker.status().best_epoch), (2, Some(1)));
        assert_eq!(tracker.status().share(), 0.25, "what was done before counts from the start");
        tracker.observe(&Event::Epoch { phase: &phase, epoch: &epoch(2, 0.1, false) });
        assert_eq!((tracker.status().seconds_left, tracker.status().best_epoch), (None, Some(1)));
        tracker.observe(&Event::Epoch { phase: &phase, epoch: &epoch(3, 9.0, false) });
        assert_eq!(tracker.status().seconds_left, Some(9.0));
        tracker.end(&Ok(Ended::Stopped));
        assert_eq!((tracker.status().state, tracker.status().seconds_left), (State::Stopped, None));
        let text = serde_json::to_string(tracker.status()).unwrap();
        assert_eq!(&serde_json::from_str::<Status>(&text).unwrap(), tracker.status());
    }
}
