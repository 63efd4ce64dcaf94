//! Phases, cache, monitor, checkpoints.

pub mod history;

pub use history::{Epoch, History};
