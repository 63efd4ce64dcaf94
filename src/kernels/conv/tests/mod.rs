//! Convolutions against a plain one in `f64`, in odd sizes; and the same bytes from one thread and from several.

mod bytes;
mod pair;
mod values;

use half::bf16;

use super::plan::{Dense, Forward};
use super::{BackwardWeights, ForwardWeights};
use crate::kernels::tests::{TOLERANCE, distance, memory, numbers};
use crate::kernels::{Activation, Conv, Padding, Precision, conv};

/// The same as [`TOLERANCE`] where Winograd's transforms come before and after.
const WINOGRAD_TOLERANCE: f64 = 5e-6;

/// Rows and columns of the input.
#[derive(Clone, Copy)]
struct Size(usize, usize);

fn dense(Size(in_h, in_w): Size, in_c: usize, out_c: usize, kernel: usize, stride: usize, pad: Padding) -> Conv {
    Conv { in_h, in_w, in_c, out_c, kernel, stride, pad, depthwise: false, precision: Precision::F32 }
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

/// Sizes that make several tiles, groups and blocks.
fn large_cases() -> Vec<Case> {
    let same = Padding::same(30, 31, 5, 2);
    let all = vec![
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
    ];
    let narrow = all.iter().map(|case| Case::new(Conv { precision: Precision::Bf16, ..case.conv }, case.batch));
    narrow.collect::<Vec<_>>().into_iter().chain(all).collect()
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
    /// Where products are taken in bf16, of numbers that are bf16: so they are exact in any precision.
    fn new(conv: Conv, batch: usize) -> Self {
        let numbers = |len, seed| match conv.precision {
            Precision::F32 => numbers(len, seed),
            Precision::Bf16 => numbers(len, seed).into_iter().map(|number| bf16::from_f32(number).to_f32()).collect(),
        };
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
        let both = |conv| [Precision::F32, Precision::Bf16].map(|precision| Conv { precision, ..conv });
        geometries().into_iter().flat_map(both).flat_map(|conv| [1, 3].map(|batch| Self::new(conv, batch)))
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

/// Whether Winograd's way computes it.
fn takes_winograd(conv: &Conv) -> bool {
    Forward::of(conv) == Forward::Dense(Dense::Winograd)
}

/// The same for what `conv` computes; `name` says more.
#[track_caller]
fn assert_convolved(conv: Option<Conv>, got: &[f32], expected: &[f64], name: &str) {
    let tolerance = if conv.is_some_and(|conv| takes_winograd(&conv)) { WINOGRAD_TOLERANCE } else { TOLERANCE };
    let distance = distance(got, expected);
    assert!(distance < tolerance, "{name}: {distance:e}");
}
