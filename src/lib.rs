//! Train an image classifier in a notebook, in Rust.
//!
//! # Layout
//! A file uses only layers below its own; `tests/suite/layers.rs` checks it.
//!
//! | layer | module | what it holds |
//! |---|---|---|
//! | 0 | [`base`] | errors; random streams; settings; the folders, the device, the machine; atomic writes, hashes, locks |
//! | 1 | [`kernels`] | CPU compute on `f32` slices, channels-last; knows no Candle |
//! | 1 | [`pixels`] | bytes and pixels: decode, augment, resize, normalize; knows no tensors and no paths |
//! | 1 | [`net`] | downloads |
//! | 2 | [`data`] | files on disk: sources, archive, verify, split, loader |
//! | 2 | [`nn`] | layers on Candle tensors, parameters, loss, Adam |
//! | 3 | [`models`] | networks and their pretrained weights |
//! | 4 | [`train`], [`eval`] | phases, cache, checkpoints; metrics |
//! | 5 | [`explain`] | Grad-CAM |
//! | 6 | [`report`] | figures, tables, everything that a cell shows |
//! | 7 | [`learner`], [`recipe`] | the high level |
#![deny(missing_docs)]

pub mod base;
pub mod data;
pub mod eval;
pub mod explain;
pub mod kernels;
pub mod learner;
pub mod models;
pub mod net;
pub mod nn;
pub mod pixels;
pub mod recipe;
pub mod report;
pub mod train;

/// The tensors that petal computes with. A notebook cell uses these, never a candle of its own: ids and gradients belong to one copy.
pub use candle_core as candle;

pub use base::config::{self, Config};
pub use base::error::{self, Error, ErrorKind, Result};
pub use base::files;
pub use base::project::{self, Project};
pub use base::seed::{self, Purpose, Seed, Stream};

/// What a notebook or a script needs: `use petal::prelude::*;`
pub mod prelude {
    pub use crate::base::config::{
        AugmentConfig, Backbone, Config, Duplicates, PhaseConfig, Source, SplitConfig, WeightsFrom,
    };
    pub use crate::base::error::{Error, ErrorKind, Result};
    pub use crate::base::project::Project;
    pub use crate::base::seed::Seed;
    pub use crate::data::{Dataset, Decision, Decisions, Loader, Split, Splits};
    pub use crate::eval::{Cleaner, Evaluation, Prediction, compare};
    pub use crate::explain;
    pub use crate::learner::{Background, Learner, Predictions};
    pub use crate::models::Cut;
    pub use crate::recipe::{fine_tune, train_baseline};
    pub use crate::report::{Figure, Table, View, Watch};
    pub use crate::train::{Cache, LrFind, Phase, RunRecord, Runs, Sweep};
}
