//! Every function against a plain `f64` one, in odd sizes; and the same bytes from one thread and from two.

use super::conv::{self, BackwardWeights, ForwardWeights, InputGradient, WeightGradient};
use super::conv::{layout, suits};
use super::pool::{MaxPool, average_pool_backward, average_pool_forward, max_pool_backward, max_pool_forward};
use super::{Activation, Conv, Memory, Padding, add_to, backward_activation, half_floats};

/// Largest difference allowed, relative to the norm (both L2), of f32 sums of up to some thousand terms.
const TOLERANCE: f64 = 1e-6;

/// The same where Winograd's transforms come before and after.
const WINOGRAD_TOLERANCE: f64 = 5e-6;

/// `len` numbers in -1..1 that look random: the top bits of a multiplicative hash.
pub(super) fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let hash = |i: u64| (i ^ (seed << 32)).wrapping_add(0x9e37_79b9).wrapping_mul(0xd129_0d3c_9a3c_6c4b);
    (0..len as u64).map(|i| (hash(hash(i)) >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// Memory that was used before: what is read before it is written shows.
fn memory() -> Memory {
    let memory = Memory::default();
    let mut used: Vec<_> = (0..24).map(|i| memory.buffer(1 << i)).collect();
    used.iter_mut().for_each(|buffer| buffer.fill(f32::NAN));
    memory
}

/// ‖got − expected‖ / ‖expected‖.
pub(super) fn distance(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let difference: f64 = got.iter().zip(expected).map(|(&a, b)| (a as f64 - b).powi(2)).sum();
    let norm: f64 = expected.iter().map(|v| v * v).sum();
    assert!(norm > 0.0, "nothing to compare with");
    (difference / norm).sqrt()
}

#[track_caller]
fn assert_close(got: &[f32], expected: &[f64], what: &str) {
    let distance = distance(got, expected);
    assert!(distance < TOLERANCE, "{what}: {distance:e}");
}

/// The same for what `conv` computes; `name` says more.
#[track_caller]
fn assert_convolved(conv: Option<Conv>, got: &[f32], expected: &[f64], name: &str) {
    let tolerance = if conv.is_some_and(|conv| suits(&conv)) { WINOGRAD_TOLERANCE } else { TOLERANCE };
    let distance = distance(got, expected);
    assert!(distance < tolerance, "{name}: {distance:e}");
}

#[derive(Clone, Copy)]
struct Size(usize, usize);

fn dense(Size(in_h, in_w): Size, in_c: usize, out_c: usize, kernel: usize, stride: usize, pad: Padding) -> Conv {
    Conv { in_h, in_w, in_c, out_c, kernel, stride, pad, depthwise: false }
}

fn depthwise(size: Size, channels: usize, kernel: usize, stride: usize, pad: Padding) -> Conv {
    Conv { depthwise: true, ..dense(size, channels, channels, kernel, stride, pad) }
}

/// Odd sizes of everything that the networks use, and tails in every vector loop.
fn geometries() -> Vec<Conv> {
    let same = |Size(h, w): Size, kernel, stride| Padding::same(h, w, kernel, stride);
    let (even, none) = (Padding::even, Padding::NONE);
    let mut all = vec![
        dense(Size(1, 1), 3, 5, 1, 1, none),
        dense(Size(1, 1), 3, 5, 3, 1, even(1)),
        dense(Size(5, 7), 3, 5, 1, 1, none),
        dense(Size(5, 7), 3, 5, 1, 2, none),
        dense(Size(5, 7), 3, 5, 3, 1, even(1)),
        dense(Size(5, 7), 3, 5, 3, 1, none),
        dense(Size(5, 7), 4, 17, 3, 2, even(1)),
        dense(Size(8, 6), 3, 33, 3, 2, same(Size(8, 6), 3, 2)),
        dense(Size(9, 8), 16, 16, 3, 1, even(1)),
        dense(Size(13, 10), 33, 20, 3, 1, even(1)),
        dense(Size(13, 10), 33, 20, 3, 1, Padding { top: 2, left: 0, bottom: 1, right: 2 }),
        dense(Size(15, 15), 3, 8, 7, 2, even(3)),
        dense(Size(14, 14), 3, 8, 5, 3, Padding { top: 0, left: 2, bottom: 4, right: 1 }),
        dense(Size(3, 4), 600, 40, 1, 1, none),
        dense(Size(3, 4), 70, 3, 3, 1, even(1)),
        dense(Size(4, 4), 2, 3, 1, 1, even(1)),
        dense(Size(41, 37), 5, 1, 3, 1, even(1)),
        dense(Size(2, 2), 1024, 300, 3, 1, even(1)),
        dense(Size(9, 10), 16, 80, 3, 1, even(1)),
        dense(Size(14, 11), 80, 16, 3, 1, none),
        dense(Size(12, 10), 32, 48, 3, 1, Padding { top: 2, left: 0, bottom: 1, right: 2 }),
        dense(Size(12, 11), 3, 32, 3, 1, none),
        dense(Size(35, 26), 3, 16, 3, 2, same(Size(35, 26), 3, 2)),
        dense(Size(3, 4), 2, 16, 5, 1, even(2)),
        dense(Size(19, 20), 1, 48, 7, 3, Padding { top: 0, left: 5, bottom: 4, right: 1 }),
        dense(Size(9, 8), 16, 3, 3, 1, even(1)),
    ];
    for kernel in [1, 3, 4, 5] {
        for stride in [1, 2] {
            for (size, channels) in [(Size(1, 1), 16), (Size(5, 7), 19), (Size(12, 10), 37), (Size(6, 19), 3)] {
                all.push(depthwise(size, channels, kernel, stride, same(size, kernel, stride)));
            }
        }
    }
    all.push(depthwise(Size(7, 9), 16, 3, 1, none));
    all.push(depthwise(Size(7, 9), 17, 5, 2, even(2)));
    all
}

/// Calls `f(batch, output, input, weight)` with the places of the three factors of every term of a convolution.
fn each_term(conv: &Conv, batch: usize, mut f: impl FnMut(usize, usize, usize)) {
    let (out_h, out_w) = (conv.out_h(), conv.out_w());
    for b in 0..batch {
        for (oy, ox) in (0..out_h).flat_map(|oy| (0..out_w).map(move |ox| (oy, ox))) {
            for (ky, kx) in (0..conv.kernel).flat_map(|ky| (0..conv.kernel).map(move |kx| (ky, kx))) {
                let (iy, ix) = (oy * conv.stride + ky, ox * conv.stride + kx);
                if iy < conv.pad.top || ix < conv.pad.left {
                    continue;
                }
                let (iy, ix) = (iy - conv.pad.top, ix - conv.pad.left);
                if iy >= conv.in_h || ix >= conv.in_w {
                    continue;
                }
                for o in 0..conv.out_c {
                    let y = ((b * out_h + oy) * out_w + ox) * conv.out_c + o;
                    let x = ((b * conv.in_h + iy) * conv.in_w + ix) * conv.in_c;
                    let w = |row: usize| (row * conv.kernel + ky) * conv.kernel + kx;
                    if conv.depthwise {
                        f(y, x + o, w(o));
                    } else {
                        (0..conv.in_c).for_each(|i| f(y, x + i, w(o * conv.in_c + i)));
                    }
                }
            }
        }
    }
}

/// Inputs of one case.
struct Case {
    conv: Conv,
    batch: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// As large as the output: the residual going forward, the gradient coming back.
    dy: Vec<f32>,
}

impl Case {
    fn new(conv: Conv, batch: usize) -> Self {
        Self {
            conv,
            batch,
            x: numbers(batch * conv.in_len(), 1),
            weight: numbers(conv.weights(), 2),
            bias: numbers(conv.out_c, 3),
            dy: numbers(batch * conv.out_len(), 4),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        geometries().into_iter().flat_map(|conv| [1, 3].map(|batch| Self::new(conv, batch)))
    }

    fn name(&self) -> String {
        format!("{:?}, batch {}", self.conv, self.batch)
    }

    fn forward(&self, residual: bool, act: Activation) -> Vec<f32> {
        let mut y = vec![f32::NAN; self.dy.len()];
        let weights = ForwardWeights::pack(&self.conv, &self.weight, None, &memory());
        conv::forward(&weights, &self.x, &self.bias, residual.then_some(&self.dy[..]), act, &memory(), &mut y);
        y
    }

    fn backward_input(&self, accumulate: bool) -> Vec<f32> {
        let mut dx = if accumulate { self.x.clone() } else { vec![f32::NAN; self.x.len()] };
        let weights = BackwardWeights::pack(&self.conv, &self.weight, None, &memory());
        conv::backward_input(&weights, &self.dy, accumulate, &memory(), &mut dx);
        dx
    }

    fn backward_weight(&self) -> (Vec<f32>, Vec<f32>) {
        let (mut dw, mut db) = (vec![f32::NAN; self.weight.len()], vec![f32::NAN; self.bias.len()]);
        let mut sums = vec![f32::NAN; conv::sums_len(&self.conv)];
        conv::backward_weight(&self.conv, &self.x, &self.dy, false, &memory(), &mut sums);
        conv::finish_weight(&self.conv, &sums, &mut dw, &mut db);
        (dw, db)
    }
}

#[test]
fn forward_is_the_convolution() {
    for case in Case::all() {
        let mut plain = vec![0.0; case.dy.len()];
        each_term(&case.conv, case.batch, |y, x, w| plain[y] += case.x[x] as f64 * case.weight[w] as f64);
        plain.iter_mut().zip(case.bias.iter().cycle()).for_each(|(y, &b)| *y += b as f64);
        assert_convolved(Some(case.conv), &case.forward(false, Activation::None), &plain, &case.name());
        let added: Vec<_> = plain.iter().zip(&case.dy).map(|(y, &r)| y + r as f64).collect();
        assert_convolved(Some(case.conv), &case.forward(true, Activation::None), &added, &case.name());
        for (act, most) in [(Activation::Relu, f64::INFINITY), (Activation::Relu6, 6.0)] {
            let expected: Vec<_> = added.iter().map(|y| y.clamp(0.0, most)).collect();
            assert_convolved(Some(case.conv), &case.forward(true, act), &expected, &case.name());
        }
    }
}

#[test]
fn backward_input_is_the_gradient() {
    for case in Case::all() {
        let mut expected = vec![0.0; case.x.len()];
        each_term(&case.conv, case.batch, |y, x, w| expected[x] += case.dy[y] as f64 * case.weight[w] as f64);
        assert_convolved(case.conv.transposed(), &case.backward_input(false), &expected, &case.name());
        expected.iter_mut().zip(&case.x).for_each(|(dx, &x)| *dx += x as f64);
        assert_convolved(case.conv.transposed(), &case.backward_input(true), &expected, &case.name());
    }
}

#[test]
fn backward_weight_is_the_gradient() {
    for case in Case::all() {
        let mut expected = vec![0.0; case.weight.len()];
        each_term(&case.conv, case.batch, |y, x, w| expected[w] += case.dy[y] as f64 * case.x[x] as f64);
        let (dw, db) = case.backward_weight();
        assert_convolved(Some(case.conv), &dw, &expected, &case.name());
        for (o, &db) in db.iter().enumerate() {
            // The terms have both signs and may cancel, so the error is measured against the sum of their sizes.
            let terms = || case.dy.iter().skip(o).step_by(case.conv.out_c).map(|&dy| dy as f64);
            let (sum, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
            assert!((db as f64 - sum).abs() <= 5e-7 * size, "{}: {db} {sum}", case.name());
        }
    }
}

#[test]
fn both_gradients_at_once_are_the_same_and_lie_before_the_activation() {
    for case in Case::all().filter(|case| case.batch > 1).chain(large_cases()) {
        let (conv, memory) = (&case.conv, &memory());
        for accumulate in [false, true] {
            let mut expected = case.backward_input(accumulate);
            backward_activation(Activation::Relu, &case.x, &mut expected);
            let mut expected_sums = vec![0.5; conv::sums_len(conv)];
            conv::backward_weight(conv, &case.x, &case.dy, accumulate, memory, &mut expected_sums);
            let weights = &BackwardWeights::pack(conv, &case.weight, None, memory);
            let mut dx = if accumulate { case.x.clone() } else { vec![f32::NAN; case.x.len()] };
            let mut sums = vec![0.5; expected_sums.len()];
            let input = InputGradient { weights, before: Activation::Relu, accumulate, dx: &mut dx };
            let weight = WeightGradient { accumulate, sums: &mut sums };
            conv::backward(conv, &case.x, &case.dy, Some(input), Some(weight), memory);
            assert_eq!((dx, sums), (expected, expected_sums), "{}", case.name());
        }
    }
}

#[test]
fn weight_gradients_are_summed_over_several_calls() {
    for case in Case::all().chain(large_cases()) {
        let conv = &case.conv;
        let once = case.backward_weight();
        let mut sums = vec![f32::NAN; conv::sums_len(conv)];
        let pictures = case.x.chunks(conv.in_len()).zip(case.dy.chunks(conv.out_len()));
        for (i, (x, dy)) in pictures.enumerate() {
            conv::backward_weight(conv, x, dy, i > 0, &memory(), &mut sums);
        }
        let (mut dw, mut db) = (vec![f32::NAN; conv.weights()], vec![f32::NAN; conv.out_c]);
        conv::finish_weight(conv, &sums, &mut dw, &mut db);
        let exact = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        assert_convolved(Some(case.conv), &dw, &exact(&once.0), &case.name());
        let size: f64 = case.dy.iter().map(|&dy| f64::from(dy.abs())).sum();
        assert!(db.iter().zip(&once.1).all(|(a, b)| f64::from((a - b).abs()) <= 5e-7 * size), "{}", case.name());
    }
}

#[test]
fn winograd_is_among_the_cases() {
    let (mut forward, mut backward) = (0, 0);
    for conv in Case::all().map(|case| case.conv) {
        forward += suits(&conv) as usize;
        backward += conv.transposed().is_some_and(|conv| suits(&conv)) as usize;
    }
    assert!(forward >= 6 && backward >= 6);
    let conv = |size, channels, stride| dense(Size(size, size), channels, channels, 3, stride, Padding::even(1));
    assert!(suits(&conv(56, 64, 1)) && suits(&conv(14, 256, 1)) && suits(&conv(7, 512, 1)));
    assert!(
        !suits(&conv(4, 512, 1)) && !suits(&conv(14, 1024, 1)) && !suits(&conv(28, 64, 2)) && !suits(&conv(28, 72, 1))
    );
}

#[test]
fn a_scale_multiplies_the_weights_of_its_channel() {
    for case in Case::all() {
        let conv = &case.conv;
        let scale = numbers(conv.out_c, 12);
        let row = conv.weights() / conv.out_c;
        let weight: Vec<_> = case.weight.iter().enumerate().map(|(i, w)| w * scale[i / row]).collect();
        let scaled = Case { weight, ..Case::new(*conv, case.batch) };
        let forward = ForwardWeights::pack(conv, &case.weight, Some(&scale), &memory());
        let mut y = vec![f32::NAN; case.dy.len()];
        conv::forward(&forward, &case.x, &case.bias, None, Activation::Relu, &memory(), &mut y);
        assert_eq!(y, scaled.forward(false, Activation::Relu), "{}", case.name());
        let backward = BackwardWeights::pack(conv, &case.weight, Some(&scale), &memory());
        let mut dx = vec![f32::NAN; case.x.len()];
        conv::backward_input(&backward, &case.dy, false, &memory(), &mut dx);
        assert_eq!(dx, scaled.backward_input(false), "{}", case.name());
    }
}

/// Sizes that make several tiles, groups and blocks.
fn large_cases() -> Vec<Case> {
    let same = Padding::same(30, 31, 5, 2);
    vec![
        Case::new(dense(Size(30, 31), 40, 24, 3, 1, Padding::even(1)), 5),
        Case::new(dense(Size(30, 31), 40, 24, 3, 2, Padding::even(1)), 5),
        Case::new(dense(Size(30, 31), 48, 80, 3, 1, Padding::even(1)), 5),
        Case::new(dense(Size(14, 13), 256, 256, 3, 1, Padding::even(1)), 3),
        // Several parts in each group of a weight gradient by Winograd.
        Case::new(dense(Size(68, 69), 16, 32, 3, 1, Padding::even(1)), 5),
        Case::new(dense(Size(56, 55), 32, 48, 1, 1, Padding::NONE), 4),
        Case::new(dense(Size(7, 7), 512, 520, 3, 1, Padding::even(1)), 6),
        Case::new(dense(Size(57, 57), 3, 24, 7, 2, Padding::even(3)), 3),
        Case::new(depthwise(Size(30, 31), 50, 3, 1, Padding::even(1)), 5),
        Case::new(depthwise(Size(30, 31), 50, 5, 2, same), 5),
    ]
}

#[test]
fn threads_change_no_byte() {
    let on = |threads: usize, case: &Case| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let y = case.forward(true, Activation::Relu);
            (y, case.backward_input(false), case.backward_input(true), case.backward_weight())
        })
    };
    for case in large_cases() {
        let one = on(1, &case);
        assert!(one == on(2, &case), "{}", case.name());
        assert!(one == on(3, &case), "{}", case.name());
    }
}

#[test]
fn large_cases_are_right() {
    for case in large_cases() {
        let (mut y, mut dx, mut dw) = (vec![0.0; case.dy.len()], vec![0.0; case.x.len()], vec![0.0; case.weight.len()]);
        each_term(&case.conv, case.batch, |iy, ix, iw| {
            let (x, w, d) = (case.x[ix] as f64, case.weight[iw] as f64, case.dy[iy] as f64);
            y[iy] += x * w;
            dx[ix] += d * w;
            dw[iw] += d * x;
        });
        y.iter_mut().zip(case.bias.iter().cycle()).for_each(|(y, &b)| *y += b as f64);
        assert_convolved(Some(case.conv), &case.forward(false, Activation::None), &y, &case.name());
        assert_convolved(case.conv.transposed(), &case.backward_input(false), &dx, &case.name());
        assert_convolved(Some(case.conv), &case.backward_weight().0, &dw, &case.name());
    }
}

#[test]
fn a_picture_is_the_same_in_any_batch() {
    for case in large_cases() {
        let y = case.forward(false, Activation::Relu);
        let dx = case.backward_input(false);
        let alone = |i: usize| Case {
            batch: 1,
            x: case.x.chunks(case.conv.in_len()).nth(i).unwrap().to_vec(),
            dy: case.dy.chunks(case.conv.out_len()).nth(i).unwrap().to_vec(),
            weight: case.weight.clone(),
            bias: case.bias.clone(),
            conv: case.conv,
        };
        for i in 0..case.batch {
            let one = alone(i);
            let expected = one.forward(false, Activation::Relu);
            assert!(y.chunks(expected.len()).nth(i).unwrap() == expected, "{}, picture {i}", case.name());
            let expected = one.backward_input(false);
            assert!(dx.chunks(expected.len()).nth(i).unwrap() == expected, "{}, picture {i}", case.name());
        }
    }
}

#[test]
fn an_activation_lets_the_gradient_through_where_it_is_open() {
    let y = [-0.0, 0.0, 1e-30, 3.0, 6.0, 7.0, f32::NAN];
    for (act, expected) in [
        (Activation::None, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        (Activation::Relu, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        (Activation::Relu6, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]),
    ] {
        let mut dy = [1.0; 7];
        backward_activation(act, &y, &mut dy);
        assert_eq!(dy, expected, "{act:?}");
    }
}

#[test]
fn what_is_not_a_number_stays_so() {
    for conv in [dense(Size(3, 3), 2, 3, 1, 1, Padding::NONE), depthwise(Size(3, 3), 17, 3, 1, Padding::even(1))] {
        let mut case = Case::new(conv, 1);
        case.x.fill(f32::NAN);
        assert!(case.forward(false, Activation::Relu6).iter().all(|y| y.is_nan()));
    }
}

#[test]
fn same_padding_is_tensorflows() {
    assert_eq!(Padding::same(224, 224, 3, 2), Padding { top: 0, left: 0, bottom: 1, right: 1 });
    assert_eq!(Padding::same(56, 56, 5, 2), Padding { top: 1, left: 1, bottom: 2, right: 2 });
    assert_eq!(Padding::same(7, 8, 5, 1), Padding::even(2));
    assert_eq!(Padding::same(5, 5, 1, 2), Padding::NONE);
}

#[test]
#[should_panic(expected = "output of")]
fn a_wrong_length_panics() {
    let conv = dense(Size(3, 3), 2, 3, 1, 1, Padding::NONE);
    let weights = BackwardWeights::pack(&conv, &[0.0; 6], None, &memory());
    conv::backward_input(&weights, &[0.0; 26], false, &memory(), &mut [0.0; 18]);
}

fn pools() -> Vec<(MaxPool, usize)> {
    let pool = |in_h, in_w, channels, kernel, stride, pad| MaxPool { in_h, in_w, channels, kernel, stride, pad };
    let all = [
        pool(1, 1, 3, 1, 1, 0),
        pool(5, 7, 3, 2, 2, 0),
        pool(6, 8, 21, 2, 2, 0),
        pool(5, 7, 19, 3, 2, 1),
        pool(12, 9, 64, 3, 2, 1),
        pool(6, 6, 33, 2, 1, 1),
        pool(9, 9, 5, 4, 3, 2),
    ];
    all.into_iter().flat_map(|pool| [(pool, 1), (pool, 3)]).collect()
}

/// Maxima, and the place in the input of each window's first.
fn max_pool(pool: &MaxPool, x: &[f32]) -> (Vec<f32>, Vec<usize>) {
    let (mut maxima, mut places) = (vec![], vec![]);
    for b in 0..x.len() / pool.in_len() {
        for (oy, ox) in (0..pool.out_h()).flat_map(|oy| (0..pool.out_w()).map(move |ox| (oy, ox))) {
            for c in 0..pool.channels {
                let mut best: Option<usize> = None;
                for (ky, kx) in (0..pool.kernel).flat_map(|ky| (0..pool.kernel).map(move |kx| (ky, kx))) {
                    let (iy, ix) =
                        ((oy * pool.stride + ky).checked_sub(pool.pad), (ox * pool.stride + kx).checked_sub(pool.pad));
                    let (Some(iy), Some(ix)) = (iy, ix) else { continue };
                    if iy < pool.in_h && ix < pool.in_w {
                        let i = ((b * pool.in_h + iy) * pool.in_w + ix) * pool.channels + c;
                        best = Some(best.filter(|&old| x[old] >= x[i]).unwrap_or(i));
                    }
                }
                maxima.push(x[best.unwrap()]);
                places.push(best.unwrap());
            }
        }
    }
    (maxima, places)
}

#[test]
fn max_pool_takes_the_first_maximum() {
    for (pool, batch) in pools() {
        // Few different numbers, so that many windows have several maxima.
        let x: Vec<f32> = numbers(batch * pool.in_len(), 5).iter().map(|v| (v * 2.0).round()).collect();
        let (maxima, places) = max_pool(&pool, &x);
        let mut y = vec![f32::NAN; maxima.len()];
        max_pool_forward(&pool, &x, &mut y, None);
        assert_eq!(y, maxima, "{pool:?}");
        let mut at = vec![f32::NAN; y.len()];
        y.fill(f32::NAN);
        max_pool_forward(&pool, &x, &mut y, Some(&mut at));
        assert_eq!(y, maxima, "{pool:?}");
        // Whole numbers, so that their sums are exact in any order.
        let dy: Vec<f32> = numbers(y.len(), 6).iter().map(|v| (v * 100.0).round()).collect();
        let (mut dx, mut expected) = (vec![f32::NAN; x.len()], vec![0.0; x.len()]);
        places.iter().zip(&dy).for_each(|(&i, dy)| expected[i] += dy);
        max_pool_backward(&pool, &y, &at, &dy, Activation::None, &mut dx);
        assert_eq!(dx, expected, "{pool:?}");
        max_pool_backward(&pool, &y, &at, &dy, Activation::Relu, &mut dx);
        backward_activation(Activation::Relu, &x, &mut expected);
        assert_eq!(dx, expected, "{pool:?}");
    }
}

#[test]
fn max_pool_of_what_is_not_finite() {
    let pool = MaxPool { in_h: 2, in_w: 2, channels: 1, kernel: 2, stride: 2, pad: 0 };
    let both = |x: [f32; 4]| {
        let (mut y, mut at, mut dx) = ([0.0], [0.0], [0.0; 4]);
        max_pool_forward(&pool, &x, &mut y, Some(&mut at));
        max_pool_backward(&pool, &y, &at, &[3.0], Activation::None, &mut dx);
        (y[0], dx)
    };
    assert!(both([1.0, f32::NAN, 2.0, 0.0]).0.is_nan());
    assert_eq!(both([f32::NEG_INFINITY; 4]), (f32::NEG_INFINITY, [3.0, 0.0, 0.0, 0.0]));
    assert_eq!(both([f32::NAN, f32::NAN, 2.0, 0.0]).1, [0.0, 3.0, 0.0, 0.0]);
}

#[test]
fn average_pool_and_its_gradient() {
    for (batch, positions, channels) in [(1, 1, 1), (3, 49, 37), (2, 35, 64)] {
        let x = numbers(batch * positions * channels, 7);
        let dy = numbers(batch * channels, 8);
        let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
        average_pool_forward(positions, channels, &x, &mut y);
        average_pool_backward(positions, channels, &dy, &mut dx);
        let (mut expected, mut expected_dx) = (vec![0.0; y.len()], vec![0.0; x.len()]);
        for (i, &x) in x.iter().enumerate() {
            let place = i / (positions * channels) * channels + i % channels;
            expected[place] += x as f64 / positions as f64;
            expected_dx[i] = dy[place] as f64 / positions as f64;
        }
        assert_close(&y, &expected, "average");
        assert_close(&dx, &expected_dx, "gradient of the average");
    }
}

#[test]
fn weights_are_reordered_and_gradients_back() {
    for (outputs, inputs, taps) in [(1, 1, 1), (19, 35, 9), (16, 32, 1), (40, 1, 25), (33, 17, 4)] {
        let weight = numbers(outputs * inputs * taps, 9);
        let scale = numbers(outputs, 10);
        let at = |o: usize, i: usize, tap: usize| weight[(o * inputs + i) * taps + tap] * scale[o];
        let mut to = vec![f32::NAN; weight.len()];
        layout::oihw_to_hwio(outputs, inputs, &weight, Some(&scale), &mut to);
        let place = |p: usize| (p % outputs, p / outputs % inputs, p / outputs / inputs);
        assert!(to.iter().enumerate().all(|(p, &got)| got == at(place(p).0, place(p).1, place(p).2)));
        layout::oihw_to_turned_hwoi(outputs, inputs, &weight, Some(&scale), &mut to);
        let turned = |p: usize| at(p / inputs % outputs, p % inputs, taps - 1 - p / inputs / outputs);
        assert!(to.iter().enumerate().all(|(p, &got)| got == turned(p)));
        layout::oihw_to_ohwi(outputs, inputs, &weight, None, &mut to);
        let mut back = vec![f32::NAN; weight.len()];
        layout::ohwi_to_oihw(inputs, taps, &to, &mut back);
        assert_eq!(back, weight);
        assert!(
            (0..to.len())
                .all(|p| to[p] == weight[(p / inputs / taps * inputs + p % inputs) * taps + p / inputs % taps])
        );
    }
}

#[test]
fn one_array_is_added_to_another() {
    let (mut a, b) = (numbers(70_001, 1), numbers(70_001, 2));
    let expected: Vec<_> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    add_to(&mut a, &b);
    assert_eq!(a, expected);
}

#[test]
fn half_floats_there_and_back() {
    let numbers = numbers(100_003, 11);
    let (mut halves, mut back) = (vec![half::f16::ZERO; numbers.len()], vec![0.0; numbers.len()]);
    half_floats::to_f16(&numbers, &mut halves);
    half_floats::from_f16(&halves, &mut back);
    assert!(halves.iter().zip(&numbers).all(|(&h, &n)| h == half::f16::from_f32(n)));
    assert!(back.iter().zip(&numbers).all(|(b, n)| (b - n).abs() <= n.abs() / 2048.0 + 6.0e-8));
}
