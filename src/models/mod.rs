//! Networks and their pretrained weights.

pub mod model;

pub use model::{Architecture, Cut, Model};
