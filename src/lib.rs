//! Train an image classifier in a notebook, in Rust.
//!
//! # Layout
//! A file uses only layers below its own; `tests/suite/layers.rs` checks it.
//!
//! | layer | module | what it holds |
//! |---|---|---|
//! | 0 | [`error`], [`seed`], [`files`], [`config`] | errors; random streams; atomic writes, hashes, locks; settings |
//! | 1 | [`kernels`] | CPU compute on `f32` slices, channels-last; knows no Candle |
//! | 1 | [`pixels`] | bytes and pixels: decode, augment, resize, normalize; knows no tensors and no paths |
//! | 1 | [`project`] | the folders, the device, the machine |
//! | 2 | [`data`] | files on disk: sources, download, archive, verify, split, loader |
//! | 2 | [`nn`] | layers on Candle tensors, parameters, loss, Adam |
//! | 3 | [`models`] | networks and their pretrained weights |
//! | 4 | [`train`], [`eval`] | phases, cache, checkpoints; metrics |
//! | 5 | [`explain`] | Grad-CAM |
//! | 6 | [`report`] | figures, tables, everything that a cell shows |
//! | 7 | [`learner`], [`recipe`] | the high level |
#![deny(missing_docs)]

pub mod config;
pub mod data;
pub mod error;
pub mod eval;
pub mod explain;
pub mod files;
pub mod kernels;
pub mod learner;
pub mod models;
pub mod nn;
pub mod pixels;
pub mod project;
pub mod recipe;
pub mod report;
pub mod seed;
pub mod train;

/// The tensors that petal computes with. A notebook cell uses these, never a candle of its own: ids and gradients belong to one copy.
pub use candle_core as candle;
pub use config::Config;
pub use error::{Error, ErrorKind, Result};
pub use project::Project;
pub use seed::{Purpose, Seed, Stream};

/// What a notebook or a script needs: `use petal::prelude::*;`
pub mod prelude {
    pub use crate::config::{
        AugmentConfig, Backbone, Config, Duplicates, PhaseConfig, Source, SplitConfig, WeightsFrom,
    };
    pub use crate::data::{Dataset, Decision, Decisions, Loader, Split, Splits};
    pub use crate::error::{Error, ErrorKind, Result};
    pub use crate::eval::{Cleaner, Evaluation, Prediction, compare};
    pub use crate::learner::{Background, Learner, Predictions, train_baseline};
    pub use crate::models::Cut;
    pub use crate::project::Project;
    pub use crate::recipe::fine_tune;
    pub use crate::report::{Figure, Table, View, Watch};
    pub use crate::seed::Seed;
    pub use crate::train::{Cache, LrFind, Phase, RunRecord, Runs, Sweep};
}
