//! A training that is seen while it runs: one display that grows under its cell.

use std::time::{Duration, Instant};

use super::bar::html;
use super::figure::Figure;
use super::kernel::Display;
use super::plain::printable;
use super::progress::{after, ended, line};
use super::stop_button::StopButton;
use super::view::View;
use crate::train::{Ended, Event, History, Run, State, Tracker};

/// How often it is drawn at most.
const EVERY: Duration = Duration::from_millis(300);

/// Shows a training in one display that grows: how far it is, the epochs so far, their curves. Without scripts, so it is the same in every
/// program that shows notebooks.
#[derive(Debug)]
pub struct Growing {
    display: Display,
    /// Goes with this, however the training ends.
    _button: Option<StopButton>,
    tracker: Tracker,
    history: History,
    /// The curves, and how many epochs are in them: a picture is drawn anew only where there is one more.
    curves: Option<(usize, Figure)>,
    drawn: Instant,
    notes: Vec<String>,
}

impl Growing {
    /// A display of a training of this run; none where the kernel shows nothing while a cell runs.
    pub fn new(run: &Run) -> Option<Self> {
        let text = line(Tracker::default().status());
        let display = Display::new(&[("text/html", &html(&text, None)), ("text/plain", &text)])?;
        Some(Self {
            display,
            _button: StopButton::new(&run.stop_file()),
            tracker: Tracker::default(),
            history: History::default(),
            curves: None,
            drawn: Instant::now(),
            notes: Vec::new(),
        })
    }

    /// Takes note of an event.
    pub fn observe(&mut self, event: &Event) {
        self.tracker.observe(event);
        let is_news = match event {
            Event::Begin { phase, epochs, steps, history } => {
                self.history = (*history).clone();
                let note = |after| format!("phase {}, going on after {after}", printable(&phase.name));
                self.notes.extend(after(*epochs, *steps).map(note));
                true
            }
            Event::Placed { note } => {
                self.notes.push((*note).to_string());
                true
            }
            Event::Epoch { epoch, .. } => {
                self.history.epochs.push((*epoch).clone());
                true
            }
            Event::Room(_)
            | Event::Caching { .. }
            | Event::Step { .. }
            | Event::Validating { .. }
            | Event::Measuring { .. } => false,
        };
        if is_news || self.drawn.elapsed() >= EVERY {
            self.draw(None);
        }
    }

    /// Shows how it ended; what is shown stays.
    pub fn end(mut self, how: &Ended, history: &History) {
        self.history = history.clone();
        self.draw(Some(ended(how)));
    }

    fn draw(&mut self, ended: Option<String>) {
        let status = self.tracker.status();
        let share = (ended.is_none() && status.state != State::Waiting).then(|| status.share());
        let text = ended.unwrap_or_else(|| line(status));
        let mut view = View::default();
        for note in &self.notes {
            view = view.line(note);
        }
        if !self.history.epochs.is_empty() {
            let epochs = self.history.epochs.len();
            // A curve of one epoch is a point.
            if epochs > 1 && self.curves.as_ref().is_none_or(|(drawn, _)| *drawn != epochs) {
                self.curves = self.history.curves().ok().map(|figure| (epochs, figure));
            }
            if let Some((_, figure)) = &self.curves {
                view = view.figure(figure.clone());
            }
            view = view.table_or_why(self.history.table());
        }
        let shown = format!("{}\n{}", html(&text, share), view.html());
        let plain = format!("{text}\n{}", view.text());
        self.display.update(&[("text/html", &shown), ("text/plain", plain.trim_end())]);
        self.drawn = Instant::now();
    }
}
