//! What a run's folder shows while it trains: `status.json`, and the curves so far.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::progress::line;
use crate::base::error::Result;
use crate::base::files;
use crate::train::{Ended, Event, History, Run, Status, Tracker};

/// How often the files are written at most.
const EVERY: Duration = Duration::from_secs(1);

/// Keeps a run's `status.json` and `curves.png` while it trains.
///
/// Nothing depends on them, so a file that cannot be written is no reason to end a training: its checkpoints will tell if the
/// disk is full.
#[derive(Debug)]
pub struct Live {
    run: Run,
    tracker: Tracker,
    history: History,
    /// Epochs in the picture.
    pictured: usize,
    drawn: Option<Instant>,
    written: Option<Instant>,
    /// Before it has begun, the run may be another process's.
    begun: bool,
}

/// What `status.json` holds: the numbers, and the same in words.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(flatten)]
    status: Status,
    /// In words.
    line: String,
    /// From 0 to 1.
    share: f64,
    busy: bool,
    /// Epochs in `curves.png`; none means that there is no picture.
    pictured: usize,
    /// The run's folder.
    folder: String,
    /// Milliseconds since 1970.
    updated: u64,
}

impl Live {
    /// For a training of this run.
    pub fn new(run: &Run) -> Self {
        Self {
            run: run.clone(),
            tracker: Tracker::default(),
            history: History::default(),
            pictured: 0,
            drawn: None,
            written: None,
            begun: false,
        }
    }

    /// How the training stands.
    pub fn status(&self) -> &Status {
        self.tracker.status()
    }

    /// All epochs of the run so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Takes note of an event.
    pub fn observe(&mut self, event: &Event) {
        self.tracker.observe(event);
        match event {
            Event::Begin { history, .. } => {
                (self.begun, self.history) = (true, (*history).clone());
                self.draw();
                self.write();
            }
            Event::Epoch { epoch, .. } => {
                self.history.epochs.push((*epoch).clone());
                if due(self.drawn) {
                    self.draw();
                }
                self.write();
            }
            Event::Placed { .. } => {}
            Event::Room(_)
            | Event::Caching { .. }
            | Event::Step { .. }
            | Event::Validating { .. }
            | Event::Measuring { .. } => {
                if due(self.written) {
                    self.write();
                }
            }
        }
    }

    /// Takes note of how it ended.
    pub fn end(&mut self, ended: &Result<Ended>) {
        self.tracker.end(ended);
        if self.begun {
            self.draw();
            self.write();
        }
    }

    fn draw(&mut self) {
        let epochs = self.history.epochs.len();
        if epochs > self.pictured
            && let Ok(figure) = self.history.curves()
            && files::publish(&self.run.curves_file(), figure.png()).is_ok()
        {
            (self.pictured, self.drawn) = (epochs, Some(Instant::now()));
        }
    }

    fn write(&mut self) {
        // See the type: it is no reason to end a training.
        let _ = write(&self.run, self.tracker.status(), self.pictured);
        self.written = Some(Instant::now());
    }
}

/// Writes `status.json`.
fn write(run: &Run, status: &Status, pictured: usize) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let written = Written {
        status: status.clone(),
        line: line(status),
        share: status.share(),
        busy: status.state.is_busy(),
        pictured,
        folder: run.folder.display().to_string(),
        updated: now.as_millis() as u64,
    };
    let text = serde_json::to_string(&written).unwrap_or_else(|cause| unreachable!("plain values serialize: {cause}"));
    files::publish(&run.status_file(), text.as_bytes())
}

fn due(last: Option<Instant>) -> bool {
    last.is_none_or(|last| last.elapsed() >= EVERY)
}
