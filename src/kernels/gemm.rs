//! The matrix product that everything dense stands on.

use gemm::Parallelism;

/// A matrix within a slice: element `(i, j)` is at `i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The matrix `[rows, columns]` that fills `data` row by row.
    pub(super) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of {rows} by {columns}");
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// Columns `from..to` of it.
    pub(super) fn columns(self, from: usize, to: usize) -> Self {
        assert!(from <= to && to <= self.columns, "columns {from}..{to} of {}", self.columns);
        let start = (from * self.column_stride).min(self.data.len());
        Self { data: &self.data[start..], columns: to - from, ..self }
    }

    /// Rows and columns exchanged; nothing moves.
    pub(super) fn transposed(self) -> Self {
        let Self { data, rows, columns, row_stride, column_stride } = self;
        Self { data, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// One past the last element's place.
    fn end(&self) -> usize {
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1
    }
}

/// How many terms are summed at once. The library would choose by the sizes of the machine's caches and of the matrices;
/// with no more terms than this it has no choice, so that a row of `c` doesn't depend on how many rows there are with it.
const TERMS: usize = 512;

/// `c = a b`, or `c += a b` where `accumulate`. `c` is `[a.rows, b.columns]` row by row. On one thread.
///
/// # Panics
/// Where the sizes don't fit each other.
pub(super) fn multiply(a: Matrix, b: Matrix, accumulate: bool, c: &mut [f32]) {
    assert_eq!(a.columns, b.rows, "inner sizes");
    assert_eq!(c.len(), a.rows * b.columns, "size of the product");
    if c.is_empty() {
        return;
    }
    assert!(a.columns > 0, "a product of nothing");
    assert!(a.end() <= a.data.len() && b.end() <= b.data.len(), "a matrix ends outside its slice");
    for from in (0..a.columns).step_by(TERMS) {
        let terms = TERMS.min(a.columns - from);
        // SAFETY: `end` has shown that every element of `a` and `b` lies within its slice, and `c`'s length that every
        // element of the product does. Slices are at most `isize::MAX` bytes long, so no stride wraps. `c` is borrowed
        // mutably, so it overlaps neither. Sizes and strides are those of the same matrices; `from + terms` is at most the
        // inner size.
        unsafe {
            gemm::gemm(
                a.rows,
                b.columns,
                terms,
                c.as_mut_ptr(),
                1,
                b.columns as isize,
                accumulate || from > 0,
                a.data.as_ptr().add(from * a.column_stride),
                a.column_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr().add(from * b.row_stride),
                b.column_stride as isize,
                b.row_stride as isize,
                1.0f32,
                1.0f32,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}
