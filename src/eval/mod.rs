//! How good a model is, and how sure of that one can be.

pub mod asked;
pub mod audit;
pub mod cleaner;
pub mod compare;
pub mod confusion;
pub mod evaluation;
pub mod facts;
pub mod metrics;
pub mod over_seeds;
pub mod predict;
pub mod slices;
pub mod stored;

pub use asked::Asked;
pub use audit::Audit;
pub use cleaner::{Cleaner, SavedDecisions, Suspect};
pub use compare::{Comparison, compare};
pub use confusion::Confusion;
pub use evaluation::{Evaluation, Prediction, evaluate};
pub use facts::Facts;
pub use metrics::{Interval, Scores};
pub use over_seeds::OverSeeds;
pub use predict::predict;
pub use slices::{Slice, Slices};
pub use stored::read_predictions;
