//! What belongs to a run's folder.

pub mod checkpoint;
pub mod folder;
mod forget;
pub mod history;
pub mod measured;
pub mod monitor;
pub mod photos;
pub mod place;
mod planned;
pub mod progress;
pub mod record;
pub mod runs;
pub mod status;

pub use checkpoint::Checkpoint;
pub use folder::Run;
pub use history::{Epoch, History};
pub use measured::Measured;
pub use monitor::Monitor;
pub use photos::{OfClass, Origins, PhotosUsed};
pub use place::{Family, Placed};
pub use progress::{Begun, Progress, Standing};
pub use record::{MadeBy, RunRecord};
pub use runs::Runs;
pub use status::{State, Status, Tracker};
