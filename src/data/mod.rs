//! Files on disk: sources, download, archive, verification, split, loader.

pub mod dataset;
pub mod loader;
pub mod split;

pub use dataset::{Dataset, Sample};
pub use loader::{Batch, Loader};
pub use split::{Split, Splits, Subset};
