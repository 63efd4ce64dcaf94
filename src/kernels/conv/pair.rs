//! A pointwise convolution and the depthwise one behind it as one operation: the first two of an inverted residual (Sandler et al.
//! 2018, <https://arxiv.org/abs/1801.04381>).
//!
//! What lies between them is the largest thing that a network of such blocks makes, and cheap to make. So it is made some rows at a time,
//! which stay in the cache until they are used, and made again on the way back instead of being kept.

use super::Conv;
use super::depthwise::{InputRows, OutputRows, rows_behind};
use super::{BackwardWeights, ForwardWeights, InputGradient, WeightGradient};
use crate::kernels::activation::{Activation, Slopes};
use crate::kernels::elementwise::{AddRows, Epilogue, sum_parts, sum_turned};
use crate::kernels::gemm::{Matrix, multiply};
use crate::kernels::memory::Memory;
use crate::kernels::simd;
use rayon::prelude::*;
use std::ops::Range;

/// Numbers between the two that are made together, about: with their gradients they stay in the cache.
const STRIP: usize = 1 << 17;

/// The fewest numbers of a picture between the two for which this way is the faster one: less stays in the cache anyway.
const MIN_BETWEEN: usize = 150_000;

/// Whether `depthwise`, behind `pointwise`, is faster together with it. Depends on the geometry alone.
pub fn suits(pointwise: &Conv, depthwise: &Conv) -> bool {
    let is_pair = pointwise.is_pointwise() && !pointwise.depthwise && depthwise.depthwise;
    is_pair && pointwise.out_len() == depthwise.in_len() && depthwise.in_len() >= MIN_BETWEEN
}

/// A convolution with what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Its weights.
    pub weights: &'a ForwardWeights,
    /// `[out_c]`.
    pub bias: &'a [f32],
    /// The activation behind it.
    pub act: Activation,
}

/// `y = act₂(depthwise(act₁(pointwise(x) + bias₁)) + bias₂ + residual)`.
///
/// `x` is `[B, in_h, in_w, in_c]`; `y`, overwritten, and `residual` are `[B, out_h, out_w, channels]`.
///
/// # Panics
/// Where the layers are not such a pair ([`suits`]), or a slice is not as long as they say.
pub fn forward(
    [pointwise, depthwise]: [Layer; 2],
    x: &[f32],
    residual: Option<&[f32]>,
    memory: &Memory,
    y: &mut [f32],
) {
    let (first, second) = (&pointwise.weights.conv, &depthwise.weights.conv);
    check([pointwise.weights.conv, *second], x, y);
    assert!(pointwise.bias.len() == second.in_c && depthwise.bias.len() == second.out_c, "biases of {second:?}");
    assert!(residual.is_none_or(|residual| residual.len() == y.len()), "residual of {second:?}");
    let (picture, row) = (second.out_len(), second.out_w() * second.out_c);
    let rows = strip_rows(second.out_h(), second.in_len());
    let strips = y.par_chunks_mut(picture).enumerate().flat_map(|(i, y)| {
        let strips = y.par_chunks_mut(rows * row).enumerate();
        strips.map(move |(j, y)| (i, j * rows, y))
    });
    strips.for_each(|(i, from, y)| {
        let between = rows_behind(second, from..from + y.len() / row);
        let mut wide = memory.buffer(between.len() * second.in_w * second.in_c);
        make_rows(&pointwise, &x[i * first.in_len()..][..first.in_len()], between.clone(), &mut wide);
        simd::run(OutputRows {
            conv: second,
            x: &wide,
            from: between.start,
            packed: &depthwise.weights.data,
            bias: depthwise.bias,
            residual: residual.map(|residual| &residual[i * picture + from * row..][..y.len()]),
            act: depthwise.act,
            first: from,
            y,
        });
    });
}

/// What is asked for of [`backward`].
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// The depthwise weights to go back through, wherever one of the next two is asked for.
    pub depthwise: Option<&'a BackwardWeights>,
    /// The gradient of the input.
    pub input: Option<InputGradient<'a>>,
    /// The sums of the pointwise convolution.
    pub pointwise_sums: Option<WeightGradient<'a>>,
    /// The sums of the depthwise one.
    pub depthwise_sums: Option<WeightGradient<'a>>,
}

/// The gradients of a pair: of its input, and of the weights and biases of both, as [`conv::backward`](super::backward) gives them.
///
/// `dy`, the gradient before the second activation, is `[B, out_h, out_w, channels]`.
///
/// # Panics
/// As [`forward`].
pub fn backward(pointwise: Layer, second: &Conv, x: &[f32], dy: &[f32], wanted: Gradients, memory: &Memory) {
    let first = &pointwise.weights.conv;
    check([*first, *second], x, dy);
    let Gradients { depthwise, input, pointwise_sums, depthwise_sums } = wanted;
    assert!(depthwise.is_none_or(|weights| weights.conv == *second), "weights of {second:?}");
    assert!(depthwise.is_some() || (input.is_none() && pointwise_sums.is_none()), "a gradient through no weights");
    let packed = depthwise.map_or(&[][..], |weights| &weights.data);
    let (before, accumulate, weights, dx) = match input {
        Some(InputGradient { weights, before, accumulate, dx }) => (before, accumulate, &weights.data[..], dx),
        None => (Activation::None, false, &[][..], &mut [][..]),
    };
    // Each strip has sums of its own.
    let rows = strip_rows(second.in_h, second.in_len());
    let strips = x.len() / first.in_len() * second.in_h.div_ceil(rows);
    let lens = [&pointwise_sums, &depthwise_sums].map(|sums| sums.as_ref().map_or(0, |sums| sums.sums.len()));
    let [mut pointwise_parts, mut depthwise_parts] = lens.map(|len| memory.buffer(strips * len));
    let [mut narrow_sums, mut wide_sums] = [(&mut pointwise_parts, lens[0]), (&mut depthwise_parts, lens[1])]
        .map(|(parts, len)| parts.chunks_mut(len.max(1)));
    let narrow_row = first.in_w * first.in_c;
    let mut dx = dx.chunks_mut(first.in_len()).flat_map(|dx| dx.chunks_mut(rows * narrow_row));
    let mut all = Vec::with_capacity(strips);
    for (x, dy) in x.chunks_exact(first.in_len()).zip(dy.chunks_exact(second.out_len())) {
        for from in (0..second.in_h).step_by(rows) {
            let rows = from..(from + rows).min(second.in_h);
            all.push((x, dy, rows, dx.next().unwrap_or_default(), narrow_sums.next(), wide_sums.next()));
        }
    }
    all.into_par_iter().for_each(|(x, dy, rows, dx, narrow_sums, wide_sums)| {
        let len = rows.len() * second.in_w * second.in_c;
        let mut wide = memory.buffer(len);
        make_rows(&pointwise, x, rows.clone(), &mut wide);
        let mut gradient = memory.buffer(if packed.is_empty() { 0 } else { len });
        simd::run(InputRows {
            conv: second,
            x: &wide,
            dy,
            packed,
            mask: pointwise.act.mask(),
            accumulate: false,
            rows: rows.clone(),
            dx: &mut gradient,
            sums: wide_sums.unwrap_or_default(),
        });
        let (positions, in_c, out_c) = (rows.len() * first.in_w, first.in_c, first.out_c);
        let x = &x[rows.start * narrow_row..][..positions * in_c];
        if let Some(sums) = narrow_sums {
            let (dw, db) = sums.split_at_mut(first.weights());
            // The wide side is the one that the product runs along fast.
            let x = Matrix::new(x, positions, in_c).transposed();
            multiply(x, Matrix::new(&gradient, positions, out_c), false, dw);
            db.fill(0.0);
            simd::run(AddRows { rows: &gradient, stride: out_c, from: 0, sums: db });
        }
        if !dx.is_empty() {
            multiply(Matrix::new(&gradient, positions, out_c), Matrix::new(weights, out_c, in_c), accumulate, dx);
            simd::run(Slopes { act: before, kept: x, dy: dx });
        }
    });
    if let Some(WeightGradient { accumulate, sums }) = pointwise_sums {
        sum_turned(&pointwise_parts, first, accumulate, memory, sums);
    }
    if let Some(WeightGradient { accumulate, sums }) = depthwise_sums {
        sum_parts(&depthwise_parts, accumulate, sums);
    }
}

/// Rows `rows` of what lies between the two, of one picture.
fn make_rows(pointwise: &Layer, x: &[f32], rows: Range<usize>, to: &mut [f32]) {
    let &Layer { weights: ForwardWeights { conv, data }, bias, act } = pointwise;
    let (positions, start) = (rows.len() * conv.in_w, rows.start * conv.in_w);
    let x = Matrix::new(&x[start * conv.in_c..][..positions * conv.in_c], positions, conv.in_c);
    multiply(x, Matrix::new(data, conv.in_c, conv.out_c), false, to);
    simd::run(Epilogue { bias, residual: None, act, y: to });
}

/// Into strips of how many rows, of equal size, `rows` are divided, which are made from, or belong to, `between` numbers.
fn strip_rows(rows: usize, between: usize) -> usize {
    rows.div_ceil(between.div_ceil(STRIP))
}

fn check([first, second]: [Conv; 2], x: &[f32], y: &[f32]) {
    assert!(first.is_pointwise() && !first.depthwise && second.depthwise, "a pointwise and a depthwise convolution");
    let between = [(first.in_h, first.in_w, first.out_c), (second.in_h, second.in_w, second.in_c)];
    assert_eq!(between[0], between[1], "what lies between {first:?} and {second:?}");
    let batch = x.len() / first.in_len();
    assert_eq!(x.len(), batch * first.in_len(), "input of {first:?}");
    assert_eq!(y.len(), batch * second.out_len(), "output of {second:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Padding;
    use crate::kernels::conv;
    use crate::kernels::tests::{distance, numbers};

    /// A pair with numbers to go through it.
    struct Case {
        convs: [Conv; 2],
        packed: [ForwardWeights; 2],
        back: [BackwardWeights; 2],
        biases: [Vec<f32>; 2],
        x: Vec<f32>,
        dy: Vec<f32>,
    }

    /// Gradient of the input, sums of the pointwise convolution, sums of the depthwise one.
    type Results = [Vec<f32>; 3];

    impl Case {
        fn new((in_h, in_w): (usize, usize), in_c: usize, channels: usize, kernel: usize, stride: usize) -> Self {
            let pad = Padding::NONE;
            let first = Conv { in_h, in_w, in_c, out_c: channels, kernel: 1, stride: 1, pad, depthwise: false };
            let pad = Padding::same(in_h, in_w, kernel, stride);
            let second = Conv { in_c: channels, kernel, stride, pad, depthwise: true, ..first };
            let (convs, memory) = ([first, second], Memory::default());
            let weights = convs.map(|conv| numbers(conv.weights(), conv.kernel as u64));
            let pairs = || convs.iter().zip(&weights);
            let mut packed = pairs().map(|(conv, weight)| ForwardWeights::pack(conv, weight, None, &memory));
            let mut back = pairs().map(|(conv, weight)| BackwardWeights::pack(conv, weight, None, &memory));
            Self {
                packed: std::array::from_fn(|_| packed.next().unwrap()),
                back: std::array::from_fn(|_| back.next().unwrap()),
                biases: [5, 6].map(|seed| numbers(channels, seed)),
                x: numbers(3 * first.in_len(), 7),
                dy: numbers(3 * second.out_len(), 8),
                convs,
            }
        }

        fn all() -> [Self; 5] {
            [
                Self::new((70, 61), 5, 64, 3, 1),
                Self::new((63, 80), 16, 37, 3, 2),
                Self::new((41, 83), 24, 80, 5, 2),
                Self::new((40, 41), 33, 96, 5, 1),
                Self::new((3, 2), 8, 19, 3, 1),
            ]
        }

        fn layers(&self) -> [Layer<'_>; 2] {
            let acts = [Activation::Relu6, Activation::Relu];
            std::array::from_fn(|i| Layer { weights: &self.packed[i], bias: &self.biases[i], act: acts[i] })
        }

        fn forward(&self, residual: bool) -> Vec<f32> {
            let mut y = vec![f32::NAN; self.dy.len()];
            forward(self.layers(), &self.x, residual.then_some(&self.dy[..]), &Memory::default(), &mut y);
            y
        }

        /// Layer by layer: what lies between, and the output.
        fn forward_apart(&self, residual: bool) -> [Vec<f32>; 2] {
            let ([first, second], memory) = (self.layers(), &Memory::default());
            let mut between = vec![f32::NAN; 3 * self.convs[1].in_len()];
            conv::forward(first.weights, &self.x, first.bias, None, first.act, memory, &mut between);
            let mut y = vec![f32::NAN; self.dy.len()];
            let residual = residual.then_some(&self.dy[..]);
            conv::forward(second.weights, &between, second.bias, residual, second.act, memory, &mut y);
            [between, y]
        }

        /// What gradients start from: they are added to it where they accumulate.
        fn start(&self) -> Results {
            let [first, second] = &self.convs;
            [vec![0.5; self.x.len()], vec![0.5; conv::sums_len(first)], vec![0.5; conv::sums_len(second)]]
        }

        fn backward(&self, asked: [bool; 3], accumulate: bool) -> Results {
            let mut to = self.start();
            let [dx, first, second] = &mut to;
            let through = asked[0] || asked[1];
            let before = Activation::Relu;
            let wanted = Gradients {
                depthwise: through.then_some(&self.back[1]),
                input: asked[0].then_some(InputGradient { weights: &self.back[0], before, accumulate, dx }),
                pointwise_sums: asked[1].then_some(WeightGradient { accumulate, sums: first }),
                depthwise_sums: asked[2].then_some(WeightGradient { accumulate, sums: second }),
            };
            backward(self.layers()[0], &self.convs[1], &self.x, &self.dy, wanted, &Memory::default());
            to
        }

        fn backward_apart(&self, accumulate: bool) -> Results {
            let mut to = self.start();
            let [dx, first, second] = &mut to;
            let (between, memory) = (&self.forward_apart(false)[0], &Memory::default());
            let mut inner = vec![f32::NAN; between.len()];
            let (weights, before) = (&self.back[1], Activation::Relu6);
            let input = InputGradient { weights, before, accumulate: false, dx: &mut inner };
            let sums = WeightGradient { accumulate, sums: second };
            conv::backward(&self.convs[1], between, &self.dy, Some(input), Some(sums), memory);
            let input = InputGradient { weights: &self.back[0], before: Activation::Relu, accumulate, dx };
            let sums = WeightGradient { accumulate, sums: first };
            conv::backward(&self.convs[0], &self.x, &inner, Some(input), Some(sums), memory);
            to
        }
    }

    #[test]
    fn forward_gives_the_same_bytes_as_one_after_the_other() {
        for case in Case::all() {
            for residual in [false, true] {
                assert!(case.forward(residual) == case.forward_apart(residual)[1], "{:?}", case.convs);
            }
        }
    }

    #[test]
    fn backward_gives_the_same_as_one_after_the_other() {
        let exact = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        for case in Case::all() {
            for accumulate in [false, true] {
                let expected = case.backward_apart(accumulate);
                for asked in [[true; 3], [true, false, true], [false, true, false], [false, false, true]] {
                    let got = case.backward(asked, accumulate);
                    for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
                        match (asked[i], i) {
                            (false, _) => assert!(got.iter().all(|&v| v == 0.5), "not asked for"),
                            (true, 0) => assert!(got == expected, "{:?}", case.convs),
                            // Strips are added in another order than the batch.
                            (true, _) => {
                                let distance = distance(got, &exact(expected));
                                assert!(distance < 2e-6, "{i}: {distance:e}, {:?}", case.convs);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn threads_change_no_byte() {
        let on = |threads: usize, case: &Case| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (case.forward(true), case.backward([true; 3], true)))
        };
        for case in Case::all() {
            assert!(on(1, &case) == on(3, &case), "{:?}", case.convs);
        }
    }

    #[test]
    fn large_pairs_only() {
        let pair = |side: usize, in_c, channels| {
            let [first, second] = Case::new((side, side), in_c, channels, 3, 1).convs;
            (suits(&first, &second), suits(&second, &first), suits(&second, &second))
        };
        assert_eq!(pair(56, 24, 144), (true, false, false));
        assert_eq!(pair(14, 112, 672), (false, false, false));
    }
}
