//! Products of bf16 numbers with `f32` sums: up to twice the rate of `f32` where the processor has an instruction for them.

mod block;
mod numbers;
mod pairs;
mod product;
mod rounded;

use super::gemm::{Lies, Matrix};
use super::memory::{Buffer, Memory};
use numbers::pairs_of;
use product::Left;
pub use rounded::Rounded;

/// Whether this machine's processor has an instruction for products of bf16 numbers (AVX512-BF16). Elsewhere they are the same bytes, and slower
/// than those of `f32`.
///
/// ```
/// // Which numbers are faster here; what they come to does not depend on it.
/// let precision = if petal::kernels::has_bf16() { "bf16" } else { "f32" };
/// assert!(petal::Config::seed().with(&[format!("precision={precision}")]).is_ok());
/// ```
pub fn has_bf16() -> bool {
    block::has_instruction()
}

/// A right matrix as [`multiply`] reads it: rounded, two rows in a word, in panels of columns.
///
/// # Panics
/// Where the matrix does not lie row by row.
pub(super) fn pack(b: Matrix, memory: &Memory) -> Buffer {
    let (terms, columns) = b.shape();
    let Lies::Rows { data, stride } = b.lies() else { panic!("a right matrix lies row by row") };
    let mut packed = memory.buffer(product::packed_len(terms, columns));
    product::pack(data, stride, columns, bytemuck::cast_slice_mut(&mut packed));
    packed
}

/// `c = a b`, or `c += a b` where `accumulate`, of numbers rounded to bf16, with `b`, `[terms, columns]`, as [`pack`] has made it.
///
/// A row of `c` doesn't depend on how many rows there are with it, nor a column on how many columns.
pub(super) fn multiply(
    a: Matrix,
    b: &[f32],
    (terms, columns): (usize, usize),
    accumulate: bool,
    memory: &Memory,
    c: &mut [f32],
) {
    let rows = c.len() / columns;
    assert_eq!(a.shape(), (rows, terms), "left matrix");
    let row = pairs_of(terms);
    let mut left = memory.buffer(rows * row);
    let to: &mut [u32] = bytemuck::cast_slice_mut(&mut left);
    let (row_stride, pair_stride) = match a.lies() {
        Lies::Rows { data, stride } => {
            pairs::of_neighbours(data, stride, terms, to);
            (row, 1)
        }
        Lies::Columns { data, stride } => {
            pairs::of_columns(data, stride, rows, to);
            (1, rows)
        }
    };
    let left = Left { pairs: bytemuck::cast_slice(&left), row_stride, pair_stride };
    product::multiply(left, bytemuck::cast_slice(b), terms, columns, accumulate, c);
}

/// The same with a right matrix that is used once: some terms after the other, so that what is rounded is still in the cache when it is multiplied.
pub(super) fn multiply_once(a: Matrix, b: Matrix, accumulate: bool, memory: &Memory, c: &mut [f32]) {
    let (terms, columns) = b.shape();
    for from in (0..terms).step_by(product::TERMS) {
        let to = terms.min(from + product::TERMS);
        let b = b.transposed().columns(from, to).transposed();
        multiply(a.columns(from, to), &pack(b, memory), (to - from, columns), accumulate || from > 0, memory, c);
    }
}
