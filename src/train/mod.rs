//! Phases and their steps, what a run's folder holds, what the cache holds.
//!
//! [`fit`] trains a phase by [`Steps`], which a [`Recipe`] may change; [`lr_find()`] takes the same steps. A loop of your own
//! does, too.

pub mod balance;
pub mod batch;
pub mod budget;
pub mod cache;
pub mod event;
mod fit;
pub mod folds;
pub mod halving;
pub mod inputs;
pub mod instant;
mod job;
mod lr_find;
pub mod phase;
pub mod preflight;
pub mod recipes;
pub mod run;
mod step;
mod sweep;
pub mod trust;
mod values;
mod versions;

pub use batch::{AtCut, Others};
pub use budget::Plan;
pub use cache::{Cache, CacheFile, Evicted, Room};
pub use event::{Ended, Event};
pub use fit::fit;
pub use halving::{Halving, Rung, Tried};
pub use inputs::Inputs;
pub use job::Job;
pub use lr_find::{Sweeping, lr_find};
pub use phase::Phase;
pub use recipes::{At, Recipe};
pub use run::{
    Begun, Checkpoint, Epoch, Family, History, MadeBy, Measured, Monitor, Placed, Progress, Run, RunRecord, Runs,
    Standing, State, Status, Tracker,
};
pub use step::{Ahead, Steps, Taken};
pub use sweep::{LrFind, LrStep, Suggestion, Sweep, SweepEnd};
