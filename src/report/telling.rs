//! How a cell shows a training while it runs.

use std::ops::ControlFlow;

use super::growing::Growing;
use super::kernel;
use super::progress::Lines;
use crate::train::{Ended, Event, History, Run};

/// How a cell shows a training: as one display that grows, where the kernel can show that, or else line by line.
#[derive(Debug)]
pub enum Telling<'a> {
    /// One display that grows.
    Growing(Box<Growing>),
    /// Lines.
    Lines(Box<Lines<'a>>),
}

impl<'a> Telling<'a> {
    /// A training of this run; `say` is given the lines, where there are any.
    pub fn new(run: &Run, say: impl FnMut(&str) + Send + 'a) -> Self {
        match Growing::new(run) {
            Some(growing) => Self::Growing(Box::new(growing)),
            None => Self::Lines(Box::new(Lines::new(run, say))),
        }
    }

    /// The same, with lines on the standard output.
    pub fn printed(run: &Run) -> Self {
        Self::new(run, |line| println!("{line}"))
    }

    /// Shows an event.
    pub fn observe(&mut self, event: &Event) {
        match self {
            Self::Growing(growing) => growing.observe(event),
            Self::Lines(lines) => lines.observe(event),
        }
    }

    /// Shows how it ended. Gives whether all of it was shown: the epochs, and their curves.
    pub fn end(self, ended: &Ended, history: &History) -> bool {
        match self {
            Self::Growing(growing) => {
                growing.end(ended, history);
                true
            }
            Self::Lines(mut lines) => {
                lines.end(ended, history);
                false
            }
        }
    }
}

/// Whether Jupyter's Stop asks the cell at hand to end: [`ControlFlow::Break`].
pub fn asked_to_stop() -> ControlFlow<()> {
    if kernel::is_stop_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
