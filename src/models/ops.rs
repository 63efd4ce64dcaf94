//! How layers are computed.

use candle_core::Device;

/// How layers are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ops {
    /// By our kernels, on the CPU.
    Kernels,
    /// By Candle's own operations, on any device.
    Candle,
}

impl Ops {
    /// Our kernels on the CPU, Candle's operations elsewhere. `PETAL_OPS=candle` takes Candle's on the CPU too.
    pub fn for_device(device: &Device) -> Self {
        let asked = std::env::var_os("PETAL_OPS").is_some_and(|ops| ops == "candle");
        if device.is_cpu() && !asked { Self::Kernels } else { Self::Candle }
    }
}
