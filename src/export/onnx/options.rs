//! How an ONNX file is written.

use super::Pixels;
use crate::nn::onnx::{Ranges, Stored};

/// How an ONNX file is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// In what numbers it takes pictures, 0 to 255. Default [`Pixels::U8`].
    pub input: Pixels,
    /// How its weights are stored. Default [`Weights::F32`].
    pub weights: Weights,
}

/// How weights are stored in an ONNX file.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Weights {
    /// As petal has them.
    #[default]
    F32,
    /// Rounded to 16 bits: half the file. What comes in and goes out, and what is computed, stays f32.
    F16,
    /// Rounded to 8 bits, a scale for each output channel, and maps rounded within these ranges ([`ranges`](super::ranges)): a quarter of the file.
    Int8(Ranges),
}

impl Weights {
    /// The name on the command line, and in files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8(_) => "int8",
        }
    }

    pub(super) fn stored(&self) -> Stored {
        match self {
            Self::F32 => Stored::F32,
            Self::F16 => Stored::F16,
            Self::Int8(ranges) => Stored::Int8(ranges.clone()),
        }
    }
}
