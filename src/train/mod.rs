//! Phases, cache, monitor, checkpoints.

pub mod cache;
pub mod checkpoint;
pub mod history;
pub mod inputs;
pub mod monitor;
pub mod phase;
pub mod trainer;

pub use checkpoint::{Checkpoint, Progress, Run};
pub use history::{Epoch, History};
pub use monitor::Monitor;
pub use phase::Phase;
pub use trainer::{Ended, Event, Job, fit};
