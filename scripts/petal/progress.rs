//! Progress on stderr: bars on a terminal, a line an epoch elsewhere.

use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};
use petal::train::Event;
use petal::{Progress, Unit, Work};

use crate::interrupt::Interrupt;
use crate::output::shown;

/// A bar for counted work. It hides itself where stderr is no terminal.
pub(crate) fn bar(what: &'static str, total: u64, bytes: bool) -> ProgressBar {
    let template = if bytes {
        "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left"
    } else {
        "{msg} {bar:30} {pos}/{len} {eta} left"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_message(what)
}

/// Bars for long work, one after another. Ctrl-C ends the process as ever: nothing is left half done.
#[derive(Default)]
pub(crate) struct Bars {
    now: Option<(String, ProgressBar)>,
}

impl Progress for Bars {
    fn tell(&mut self, work: &Work) -> ControlFlow<()> {
        if self.now.as_ref().is_none_or(|(name, _)| *name != work.name) {
            self.clear();
            let bar = bar("", work.total, work.unit == Unit::Bytes).with_message(work.name.clone());
            self.now = Some((work.name.to_string(), bar));
        }
        if let Some((_, bar)) = &self.now {
            bar.set_length(work.total);
            bar.set_position(work.done);
        }
        ControlFlow::Continue(())
    }
}

impl Bars {
    /// Says something else of the work than its name.
    fn say(&self, message: String) {
        if let Some((_, bar)) = &self.now {
            bar.set_message(message);
        }
    }

    fn clear(&mut self) {
        if let Some((_, bar)) = self.now.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Shows a training, and stops it where Ctrl-C asks for that.
pub(crate) struct Training {
    bars: Bars,
    interrupt: Interrupt,
}

impl Training {
    /// Shows a training until it is interrupted.
    pub(crate) fn new(interrupt: Interrupt) -> Self {
        Self { bars: Bars::default(), interrupt }
    }

    /// Shows an event. Asks to stop after Ctrl-C.
    pub(crate) fn show(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Placed { note } => eprintln!("{}", shown(note)),
            Event::Begin { phase, epochs, steps, .. } => {
                let after = petal::report::progress::after(*epochs, *steps);
                let on = after.map_or(String::new(), |after| format!(", going on after {after}"));
                eprintln!("phase {}: up to {} epochs{on}", phase.name, phase.epochs);
            }
            Event::Room(room) => eprintln!("{}", petal::report::progress::room(room)),
            Event::Caching { done, total } => self.step("frozen layers".into(), *done, *total),
            Event::Validating { done, total } => self.step("validation".into(), *done, *total),
            Event::Measuring { done, total } => self.step("how far to trust it".into(), *done, *total),
            Event::Step { epoch, done, total, loss, .. } => {
                self.step(format!("epoch {epoch}"), *done, *total);
                self.bars.say(format!("epoch {epoch} loss {loss:.4}"));
            }
            Event::Epoch { phase, epoch } => {
                self.clear();
                eprintln!(
                    "epoch {:>2}  {}  train {:.4} ({:.1} %)  val {:.4} ({:.1} %)  {:.1} s{}",
                    epoch.epoch,
                    phase.name,
                    epoch.train_loss,
                    100.0 * epoch.train_accuracy,
                    epoch.val_loss,
                    100.0 * epoch.val_accuracy,
                    epoch.seconds,
                    if epoch.best { "  best" } else { "" }
                );
            }
        }
        if self.interrupt.is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&mut self) {
        self.bars.clear();
    }

    fn step(&mut self, what: String, done: usize, total: usize) {
        // Whether to end is asked of the interrupt alone.
        let _ = self.bars.tell(&Work { done: done as u64, ..Work::new(what, Unit::Photos, total as u64) });
    }
}
