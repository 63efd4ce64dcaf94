//! Networks and their pretrained weights.

mod baseline;
mod efficientnet_lite;
pub mod model;
mod network;
mod resnet;

pub use model::{Architecture, Cut, Frozen, Model, Ops, StageSummary};
