//! What is done with tiles of scores, row by row: loops without fused additions, so that every vector unit gives the same bytes.

use crate::kernels::activation::exp;
use crate::kernels::simd::{Kernel, lanes, lanes_mut};

/// Numbers that are summed side by side.
const LANES: usize = 16;

/// Makes weights of a tile of scores, `e^(scale · (score − largest))`, in place, and brings what is known of each row so far up to date.
pub(super) struct Online<'a> {
    /// `[rows, columns]`.
    pub(super) scores: &'a mut [f32],
    pub(super) columns: usize,
    pub(super) scale: f32,
    /// Whether nothing is known yet.
    pub(super) first: bool,
    /// For each row the largest score so far and the sum of the weights, every `stride` numbers.
    pub(super) known: &'a mut [f32],
    pub(super) stride: usize,
    /// The weighed sums of values so far, `[rows, width]`.
    pub(super) sums: &'a mut [f32],
    pub(super) width: usize,
}

impl Kernel for Online<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { scores, columns, scale, first, known, stride, sums, width } = self;
        let rows = scores.chunks_exact_mut(columns).zip(sums.chunks_exact_mut(width));
        for ((scores, sums), known) in rows.zip(known.chunks_mut(stride)) {
            let before = if first { f32::NEG_INFINITY } else { known[0] };
            let largest = largest(scores, before);
            let sum = weigh(scores, scale, largest);
            if first {
                known[1] = sum;
            } else {
                let less = exp(scale * (before - largest));
                known[1] = known[1] * less + sum;
                sums.iter_mut().for_each(|sum| *sum *= less);
            }
            known[0] = largest;
        }
    }
}

/// The largest of some numbers and `least`.
#[inline(always)]
fn largest(row: &[f32], least: f32) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut most = [least; LANES];
    let whole = row.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        let numbers: &[f32; LANES] = lanes(row, at);
        for lane in 0..LANES {
            most[lane] = larger(most[lane], numbers[lane]);
        }
    }
    most.into_iter().chain(row[whole..].iter().copied()).fold(least, larger)
}

/// The weights in place of the scores; gives their sum.
#[inline(always)]
fn weigh(row: &mut [f32], scale: f32, largest: f32) -> f32 {
    let mut sums = [0.0; LANES];
    let whole = row.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        let numbers: &mut [f32; LANES] = lanes_mut(row, at);
        for lane in 0..LANES {
            numbers[lane] = exp(scale * (numbers[lane] - largest));
            sums[lane] += numbers[lane];
        }
    }
    let mut rest = 0.0;
    for number in &mut row[whole..] {
        *number = exp(scale * (*number - largest));
        rest += *number;
    }
    total(sums) + rest
}

/// The sum of the lanes, in pairs.
#[inline(always)]
fn total(mut sums: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

/// Divides the sums of a head's values by the sums of the weights, into its place in `y`, and leaves one over those sums.
pub(super) struct Finish<'a> {
    /// `[rows, width]`.
    pub(super) sums: &'a [f32],
    pub(super) width: usize,
    /// For each row the largest score and the sum of the weights, every `stride` numbers.
    pub(super) known: &'a mut [f32],
    pub(super) stride: usize,
    /// `[rows, channels]`, from the head's first one on.
    pub(super) y: &'a mut [f32],
    pub(super) channels: usize,
}

impl Kernel for Finish<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { sums, width, known, stride, y, channels } = self;
        let rows = sums.chunks_exact(width).zip(y.chunks_mut(channels));
        for ((sums, y), known) in rows.zip(known.chunks_mut(stride)) {
            known[1] = 1.0 / known[1];
            for (y, sum) in y.iter_mut().zip(sums) {
                *y = sum * known[1];
            }
        }
    }
}

/// The inner products of the rows of two heads' parts: how much of each row's gradient comes back through the weights' sum.
pub(super) struct Products<'a> {
    /// `[rows, channels]`, from the head's first one on.
    pub(super) a: &'a [f32],
    pub(super) b: &'a [f32],
    pub(super) channels: usize,
    pub(super) width: usize,
    /// `[rows]`.
    pub(super) products: &'a mut [f32],
}

impl Kernel for Products<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { a, b, channels, width, products } = self;
        for ((a, b), product) in a.chunks(channels).zip(b.chunks(channels)).zip(products) {
            let (a, b) = (&a[..width], &b[..width]);
            let mut sums = [0.0; LANES];
            let whole = width / LANES * LANES;
            for at in (0..whole).step_by(LANES) {
                let (a, b): (&[f32; LANES], &[f32; LANES]) = (lanes(a, at), lanes(b, at));
                for lane in 0..LANES {
                    sums[lane] += a[lane] * b[lane];
                }
            }
            *product = a[whole..].iter().zip(&b[whole..]).fold(total(sums), |sum, (a, b)| sum + a * b);
        }
    }
}

/// The weights again in place of a tile's scores, and in place of the weights' gradients those of the scores.
pub(super) struct Again<'a> {
    /// `[rows, columns]`.
    pub(super) scores: &'a mut [f32],
    /// `[rows, columns]`.
    pub(super) gradients: &'a mut [f32],
    pub(super) columns: usize,
    pub(super) scale: f32,
    /// For each row the largest score and one over the sum of the weights, every `stride` numbers.
    pub(super) known: &'a [f32],
    pub(super) stride: usize,
    /// What [`Products`] gave, `[rows]`.
    pub(super) products: &'a [f32],
}

impl Kernel for Again<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { scores, gradients, columns, scale, known, stride, products } = self;
        let rows = scores.chunks_exact_mut(columns).zip(gradients.chunks_exact_mut(columns));
        for (((scores, gradients), known), product) in rows.zip(known.chunks(stride)).zip(products) {
            let (largest, part) = (known[0], known[1]);
            for (score, gradient) in scores.iter_mut().zip(gradients) {
                *score = exp(scale * (*score - largest)) * part;
                *gradient = *score * (*gradient - product) * scale;
            }
        }
    }
}
