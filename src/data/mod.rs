//! Files on disk: sources, download, archive, verification, split, loader.

pub mod archive;
pub mod dataset;
pub mod decisions;
pub mod duplicates;
pub mod facts;
mod fetch;
mod labels;
mod last_copies;
mod layout;
pub mod left_out;
pub mod loader;
mod made_before;
mod make_split;
pub mod manifest;
mod names;
mod on_disk;
pub mod partition;
pub mod photo;
mod redraw;
mod sample;
mod search;
pub mod source;
pub mod split;
pub mod synthetic;
pub mod verify;

pub use dataset::Dataset;
pub use decisions::{Decided, Decision, Decisions};
pub use facts::Facts;
pub use left_out::{LeftOut, Reason};
pub use loader::{Batch, Loader};
pub use sample::{Sample, Split};
pub(crate) use search::is_hidden;
pub use split::{Splits, Subset};
pub use verify::Verification;
