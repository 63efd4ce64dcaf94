//! Networks and their pretrained weights.

mod architecture;
mod body;
mod cut;
mod families;
mod family;
mod frozen;
mod head;
pub mod hub;
mod init;
mod inverted;
mod linear_head;
pub mod model;
mod network;
mod onnx;
mod ops;
mod randomized;
pub mod registry;
mod summary;
mod trust;
pub mod weights;
pub mod zoo;

pub use architecture::Architecture;
pub use cut::Cut;
pub use frozen::{Frozen, Inference};
pub use hub::Hub;
pub use model::Model;
pub use ops::Ops;
pub use registry::Weights;
pub use summary::StageSummary;
pub use trust::{Bank, Kept, Temperature, Trust};
pub use weights::{Loaded, Origin};
pub use zoo::Zoo;
