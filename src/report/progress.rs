//! What a cell prints while it trains: a table that grows by a line an epoch, and a line now and then inside long work.

use std::time::{Duration, Instant};

use super::plain::printable;
use super::words::{about, bytes, counted, duration, thousands};
use crate::train::{Ended, Event, Evicted, History, Room, Run, State, Status, Tracker};

/// How long nothing may be heard inside an epoch.
const QUIET: Duration = Duration::from_secs(15);

/// The head of the table. Its rows are `row`'s.
const HEAD: &str = "epoch   train loss  accuracy     val loss  accuracy        time";

/// Tells what a training does, line by line: evcxr shows whole lines only, so there are no bars here.
pub struct Lines<'a> {
    say: Box<dyn FnMut(&str) + Send + 'a>,
    stop_file: String,
    tracker: Tracker,
    /// Whether the table's head was said.
    headed: bool,
    last: Instant,
}

impl<'a> Lines<'a> {
    /// Lines about a training of this run, each given to `say`.
    pub fn new(run: &Run, say: impl FnMut(&str) + Send + 'a) -> Self {
        let stop_file = run.stop_file().display().to_string();
        Self { say: Box::new(say), stop_file, tracker: Tracker::default(), headed: false, last: Instant::now() }
    }

    /// The same, printed on the standard output.
    pub fn printed(run: &Run) -> Self {
        Self::new(run, |line| println!("{line}"))
    }

    /// Says the line for an event, if it has one.
    pub fn observe(&mut self, event: &Event) {
        self.tracker.observe(event);
        match event {
            Event::Placed { note } => self.say(&printable(note)),
            Event::Begin { phase, epochs, steps, .. } => {
                let on = after(*epochs, *steps).map_or(String::new(), |after| format!(", going on after {after}"));
                let (name, rate) = (printable(&phase.name), phase.learning_rate);
                self.say(&format!(
                    "phase {name}: up to {}, learning rate {rate:e}{on}",
                    counted(phase.epochs, "epoch")
                ));
                let stop_file = printable(&self.stop_file);
                self.say(&format!("to stop after the current step and keep everything: create the file {stop_file}"));
                self.headed = false;
            }
            Event::Room(needed) => self.say(&room(needed)),
            Event::Caching { done, total } if done == total => {
                self.say(&format!("frozen layers: {} photos are ready", thousands(*total as u64)));
            }
            Event::Step { done, total, .. } if done == total => {}
            Event::Caching { .. } | Event::Step { .. } | Event::Validating { .. } | Event::Measuring { .. } => {
                if self.last.elapsed() >= QUIET {
                    let line = line(self.tracker.status());
                    self.say(&line);
                }
            }
            Event::Epoch { epoch, .. } => {
                if !std::mem::replace(&mut self.headed, true) {
                    self.say(HEAD);
                }
                let left = self.tracker.status().seconds_left.filter(|seconds| *seconds >= 1.0);
                let left = left.map_or(String::new(), |seconds| format!("  {} left", about(seconds)));
                self.say(&format!(
                    "{:>5}   {:>10.4}  {:>6.1} %   {:>10.4}  {:>6.1} %  {:>10}{}{left}",
                    epoch.epoch,
                    epoch.train_loss,
                    100.0 * epoch.train_accuracy,
                    epoch.val_loss,
                    100.0 * epoch.val_accuracy,
                    duration(epoch.seconds),
                    if epoch.best { "  best" } else { "      " },
                ));
            }
        }
    }

    /// Says how it ended.
    pub fn end(&mut self, ended: &Ended, history: &History) {
        let best = history
            .best()
            .map_or(String::new(), |best| format!("; the best is epoch {}, val loss {:.4}", best.epoch, best.val_loss));
        self.say(&format!("{}{best}", self::ended(ended)));
    }

    fn say(&mut self, line: &str) {
        (self.say)(line.trim_end());
        self.last = Instant::now();
    }
}

impl std::fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lines {{ tracker: {:?} }}", self.tracker)
    }
}

/// What the cache needs, and what made room for it, in one line.
pub fn room(room: &Room) -> String {
    let free = if room.free > 0 { bytes(room.free) } else { "an unknown number of bytes".into() };
    let gone = match room.evicted {
        Evicted { files: 0, .. } => String::new(),
        gone => format!("; {} that nobody had used for longest made room", evicted(&gone)),
    };
    format!("frozen layers: {} go into the cache, {free} are free{gone}", bytes(room.needed))
}

/// Cache files that were removed: how many, and their size.
pub(super) fn evicted(gone: &Evicted) -> String {
    format!("{} of the cache ({})", counted(gone.files, "file"), bytes(gone.bytes))
}

/// What a phase goes on after, where it had begun before: `epoch 2 and 5 steps`.
pub fn after(epochs: usize, steps: usize) -> Option<String> {
    match (epochs, steps) {
        (0, 0) => None,
        (0, steps) => Some(counted(steps, "step")),
        (epochs, 0) => Some(format!("epoch {epochs}")),
        (epochs, steps) => Some(format!("epoch {epochs} and {}", counted(steps, "step"))),
    }
}

/// How a call of `fit` ended, in words.
pub fn ended(ended: &Ended) -> String {
    match ended {
        Ended::Before => "this phase was finished before with the same settings; nothing was trained".into(),
        Ended::Stopped => "stopped; everything is kept. Run this again to go on".into(),
        Ended::Finished(reason) => format!("finished: {reason}"),
    }
}

/// How a training stands, in one line.
pub fn line(status: &Status) -> String {
    let Status { epoch, epochs, done, total, .. } = *status;
    let photos = format!("{} of {} photos", thousands(done as u64), thousands(total as u64));
    let left = status.seconds_left.map_or(String::new(), |seconds| format!(", about {} left", about(seconds)));
    let loss = status.train_loss.map_or(String::new(), |loss| format!(", loss {loss:.4}"));
    let phase = printable(&status.phase);
    match status.state {
        State::Waiting => "training has not begun".into(),
        State::Preparing if total == 0 => format!("phase {phase}: starting"),
        State::Preparing => format!("phase {phase}, frozen layers: {photos}{left}"),
        State::Training if done == 0 => format!("phase {phase}, epoch {epoch} of {epochs}{left}"),
        State::Training if done == total => format!("phase {phase}, epoch {epoch} of {epochs}: validation{left}"),
        State::Training => format!("phase {phase}, epoch {epoch} of {epochs}: {photos}{loss}{left}"),
        State::Finished => format!("phase {phase} is finished: {}", printable(&status.message)),
        State::Stopped => {
            format!("phase {phase} was stopped in epoch {epoch} of {epochs}; run the fit cell again and it goes on")
        }
        // The first line of an error says what happened; the cell shows the rest.
        State::Failed => {
            format!("phase {phase} failed: {}", printable(status.message.lines().next().unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::PhaseConfig;
    use crate::models::Cut;
    use crate::train::{Epoch, Phase};

    #[test]
    fn what_the_cache_needs_and_what_went_is_said() {
        let needed = Room { needed: 1_300_000_000, free: 0, evicted: Evicted::default() };
        assert_eq!(room(&needed), "frozen layers: 1.3 GB go into the cache, an unknown number of bytes are free");
        let needed = Room { free: 20_000_000_000, evicted: Evicted { files: 1, bytes: 8_000 }, ..needed };
        assert!(
            room(&needed)
                .ends_with("20.0 GB are free; 1 file of the cache (8.0 kB) that nobody had used for longest made room")
        );
    }

    #[test]
    fn the_rows_stand_below_the_head() {
        let run = Run::new("run", Default::default());
        let phase = Phase::new("head", Cut::Features, PhaseConfig::new(3, 9, 1e-3));
        let mut said = Vec::new();
        {
            let mut lines = Lines::new(&run, |line| said.push(line.to_string()));
            lines.observe(&Event::Begin { phase: &phase, epochs: 0, steps: 0, history: &History::default() });
            for (number, best) in [(1, true), (2, false)] {
                let epoch = Epoch {
                    phase: "head".into(),
                    epoch: number,
                    learning_rate: 1e-3,
                    train_loss: 1.5,
                    train_accuracy: 0.475,
                    val_loss: 0.75,
                    val_accuracy: 1.0,
                    best,
                    seconds: 95.0,
                };
                lines.observe(&Event::Epoch { phase: &phase, epoch: &epoch });
            }
        }
        assert_eq!(
            said[2..],
            [
                "epoch   train loss  accuracy     val loss  accuracy        time",
                "    1       1.5000    47.5 %       0.7500   100.0 %  1 min 35 s  best  3 min 10 s left",
                "    2       1.5000    47.5 %       0.7500   100.0 %  1 min 35 s        1 min 35 s left",
            ]
        );
    }
}
