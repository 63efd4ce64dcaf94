//! What an observer of a training is told, and how it ended.

use super::cache::folder::Room;
use super::phase::Phase;
use super::run::history::{Epoch, History};

/// What an observer of a training is told.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A phase is trained in another run than before, or was trained there: why.
    Placed {
        /// What a person should know of it.
        note: &'a str,
    },
    /// The phase begins, or goes on after so many epochs and steps.
    Begin {
        /// The phase.
        phase: &'a Phase,
        /// Whole epochs of it that were done before.
        epochs: usize,
        /// Steps of the next epoch that were done before.
        steps: usize,
        /// All epochs of the run that were done before, of other phases too.
        history: &'a History,
    },
    /// The frozen part is going to compute what will be kept: how large that will be, and what older files of the cache made room.
    Room(Room),
    /// The frozen part computes what will be kept.
    Caching {
        /// Photos done.
        done: usize,
        /// Photos in all.
        total: usize,
    },
    /// A step was taken.
    Step {
        /// Epoch of this phase, counted from 1.
        epoch: usize,
        /// Photos of the epoch so far.
        done: usize,
        /// Photos of the epoch.
        total: usize,
        /// Mean loss of the epoch so far.
        loss: f64,
        /// Fraction of these photos that was right.
        accuracy: f64,
    },
    /// A batch was validated. A stop here puts the validation off to the next call.
    Validating {
        /// Photos done.
        done: usize,
        /// Validation photos.
        total: usize,
    },
    /// The phase has ended, and how far its network can be trusted is measured. A stop here puts that off to the next call.
    Measuring {
        /// Photos done.
        done: usize,
        /// Photos in all.
        total: usize,
    },
    /// An epoch has ended and is saved.
    Epoch {
        /// The phase.
        phase: &'a Phase,
        /// Its row of the history.
        epoch: &'a Epoch,
    },
}

/// How a call of [`fit`](super::fit()) ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// This phase had been finished before; nothing was trained.
    Before,
    /// All epochs were trained, or patience ran out: the reason.
    Finished(String),
    /// A stop was asked for. The state is saved, and the next call goes on.
    Stopped,
}
