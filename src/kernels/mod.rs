//! CPU compute on `f32` slices, channels-last. Knows no Candle. The only place with `unsafe`.
//!
//! A batch of pictures is one slice, `[B, H, W, C]`, contiguous; the batch size is the slice's length over the geometry's.
//! Every function runs on rayon's current pool. What is summed is divided by the geometry alone, and added in a fixed order:
//! the number of threads changes no byte of a result. Slices of the wrong length are a mistake in the calling code,
//! and panic.
//!
//! | file | what it holds |
//! |---|---|
//! | [`conv`] | convolution, dense and depthwise: forward, gradients |
//! | [`conv::pair`] | a pointwise and a depthwise convolution as one |
//! | [`attention`] | attention of several heads: forward, gradients |
//! | [`Activation`] | ReLU and the others: values, gradients |
//! | [`pool`] | max pooling, global average pooling |
//! | [`linear`] | dense layers: forward, gradients |
//! | [`scale`] | each channel times a number of its own: forward, gradients |
//! | [`tokens`] | maps as tokens behind a class token: forward, gradients |
//! | [`Resample`] | grids of vectors of another size: forward, gradients |
//! | [`layer_norm`] | the channels of each pixel moved and scaled alike: forward, gradients |
//! | [`adam`] | the optimizer's update |
//! | [`Memory`] | memory to use again |
//! | [`Precision`] | in what dense convolutions multiply: `f32`, or bf16 with `f32` sums |
//! | [`Rounded`] | numbers kept as bf16 |
//! | [`half_floats`] | `f32` to `f16` and back |

mod activation;
pub mod adam;
pub mod attention;
pub mod conv;
mod elementwise;
mod frame;
mod gemm;
pub mod half_floats;
pub mod layer_norm;
pub mod linear;
mod memory;
mod narrow;
pub mod pool;
mod product;
mod resample;
pub mod scale;
mod simd;
mod sums;
#[cfg(test)]
mod tests;
pub mod tokens;

pub use crate::base::config::Precision;
pub use activation::{Activation, Keeps, backward_activation, forward_activation};
pub use attention::Attention;
pub use conv::{Conv, Padding};
pub use elementwise::add_to;
pub use memory::{Buffer, Memory};
pub use narrow::{Rounded, has_bf16};
pub use pool::MaxPool;
pub use resample::Resample;
pub use simd::instructions;
