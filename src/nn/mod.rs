//! Layers on Candle tensors, parameters, loss, Adam.

pub mod params;

pub use params::Params;
