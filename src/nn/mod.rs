//! Steps of networks and programs made of them, on Candle tensors; parameters, loss, Adam.

pub mod codec;
pub mod convex;
pub mod loss;
pub mod onnx;
pub(crate) mod operation;
pub mod optim;
pub mod params;
pub mod program;
pub mod steps;
pub mod workspace;

pub use params::Params;
pub use workspace::{Gradients, Workspace};
