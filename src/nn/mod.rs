//! Layers on Candle tensors, parameters, loss, Adam.

pub mod codec;
pub mod linear;
pub mod loss;
pub(crate) mod operation;
pub mod optim;
pub mod params;
pub mod program;
pub mod stage;
pub mod workspace;

pub use params::Params;
pub use workspace::{Gradients, Workspace};
