//! What takes steps: Adam, AdamW, SGD, with state that can be saved by name; and the shortening of gradients.

pub mod adam;
pub mod clip;
mod moments;
pub mod optimizer;
pub mod sgd;
pub mod trained;

pub use adam::Adam;
pub use clip::{clip, global_norm};
pub use optimizer::{Optimizer, Pace, Rule};
pub use sgd::Sgd;
pub use trained::Trained;
