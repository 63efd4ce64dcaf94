//! Models as files that need nothing else.

pub mod safetensors;

pub use safetensors::{MODEL_FILE, ModelInfo, info, load, save, to_bytes};
