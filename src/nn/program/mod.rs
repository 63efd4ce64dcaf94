//! A network as a straight line of steps.
//!
//! Architectures are written once, as a [`Program`]; three readers run it: inference on the CPU ([`Runner`]), training on the CPU,
//! and both on Candle's own operations ([`Stage`]).

mod backward;
mod build;
mod fuse;
mod kept;
mod onnx;
mod plan;
mod run;
mod segments;
mod stage;

pub use build::{Line, Node, Program};
pub use run::Runner;
pub use segments::CHUNK;
pub use stage::{Instead, Stage};

pub use super::steps::{Conv, Pad, Size};
