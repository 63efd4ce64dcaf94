//! How good a model is, and how sure of that one can be.

pub mod asked;
pub mod cleaner;
pub mod compare;
pub mod confusion;
pub mod evaluation;
pub mod metrics;
pub mod over_seeds;
pub mod predict;
pub mod stored;

pub use asked::Asked;
pub use cleaner::{Cleaner, SavedDecisions, Suspect};
pub use compare::{Comparison, compare};
pub use confusion::Confusion;
pub use evaluation::{Evaluation, Prediction, evaluate};
pub use metrics::{Interval, Scores};
pub use over_seeds::OverSeeds;
pub use predict::predict;
pub use stored::read_predictions;
