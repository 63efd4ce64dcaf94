//! Train an image classifier in a notebook, in Rust: a network that has seen ImageNet gets a new head for your classes, then its upper layers
//! are tuned; how good it is, is measured on photos that it has not seen.
//!
//! # The road
//! A [`Project`] is a folder and a device, [`Config`] the settings, plain fields of one value. A [`Dataset`](data::Dataset) are photos with their
//! classes, [`Splits`](data::Splits) the same in three parts. A [`Learner`](learner::Learner) is a network with its photos and its run's folder:
//! it trains, measures, predicts and saves. Whatever a cell ends with shows itself; elsewhere, `text()` and `html()` say the same.
//!
//! Here on drawn flowers, with the small network from scratch, in a second or two:
//!
//! ```
//! use petal::prelude::*;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let folder = folder.path();
//! let project = Project::open(folder)?;
//! let config = Config {
//!     source: Source::Synthetic { per_class: 10 }, // or Source::Folder("my_photos".into())
//!     image_size: 40,
//!     baseline: PhaseConfig::new(2, 2, 1e-3),
//!     ..Config::seed()
//! };
//! let photos = Dataset::fetch(&project, &config)?;
//! assert!(photos.verify()?.bad.is_empty());
//! let splits = photos.split(&project, &config)?;
//! assert_eq!((splits.train.samples.len(), splits.test.samples.len()), (40, 5));
//!
//! let mut learner = Learner::baseline(&project, &splits, &config)?;
//! learner.fit_all()?;
//! assert_eq!(learner.history()?.epochs.len(), 2);
//! let result = learner.evaluate(Split::Test)?;
//! println!("{}", result.text()); // accuracy with its interval
//!
//! learner.save(project.models.join("flowers.safetensors"))?;
//! let found = learner.predict(&splits.test.samples[0].path)?;
//! assert!(splits.classes.iter().any(|class| class == found.class()));
//! # Ok::<(), petal::Error>(())
//! ```
//!
//! With a pretrained network, the same road in one call is [`recipe::fine_tune`]; phase by phase,
//!
//! ```no_run
//! # use petal::prelude::*;
//! # fn cells(project: &Project, splits: &Splits, config: &Config) -> Result<()> {
//! let mut learner = Learner::new(project, splits, config)?;
//! learner.lr_find(&learner.head())?;
//! learner.fit(&Phase { learning_rate: 3e-3, ..learner.head() })?; // or fit_head()?, as the settings say
//! learner.fit_upper()?;
//! # Ok(()) }
//! ```
//!
//! and a loop of your own is `examples/three_levels.rs`.
//!
//! # Layout
//! A file uses only layers below its own; `tests/suite/layers.rs` checks it.
//!
//! | layer | module | what it holds |
//! |---|---|---|
//! | 0 | [`base`] | errors; long work and who hears of it; random streams; settings; the folders, the device, the machine; atomic writes, hashes, locks |
//! | 1 | [`net`] | downloads |
//! | 1 | [`kernels`] | CPU compute on `f32` slices, channels-last; knows no Candle |
//! | 1 | [`pixels`] | bytes and pixels: decode, augment, resize, normalize; knows no tensors and no paths |
//! | 2 | [`data`] | files on disk: sources, archive, verify, split, loader |
//! | 2 | [`nn`] | layers on Candle tensors, parameters, loss, Adam; the one codec for safetensors |
//! | 3 | [`models`] | networks and their pretrained weights |
//! | 4 | [`export`], [`eval`] | models as files; metrics |
//! | 5 | [`train`] | the training step, phases, recipes; a run's folder; the cache |
//! | 5 | [`explain`] | where the network looked: Grad-CAM |
//! | 6 | [`report`] | figures, tables, everything that a cell shows |
//! | 7 | [`learner`] | a network, its photos and its run together |
//! | 8 | [`recipe`] | the road in one call |
#![deny(missing_docs)]

pub mod base;
pub mod data;
pub mod eval;
pub mod explain;
pub mod export;
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
pub use base::work::{self, Progress, Unheard, Unit, Work};

/// What a notebook or a script needs, down to a loop of its own: `use petal::prelude::*;`
pub mod prelude {
    pub use crate::base::config::{
        AugmentConfig, Backbone, Balance, Config, Duplicates, PhaseConfig, Source, SplitConfig, WeightsFrom,
    };
    pub use crate::base::error::{Error, ErrorKind, Result};
    pub use crate::base::project::Project;
    pub use crate::base::seed::{Purpose, Seed, Stream};
    pub use crate::data::{Batch, Dataset, Decision, Decisions, Loader, Split, Splits};
    pub use crate::eval::{Audit, Cleaner, Evaluation, Prediction, audit, compare};
    pub use crate::explain;
    pub use crate::learner::{
        Background, Fitted, Learner, Predictions, choose_network, compare_runs, networks_at_hand, sweep,
    };
    pub use crate::models::{Cut, Model};
    pub use crate::nn::{loss, optim::Adam};
    pub use crate::recipe::{fine_tune, train_baseline};
    pub use crate::report::{Figure, Networks, Table, View};
    pub use crate::train::{Cache, Inputs, LrFind, Phase, RunRecord, Runs, Steps, Sweep};
}
