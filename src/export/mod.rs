//! Models as files that need nothing else.

pub mod hub;
mod model_info;
pub mod onnx;
mod refused;
pub mod safetensors;
pub mod trust;

pub use model_info::ModelInfo;
pub use safetensors::{MODEL_FILE, info, load, load_untrusted, save, to_bytes};
