//! Networks and their pretrained weights.

mod architecture;
mod attended;
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
mod maps;
pub mod model;
mod network;
mod onnx;
mod ops;
mod randomized;
pub mod registry;
mod renamed;
mod summary;
mod trust;
pub mod weights;

pub use architecture::Architecture;
pub use attended::Attended;
pub use cut::Cut;
pub use frozen::{Frozen, Inference};
pub use hub::Hub;
pub use maps::Maps;
pub use model::Model;
pub use ops::Ops;
pub use registry::Weights;
pub use summary::StageSummary;
pub use trust::{Bank, Kept, Temperature, Trust};
pub use weights::{Loaded, Origin};
