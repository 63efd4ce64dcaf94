//! The matrix product of bf16 numbers with `f32` sums, block by block.

use super::block::{Block, run};
use super::numbers::{LANES, pairs_of};
use super::pairs::of_two_rows;

/// Vectors of a panel: with six rows, their sums fill the registers.
const VECTORS: usize = 4;

/// Columns of a panel.
const PANEL: usize = VECTORS * LANES;

/// Rows that are made together.
const ROWS: usize = 6;

/// Terms that are summed at once: a panel of so many stays in the nearest cache. It is also the order of the sums.
pub(super) const TERMS: usize = 256;

/// Pairs of them.
const BLOCK: usize = TERMS / 2;

/// The left matrix, `[rows, terms]`: pair `p` of row `r` is at `r * row_stride + p * pair_stride`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) pairs: &'a [u32],
    pub(super) row_stride: usize,
    pub(super) pair_stride: usize,
}

/// How many words [`pack`] writes.
pub(super) fn packed_len(terms: usize, columns: usize) -> usize {
    pairs_of(terms) * columns.next_multiple_of(LANES)
}

/// The right matrix, the first `columns` of each `stride` numbers, in panels of columns: `[panel, pair of rows, column]`.
pub(super) fn pack(rows: &[f32], stride: usize, columns: usize, to: &mut [u32]) {
    let terms = rows.len().div_ceil(stride);
    let pairs = pairs_of(terms);
    assert_eq!(to.len(), packed_len(terms, columns), "packed matrix");
    for (panel, to) in to.chunks_mut(pairs * PANEL).enumerate() {
        let (start, width) = (panel * PANEL, to.len() / pairs);
        let used = width.min(columns - start);
        for (rows, to) in rows.chunks(2 * stride).zip(to.chunks_exact_mut(width)) {
            let (to, beyond) = to.split_at_mut(used);
            of_two_rows(rows, stride, start, to);
            beyond.fill(0);
        }
    }
}

/// `c = left right`, or `c += left right` where `accumulate`; `c` is `[rows, columns]`, row by row. On one thread.
///
/// A row of `c` doesn't depend on how many rows there are with it, nor a column on how many columns.
///
/// # Panics
/// Where the sizes don't fit each other.
pub(super) fn multiply(left: Left, right: &[u32], terms: usize, columns: usize, accumulate: bool, c: &mut [f32]) {
    let (rows, pairs) = (c.len() / columns, pairs_of(terms));
    assert_eq!(c.len(), rows * columns, "size of the product");
    assert_eq!(right.len(), packed_len(terms, columns), "packed matrix");
    if rows == 0 {
        return;
    }
    assert!(terms > 0, "a product of nothing");
    let end = (rows - 1) * left.row_stride + (pairs - 1) * left.pair_stride + 1;
    assert!(end <= left.pairs.len(), "a matrix ends outside its slice");
    for from in (0..pairs).step_by(BLOCK) {
        let count = BLOCK.min(pairs - from);
        let left = Left { pairs: &left.pairs[from * left.pair_stride..], ..left };
        for (panel, right) in right.chunks(pairs * PANEL).enumerate() {
            let width = right.len() / pairs;
            let right = &right[from * width..][..count * width];
            let start = panel * PANEL;
            let (c, used) = (&mut c[start..], width.min(columns - start));
            let accumulate = accumulate || from > 0;
            Strip { left, right, pairs: count, rows, width, c, columns, used, accumulate }.run();
        }
    }
}

/// A panel's product over some pairs: all rows, of which the next are made together.
struct Strip<'a> {
    left: Left<'a>,
    /// `[pairs, width]`.
    right: &'a [u32],
    pairs: usize,
    rows: usize,
    width: usize,
    c: &'a mut [f32],
    /// From a row of `c` to the next.
    columns: usize,
    /// How many columns of the panel there are.
    used: usize,
    accumulate: bool,
}

impl Strip<'_> {
    fn run(self) {
        match self.width / LANES {
            1 => self.of_vectors::<1>(),
            2 => self.of_vectors::<2>(),
            3 => self.of_vectors::<3>(),
            _ => self.of_vectors::<VECTORS>(),
        }
    }

    fn of_vectors<const V: usize>(mut self) {
        while self.rows > 0 {
            match self.rows {
                ROWS.. => self.step::<ROWS, V>(),
                2.. => self.step::<2, V>(),
                _ => self.step::<1, V>(),
            }
        }
    }

    /// The next `R` rows.
    fn step<const R: usize, const V: usize>(&mut self) {
        let Left { pairs, row_stride, pair_stride } = self.left;
        assert!(
            (R - 1) * row_stride + (self.pairs - 1) * pair_stride < pairs.len()
                && self.right.len() == self.pairs * V * LANES
        );
        let block = |c, to_next| Block::<R, V> {
            pairs,
            row_stride,
            pair_stride,
            right: self.right,
            count: self.pairs,
            accumulate: self.accumulate,
            c,
            to_next,
        };
        if self.used == V * LANES {
            run(block(self.c, self.columns));
        } else {
            // The last columns of all: their vectors reach beyond the row.
            let mut sums = [[[0.0; LANES]; V]; R];
            if self.accumulate {
                for (sums, c) in sums.iter_mut().zip(self.c.chunks(self.columns)) {
                    sums.as_flattened_mut()[..self.used].copy_from_slice(&c[..self.used]);
                }
            }
            run(block(sums.as_flattened_mut().as_flattened_mut(), V * LANES));
            for (sums, c) in sums.iter().zip(self.c.chunks_mut(self.columns)) {
                c[..self.used].copy_from_slice(&sums.as_flattened()[..self.used]);
            }
        }
        self.rows -= R;
        if self.rows > 0 {
            self.left.pairs = &pairs[R * row_stride..];
            self.c = &mut std::mem::take(&mut self.c)[R * self.columns..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::numbers::round;
    use super::super::pairs::{of_columns, of_neighbours};
    use super::*;
    use crate::kernels::tests::{distance, numbers};

    fn rounded(numbers: &[f32]) -> Vec<f64> {
        numbers.iter().map(|&number| f64::from(f32::from_bits(round(number) << 16))).collect()
    }

    #[test]
    fn it_is_the_product_of_the_rounded_numbers() {
        for (rows, terms, columns) in
            [(1, 1, 1), (2, 3, 5), (7, 40, 16), (13, 301, 24), (19, 258, 130), (6, 1029, 64), (5, 64, 200)]
        {
            let (a, b, before) = (numbers(rows * terms, 1), numbers(terms * columns, 2), numbers(rows * columns, 3));
            let mut left = vec![7; rows * pairs_of(terms)];
            of_neighbours(&a, terms, terms, &mut left);
            let mut right = vec![7; packed_len(terms, columns)];
            pack(&b, columns, columns, &mut right);
            let left = Left { pairs: &left, row_stride: pairs_of(terms), pair_stride: 1 };
            let (a64, b64) = (rounded(&a), rounded(&b));
            for accumulate in [false, true] {
                let mut c = before.clone();
                multiply(left, &right, terms, columns, accumulate, &mut c);
                let expected = |i: usize| {
                    let (r, o) = (i / columns, i % columns);
                    let sum: f64 = (0..terms).map(|t| a64[r * terms + t] * b64[t * columns + o]).sum();
                    sum + if accumulate { f64::from(before[i]) } else { 0.0 }
                };
                let expected: Vec<f64> = (0..c.len()).map(expected).collect();
                assert!(distance(&c, &expected) < 1e-6, "{rows} {terms} {columns}: {:e}", distance(&c, &expected));
            }
            // Of the transposed matrix, pairs of its rows are the same pairs.
            let turned: Vec<f32> = (0..a.len()).map(|i| a[i % rows * terms + i / rows]).collect();
            let mut columns_of = vec![7; rows * pairs_of(terms)];
            of_columns(&turned, rows, rows, &mut columns_of);
            let (mut c, mut same) = (before.clone(), before);
            multiply(left, &right, terms, columns, false, &mut c);
            let left = Left { pairs: &columns_of, row_stride: 1, pair_stride: rows };
            multiply(left, &right, terms, columns, false, &mut same);
            assert_eq!(c, same);
        }
    }

    #[test]
    fn rows_and_columns_are_the_same_alone_and_among_others() {
        let (rows, terms, columns) = (17, 90, 150);
        let (a, b) = (numbers(rows * terms, 4), numbers(terms * columns, 5));
        let product = |first: usize, rows: usize, from: usize, count: usize| {
            let mut left = vec![0; rows * pairs_of(terms)];
            of_neighbours(&a[first * terms..][..rows * terms], terms, terms, &mut left);
            let mut right = vec![0; packed_len(terms, count)];
            pack(&b[from..], columns, count, &mut right);
            let mut c = vec![0.0; rows * count];
            multiply(
                Left { pairs: &left, row_stride: pairs_of(terms), pair_stride: 1 },
                &right,
                terms,
                count,
                false,
                &mut c,
            );
            c
        };
        let whole = product(0, rows, 0, columns);
        for (first, count, from, width) in
            [(0, 1, 0, 150), (3, 2, 64, 1), (16, 1, 149, 1), (5, 9, 10, 100), (0, 17, 63, 66)]
        {
            for (i, got) in product(first, count, from, width).chunks(width).enumerate() {
                assert_eq!(got, &whole[(first + i) * columns + from..][..width]);
            }
        }
    }
}
