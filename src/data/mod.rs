//! Files on disk: sources, download, archive, verification, split, loader.

pub(crate) mod agent;
pub mod archive;
pub mod dataset;
pub mod decisions;
pub mod download;
pub mod duplicates;
pub mod loader;
mod make_split;
pub mod manifest;
pub mod partition;
pub mod photo;
pub mod source;
pub mod split;
pub mod synthetic;
pub mod verify;

pub use dataset::{Dataset, Sample};
pub use decisions::{Decided, Decision, Decisions};
pub use loader::{Batch, Loader};
pub use split::{Split, Splits, Subset};
pub use verify::Verification;
