//! Whether a probability says how often it is right, and how it is made to.

pub mod brier;
pub mod reliability;
pub mod temperature;

pub use reliability::{Bin, Calibration, bins};
