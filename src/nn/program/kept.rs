//! What the way back reads of the way forward, kept in the precision that the program multiplies in.

use crate::kernels::{Buffer, Memory, Precision, Rounded};

/// Numbers kept for the way back.
#[derive(Debug)]
pub(super) enum Kept {
    /// As they were.
    Whole(Buffer),
    /// In half the memory.
    Rounded(Rounded),
}

impl Kept {
    pub(super) fn new(numbers: Buffer, precision: Precision, memory: &Memory) -> Self {
        match precision {
            Precision::F32 => Self::Whole(numbers),
            Precision::Bf16 => Self::Rounded(Rounded::new(&numbers, memory)),
        }
    }

    /// The numbers, to be read.
    pub(super) fn open(self, memory: &Memory) -> Buffer {
        match self {
            Self::Whole(numbers) => numbers,
            Self::Rounded(rounded) => rounded.widened(memory),
        }
    }
}

/// How many numbers as `f32` take the memory of so many that are kept.
pub(super) fn memory_of(numbers: usize, precision: Precision) -> usize {
    match precision {
        Precision::F32 => numbers,
        Precision::Bf16 => numbers.div_ceil(2),
    }
}
