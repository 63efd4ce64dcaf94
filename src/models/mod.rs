//! Networks and their pretrained weights.

mod baseline;
mod efficientnet_lite;
pub mod hub;
pub mod model;
mod network;
pub mod registry;
mod resnet;
mod transfer;
pub mod weights;
pub mod zoo;

pub use hub::Hub;
pub use model::{Architecture, Cut, Frozen, Inference, Model, Ops, StageSummary};
pub use registry::Weights;
pub use weights::{Loaded, Origin};
pub use zoo::Zoo;
