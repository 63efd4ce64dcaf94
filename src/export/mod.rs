//! Models as files that need nothing else.

pub mod onnx;
mod refused;
pub mod safetensors;
pub mod trust;

pub use safetensors::{MODEL_FILE, ModelInfo, info, load, load_untrusted, save, to_bytes};
