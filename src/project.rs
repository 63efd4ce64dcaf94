//! The folders, the device, the machine.

pub use candle_core::Device;


/// The folders, the device, the machine.
#[derive(Clone, Debug)]
pub struct Project;
