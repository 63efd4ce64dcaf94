//! Phases, preflight, cache, monitor, checkpoints, and how a training stands.

pub mod cache;
pub mod cached;
pub mod checkpoint;
pub mod event;
pub mod held_out;
pub mod history;
pub mod inputs;
pub mod key;
pub mod lr_find;
pub mod monitor;
pub mod phase;
pub mod place;
pub mod preflight;
pub mod progress;
pub mod record;
pub mod runs;
pub mod status;
pub mod trainer;

pub use cache::{Cache, CacheFile, Evicted, Room};
pub use checkpoint::{Checkpoint, Run};
pub use event::Event;
pub use held_out::held_out;
pub use history::{Epoch, History};
pub use lr_find::{LrFind, LrStep, Suggestion, Sweep, SweepEnd, Sweeping, lr_find};
pub use monitor::Monitor;
pub use phase::Phase;
pub use place::{Family, Placed};
pub use progress::{Begun, Progress, Standing};
pub use record::{MadeBy, Measured, RunRecord};
pub use runs::Runs;
pub use status::{State, Status, Tracker};
pub use trainer::{Ended, Job, fit};
