//! How good a model is, and how sure of that one can be.

pub mod evaluation;
pub mod predict;

pub use evaluation::{Evaluation, Prediction};
