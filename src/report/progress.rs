//! What a cell prints while it trains: a line an epoch, and one now and then inside long work.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::train::{Ended, Event, History, Run};

/// How long nothing may be heard inside an epoch.
const QUIET: Duration = Duration::from_secs(15);

/// Prints what a training does, line by line: evcxr shows whole lines only, so there are no bars here.
#[derive(Debug)]
pub struct Lines {
    stop_file: String,
    last: Instant,
    begun: Option<Instant>,
}

impl Lines {
    /// Lines about a training of this run.
    pub fn new(run: &Run) -> Self {
        Self { stop_file: run.stop_file().display().to_string(), last: Instant::now(), begun: None }
    }

    /// Prints the line for an event, if it has one. Never asks to stop.
    pub fn show(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Begin { phase, epochs, steps } => {
                let on = match (*epochs, *steps) {
                    (0, 0) => String::new(),
                    (epochs, 0) => format!(", going on after epoch {epochs}"),
                    (epochs, steps) => format!(", going on after epoch {epochs} and {steps} steps"),
                };
                println!(
                    "phase {}: up to {} epochs, learning rate {:e}{on}",
                    phase.name, phase.epochs, phase.learning_rate
                );
                println!("to stop after the current step and keep everything: create the file {}", self.stop_file);
            }
            Event::Caching { done, total } => {
                if self.quiet_for(QUIET) || done == total {
                    let left = self.left(*done, *total);
                    self.say(&format!("  frozen layers: {done} of {total} photos{left}"));
                }
            }
            Event::Step { epoch, done, total, loss } => {
                self.begun.get_or_insert_with(Instant::now);
                if done < total && self.quiet_for(QUIET) {
                    let left = self.left(*done, *total);
                    self.say(&format!("  epoch {epoch}: {done} of {total} photos, loss {loss:.4}{left}"));
                }
            }
            Event::Epoch { phase, epoch } => {
                self.begun = None;
                let star = if epoch.best { "  best" } else { "" };
                self.say(&format!(
                    "epoch {:>2}  {}  train loss {:.4} acc {:5.1} %   val loss {:.4} acc {:5.1} %   {:.1} s{star}",
                    epoch.epoch,
                    phase.name,
                    epoch.train_loss,
                    100.0 * epoch.train_accuracy,
                    epoch.val_loss,
                    100.0 * epoch.val_accuracy,
                    epoch.seconds
                ));
            }
        }
        ControlFlow::Continue(())
    }

    /// Prints how it ended.
    pub fn end(&self, ended: &Ended, history: &History) {
        let best = history
            .best()
            .map_or(String::new(), |best| format!("; the best is epoch {}, val loss {:.4}", best.epoch, best.val_loss));
        println!("{}{best}", super::training::ended(ended));
    }

    fn quiet_for(&self, time: Duration) -> bool {
        self.last.elapsed() >= time
    }

    fn say(&mut self, line: &str) {
        println!("{line}");
        self.last = Instant::now();
    }

    fn left(&mut self, done: usize, total: usize) -> String {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        match begun.elapsed().as_secs_f64() {
            spent if spent > 1.0 && done > 0 => {
                format!(", about {:.0} s left", spent / done as f64 * (total - done) as f64)
            }
            _ => String::new(),
        }
    }
}
