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

    /// Rows `from..to` of it.
    pub(super) fn rows(self, from: usize, to: usize) -> Self {
        self.transposed().columns(from, to).transposed()
    }

    /// Rows and columns exchanged; nothing moves.
    pub(super) fn transposed(self) -> Self {
        let Self { data, rows, columns, row_stride, column_stride } = self;
        Self { data, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// Rows and columns.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// How its numbers lie.
    ///
    /// # Panics
    /// Where neither its rows nor its columns are contiguous.
    pub(super) fn lies(&self) -> Lies<'a> {
        let &Self { data, row_stride, column_stride, .. } = self;
        match (row_stride, column_stride) {
            // Of one alone, how far the next would be says nothing.
            (_, 1) if self.rows == 1 => Lies::Rows { data: &data[..self.end()], stride: self.columns },
            (stride, 1) => Lies::Rows { data: &data[..self.end()], stride },
            (1, stride) => Lies::Columns { data: &data[..self.end()], stride },
            strides => panic!("a matrix with strides {strides:?}"),
        }
    }

    /// A copy row by row, `columns` wide: the last column as often as is missing.
    fn repeated(&self, columns: usize) -> Vec<f32> {
        let at = |row: usize, column: usize| row * self.row_stride + column.min(self.columns - 1) * self.column_stride;
        (0..self.rows * columns).map(|i| self.data[at(i / columns, i % columns)]).collect()
    }

    /// One past the last element's place.
    fn end(&self) -> usize {
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1
    }
}

/// A matrix whose rows, or columns, are contiguous, each so many numbers behind the last. The data ends with its last number.
pub(super) enum Lies<'a> {
    Rows { data: &'a [f32], stride: usize },
    Columns { data: &'a [f32], stride: usize },
}

/// How many terms are summed at once. The library would choose by the sizes of the machine's caches and of the matrices;
/// with no more terms than this it has no choice, so that a row of `c` doesn't depend on how many rows there are with it.
const TERMS: usize = 512;

/// Up to so many numbers, the library sums a product of two matrices that both lie along their inner side in another order.
const FEW: usize = 256;

/// `c = a b`, or `c += a b` where `accumulate`. `c` is `[a.rows, b.columns]` row by row. On one thread.
///
/// A row of `c` doesn't depend on how many rows there are with it, nor a column on how many columns.
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
    let along = a.column_stride == 1 && b.row_stride == 1 && c.len() <= FEW;
    if a.rows > 1 && b.columns > 1 && !along {
        return by_the_library(a, b, accumulate, c);
    }
    // A row or a column alone takes ways of its own there, too: it is taken twice.
    let (rows, columns) = (a.rows.max(2), b.columns.max(2));
    let mut wide =
        if accumulate { Matrix::new(c, a.rows, b.columns).repeated(columns) } else { vec![0.0; a.rows * columns] };
    if a.rows == 1 {
        wide.extend_from_within(..);
    }
    let twice = Matrix { rows, row_stride: if a.rows == 1 { 0 } else { a.row_stride }, ..a };
    if along || b.columns == 1 {
        by_the_library(twice, Matrix::new(&b.repeated(columns), b.rows, columns), accumulate, &mut wide);
    } else {
        by_the_library(twice, b, accumulate, &mut wide);
    }
    for (c, wide) in c.chunks_exact_mut(b.columns).zip(wide.chunks_exact(columns)) {
        c.copy_from_slice(&wide[..b.columns]);
    }
}

/// The same where neither is a single row or column. Sizes and places are checked.
fn by_the_library(a: Matrix, b: Matrix, accumulate: bool, c: &mut [f32]) {
    for from in (0..a.columns).step_by(TERMS) {
        let terms = TERMS.min(a.columns - from);
        // SAFETY: `multiply` has shown by `end` that every element of `a` and `b` lies within its slice, and by `c`'s length that
        // every element of the product does; a row that it takes twice lies where the row does. Slices are at most
        // `isize::MAX` bytes long, so no stride wraps. `c` is borrowed mutably, so it overlaps neither. Sizes and strides are
        // those of the same matrices; `from + terms` is at most the inner size.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::narrow;
    use crate::kernels::tests::numbers;

    /// Every way in which the two may lie, in sizes on both sides of where the library changes its way.
    #[test]
    fn a_row_or_column_is_the_same_alone_and_among_others() {
        let (rows, columns) = (70, 33);
        for inner in [1, 2, 3, 40, 513, 1300] {
            let (a, b) = (numbers(rows * inner, 1), numbers(inner * columns, 2));
            let turned = |data: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..data.len()).map(|i| data[i % rows * columns + i / rows]).collect()
            };
            let (a_turned, b_turned) = (turned(&a, rows, inner), turned(&b, inner, columns));
            let a_ways = [Matrix::new(&a, rows, inner), Matrix::new(&a_turned, inner, rows).transposed()];
            let b_ways = [Matrix::new(&b, inner, columns), Matrix::new(&b_turned, columns, inner).transposed()];
            for (a, b) in a_ways.into_iter().flat_map(|a| b_ways.map(|b| (a, b))) {
                for accumulate in [false, true] {
                    let mut whole = vec![0.5; rows * columns];
                    multiply(a, b, accumulate, &mut whole);
                    for (some_rows, some_columns) in [(1, columns), (rows, 1), (1, 1), (2, 3), (7, columns), (rows, 2)]
                    {
                        let (last_rows, last_columns) = (rows - some_rows, columns - some_columns);
                        let a = Matrix { data: &a.data[last_rows * a.row_stride..], rows: some_rows, ..a };
                        let mut c = vec![0.5; some_rows * some_columns];
                        multiply(a, b.columns(last_columns, columns), accumulate, &mut c);
                        for (i, row) in c.chunks_exact(some_columns).enumerate() {
                            let expected = &whole[(last_rows + i) * columns + last_columns..][..some_columns];
                            assert_eq!(row, expected, "{inner}, {some_rows} by {some_columns}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn in_bf16_a_matrix_that_is_kept_and_one_that_is_used_once_give_the_same_bytes() {
        let memory = crate::kernels::tests::memory();
        for (rows, inner, columns) in [(1, 1, 1), (3, 257, 20), (24, 700, 130)] {
            let (a, b) = (numbers(rows * inner, 5), numbers(inner * columns, 6));
            let turned: Vec<f32> = (0..a.len()).map(|i| a[i % rows * inner + i / rows]).collect();
            let b = Matrix::new(&b, inner, columns);
            let packed = narrow::pack(b, &memory);
            for accumulate in [false, true] {
                let [mut kept, mut once, mut other] = [0.5, 0.5, 0.5].map(|of| vec![of; rows * columns]);
                let a = Matrix::new(&a, rows, inner);
                narrow::multiply(a, &packed, (inner, columns), accumulate, &memory, &mut kept);
                narrow::multiply_once(a, b, accumulate, &memory, &mut once);
                let a = Matrix::new(&turned, inner, rows).transposed();
                narrow::multiply_once(a, b, accumulate, &memory, &mut other);
                assert!(kept == once && kept == other, "{rows} {inner} {columns}");
            }
        }
    }

    #[test]
    fn it_is_the_product() {
        for (rows, inner, columns) in [(1, 1, 1), (1, 5, 3), (3, 600, 1), (2, 7, 2), (40, 70, 9)] {
            let (a, b) = (numbers(rows * inner, 3), numbers(inner * columns, 4));
            let mut c = vec![1.0; rows * columns];
            multiply(Matrix::new(&a, rows, inner), Matrix::new(&b, inner, columns), true, &mut c);
            for (i, c) in c.iter().enumerate() {
                let terms = (0..inner).map(|k| f64::from(a[i / columns * inner + k] * b[k * columns + i % columns]));
                let expected = 1.0 + terms.sum::<f64>();
                assert!((f64::from(*c) - expected).abs() < 1e-4, "{rows} {inner} {columns}: {c} for {expected}");
            }
        }
    }
}
