//! The matrix product that convolutions stand on, in the precision that is asked for.

use super::gemm::{self, Matrix};
use super::memory::{Buffer, Memory};
use super::narrow;
use crate::base::config::Precision;

/// A right matrix, `[terms, columns]`, as the products of a precision read it.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    data: &'a [f32],
    terms: usize,
    columns: usize,
    precision: Precision,
}

impl<'a> Right<'a> {
    /// From what [`Right::pack`] has made of it.
    pub(super) fn new(data: &'a [f32], terms: usize, columns: usize, precision: Precision) -> Self {
        Self { data, terms, columns, precision }
    }

    /// The matrix that fills `data` row by row, to be kept.
    pub(super) fn pack(data: Buffer, terms: usize, precision: Precision, memory: &Memory) -> Buffer {
        match precision {
            Precision::F32 => data,
            Precision::Bf16 => narrow::pack(Matrix::new(&data, terms, data.len() / terms), memory),
        }
    }
}

/// `c = a right`, or `c += a right` where `accumulate`, as [`gemm::multiply`] has it.
pub(super) fn multiply(a: Matrix, right: Right, accumulate: bool, memory: &Memory, c: &mut [f32]) {
    let Right { data, terms, columns, precision } = right;
    match precision {
        Precision::F32 => gemm::multiply(a, Matrix::new(data, terms, columns), accumulate, c),
        Precision::Bf16 => narrow::multiply(a, data, (terms, columns), accumulate, memory, c),
    }
}

/// The same with a right matrix that is used once.
pub(super) fn multiply_once(
    a: Matrix,
    b: Matrix,
    precision: Precision,
    accumulate: bool,
    memory: &Memory,
    c: &mut [f32],
) {
    match precision {
        Precision::F32 => gemm::multiply(a, b, accumulate, c),
        Precision::Bf16 => narrow::multiply_once(a, b, accumulate, memory, c),
    }
}
