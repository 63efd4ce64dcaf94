//! Networks and their pretrained weights.

pub mod hub;
pub mod model;
pub mod model_file;
pub mod registry;
mod transfer;
pub mod weights;
pub mod zoo;

pub use hub::Hub;
pub use model::{Architecture, Cut, Model};
pub use model_file::ModelInfo;
pub use registry::Weights;
pub use weights::{Loaded, Origin};
pub use zoo::Zoo;
