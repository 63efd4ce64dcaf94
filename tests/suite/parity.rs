//! The same numbers as torchvision, timm, PyTorch, candle-transformers and Pillow, on both ways to compute.
//!
//! How far apart two tensors are is ‖a−b‖₂/‖b‖₂ throughout. Expected numbers are in tests/fixtures, each with the script that
//! made it beside it.

mod candle_transformers;
mod cases;
mod inverted;
mod layers;
mod lite2;
mod networks;
mod pooling;
mod preprocess;
mod threads;
