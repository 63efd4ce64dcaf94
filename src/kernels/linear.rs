//! A dense layer: forward, and the gradients of input, weights and bias.
//!
//! Inputs `x` are `[B, inputs]`, outputs `y` `[B, O]`, weights `[O, inputs]`, the bias `[O]`; the other sizes follow from the
//! slices' lengths.

use super::frame::blocks;
use super::gemm::{Matrix, multiply};
use super::simd;
use super::sums::AddRows;
use rayon::prelude::*;

/// Outputs that one task makes. Few, since batches are small and the work must reach every core.
const OUTPUTS: usize = 8;

/// Inputs that one task of a gradient goes through, for all pictures and outputs: nothing large is read twice.
const INPUTS: usize = 512;

/// `y = x wᵀ + b`, overwritten.
///
/// # Panics
/// Where the lengths don't fit each other, or one is zero.
///
/// ```
/// use petal::kernels::linear;
///
/// let mut y = [0.0; 2];
/// linear::forward(3, &[1.0, 2.0, 3.0], &[1.0, 0.0, -1.0, 0.5, 0.5, 0.5], &[10.0, 20.0], &mut y);
/// assert_eq!(y, [8.0, 23.0]);
/// ```
pub fn forward(inputs: usize, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let (batch, outputs) = check(inputs, x, weight, y);
    assert_eq!(bias.len(), outputs, "bias of a dense layer");
    // Outputs first, since a task then reads its own weights alone; the product is turned into place afterwards. The input is turned once, for all
    // tasks: the product of two matrices that both lie along their inner side is taken in ways that depend on their sizes.
    let columns = batch.max(2);
    let x = turned(inputs, x, columns);
    let mut product = vec![0.0; outputs * columns];
    product.par_chunks_mut(OUTPUTS * columns).zip(weight.par_chunks(OUTPUTS * inputs)).for_each(|(product, weight)| {
        let weight = Matrix::new(weight, weight.len() / inputs, inputs);
        multiply(weight, Matrix::new(&x, inputs, columns), false, product);
    });
    for (row, y) in y.chunks_exact_mut(outputs).enumerate() {
        for ((y, product), bias) in y.iter_mut().zip(product.chunks_exact(columns)).zip(bias) {
            *y = product[row] + bias;
        }
    }
}

/// A column a picture, `[inputs, columns]` of `[B, inputs]`; the last picture as often as is missing, since a column alone is summed otherwise.
fn turned(inputs: usize, x: &[f32], columns: usize) -> Vec<f32> {
    let last = x.len() / inputs - 1;
    let mut turned = vec![0.0; inputs * columns];
    turned.par_chunks_mut(INPUTS * columns).enumerate().for_each(|(block, turned)| {
        for column in 0..columns {
            let row = &x[column.min(last) * inputs + block * INPUTS..];
            for (to, x) in turned.iter_mut().skip(column).step_by(columns).zip(row) {
                *to = *x;
            }
        }
    });
    turned
}

/// The gradient of the input, overwritten.
///
/// # Panics
/// As [`forward`].
///
/// ```
/// use petal::kernels::linear;
///
/// let mut dx = [0.0; 3];
/// linear::backward_input(3, &[1.0, 2.0], &[1.0, 0.0, -1.0, 0.5, 0.5, 0.5], &mut dx);
/// assert_eq!(dx, [2.0, 1.0, 0.0]);
/// ```
pub fn backward_input(inputs: usize, dy: &[f32], weight: &[f32], dx: &mut [f32]) {
    let (batch, outputs) = check(inputs, dx, weight, dy);
    multiply_by_blocks(Matrix::new(dy, batch, outputs), Matrix::new(weight, outputs, inputs), batch, dx);
}

/// The gradients of weights and bias, summed over the batch; both are overwritten.
///
/// # Panics
/// As [`forward`].
///
/// ```
/// use petal::kernels::linear;
///
/// let (mut dw, mut db) = ([0.0; 4], [0.0; 2]);
/// // Two pictures of two inputs, two outputs.
/// linear::backward_weight(2, &[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0, 1.0, -1.0], &mut dw, &mut db);
/// assert_eq!((dw, db), ([4.0, 6.0, -3.0, -4.0], [2.0, -1.0]));
/// ```
pub fn backward_weight(inputs: usize, x: &[f32], dy: &[f32], dw: &mut [f32], db: &mut [f32]) {
    let (batch, outputs) = check(inputs, x, dw, dy);
    assert_eq!(db.len(), outputs, "bias of a dense layer");
    let gradient = Matrix::new(dy, batch, outputs).transposed();
    multiply_by_blocks(gradient, Matrix::new(x, batch, inputs), outputs, dw);
    db.fill(0.0);
    simd::run(AddRows { rows: dy, stride: outputs, from: 0, sums: db });
}

/// `c = a b`, where `b` has a column for each input, and `c` has `rows` rows.
fn multiply_by_blocks(a: Matrix, b: Matrix, rows: usize, c: &mut [f32]) {
    blocks(c, rows, INPUTS).into_par_iter().enumerate().for_each_init(Vec::new, |product, (i, mut c)| {
        let width = c[0].len();
        product.resize(rows * width, 0.0);
        multiply(a, b.columns(i * INPUTS, i * INPUTS + width), false, product);
        for (c, product) in c.iter_mut().zip(product.chunks_exact(width)) {
            c.copy_from_slice(product);
        }
    });
}

/// Batch and outputs.
fn check(inputs: usize, x: &[f32], weight: &[f32], y: &[f32]) -> (usize, usize) {
    assert!(inputs > 0 && !x.is_empty() && !weight.is_empty(), "a dense layer with a size of zero");
    let (batch, outputs) = (x.len() / inputs, weight.len() / inputs);
    let lengths = (batch * inputs, outputs * inputs, batch * outputs);
    assert_eq!((x.len(), weight.len(), y.len()), lengths, "a dense layer with {inputs} inputs");
    (batch, outputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::{distance, numbers};

    #[test]
    fn matches_sums_in_f64_under_odd_sizes() {
        for (batch, inputs, outputs) in [(1, 1, 1), (3, 7, 5), (9, 1030, 17), (33, 64, 8)] {
            let (x, dy) = (numbers(batch * inputs, 1), numbers(batch * outputs, 2));
            let (weight, bias) = (numbers(outputs * inputs, 3), numbers(outputs, 4));
            let at = |values: &[f32], i: usize| f64::from(values[i]);
            let sum = |n: usize, term: &dyn Fn(usize) -> f64| (0..n).map(term).sum::<f64>();
            let table = |rows: usize, columns: usize, cell: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
                (0..rows * columns).map(|i| cell(i / columns, i % columns)).collect()
            };
            let mut y = vec![9.0; batch * outputs];
            forward(inputs, &x, &weight, &bias, &mut y);
            let expected = table(batch, outputs, &|b, o| {
                at(&bias, o) + sum(inputs, &|i| at(&x, b * inputs + i) * at(&weight, o * inputs + i))
            });
            assert!(distance(&y, &expected) < 1e-6, "forward {batch} {inputs} {outputs}");
            let mut dx = vec![9.0; x.len()];
            backward_input(inputs, &dy, &weight, &mut dx);
            let expected =
                table(batch, inputs, &|b, i| sum(outputs, &|o| at(&dy, b * outputs + o) * at(&weight, o * inputs + i)));
            assert!(distance(&dx, &expected) < 1e-6, "input {batch} {inputs} {outputs}");
            let (mut dw, mut db) = (vec![9.0; weight.len()], vec![9.0; outputs]);
            backward_weight(inputs, &x, &dy, &mut dw, &mut db);
            let expected =
                table(outputs, inputs, &|o, i| sum(batch, &|b| at(&dy, b * outputs + o) * at(&x, b * inputs + i)));
            assert!(distance(&dw, &expected) < 1e-6, "weight {batch} {inputs} {outputs}");
            let expected = table(1, outputs, &|_, o| sum(batch, &|b| at(&dy, b * outputs + o)));
            assert!(distance(&db, &expected) < 1e-6, "bias {batch} {inputs} {outputs}");
        }
    }
}
