//! Layers on Candle tensors, parameters, loss, Adam.

pub mod loss;
pub mod optim;
pub mod params;
pub mod program;
pub mod stage;
pub mod store;

pub use params::Params;
