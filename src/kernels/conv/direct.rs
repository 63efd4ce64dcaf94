//! Convolution of pictures of few channels, the first one of a network: straight from the picture.
//!
//! Its patches would be many times as large as the picture, and its matrices too narrow to multiply well. Instead, each
//! number of the picture meets the weights of a block of output channels while their sums stay in registers.

use super::geometry::Conv;
use super::gradient::WeightGradient;
use crate::kernels::elementwise::add;
use crate::kernels::frame::picture_parts;
use crate::kernels::memory::Memory;
use crate::kernels::simd::{self, Kernel, lanes, lanes_mut, mul_add};
use crate::kernels::sums::{AddRows, PartialSums};
use rayon::prelude::*;
use std::ops::Range;

/// Output channels in a block.
const LANES: usize = 16;

/// Neighbouring outputs that are made together.
const STRIP: usize = 6;

/// Weights whose gradients are made together.
const WEIGHTS: usize = 9;

/// Rows of the output that one task of a weight gradient takes.
const ROWS: usize = 16;

/// As [`im2col::forward`](super::im2col::forward), with weights `[kernel, kernel, in_c, out_c]`.
pub(super) fn forward(
    conv: &Conv,
    x: &[f32],
    packed: &[f32],
    accumulate: bool,
    finish: impl Fn(usize, &mut [f32]) + Sync,
    y: &mut [f32],
) {
    let (row, wide) = (conv.out_w() * conv.out_c, simd::has_wide_registers());
    picture_parts(y, conv.out_len(), row).for_each(|(i, start, y)| {
        let x = &x[i * conv.in_len()..][..conv.in_len()];
        simd::run(OutputRow { conv, x, packed, oy: start / row, accumulate, wide, y });
        finish(i * conv.out_len() + start, y);
    });
}

/// As [`im2col::backward_weight`](super::im2col::backward_weight).
pub(super) fn backward_weight(conv: &Conv, x: &[f32], dy: &[f32], weight: WeightGradient, memory: &Memory) {
    let WeightGradient { accumulate, sums } = weight;
    let (row, tasks) = (conv.out_w() * conv.out_c, conv.out_h().div_ceil(ROWS));
    let mut partial = PartialSums::new(dy.len() / conv.out_len() * tasks, sums.len(), memory);
    partial.of_tasks().into_par_iter().enumerate().for_each(|(i, sums)| {
        let (picture, first) = (i / tasks, i % tasks * ROWS);
        let x = &x[picture * conv.in_len()..][..conv.in_len()];
        let dy = &dy[picture * conv.out_len()..][..conv.out_len()];
        let dy = &dy[first * row..((first + ROWS) * row).min(dy.len())];
        simd::run(WeightSums { conv, x, dy, first, sums });
    });
    partial.add_up_turned(conv.out_c, accumulate, memory, sums);
}

/// How a row of outputs meets one row of the picture through one row of the kernel.
struct Meeting<'a> {
    /// The row of the picture.
    x: &'a [f32],
    /// Where the first output's part of it starts: before it where there is padding, wrapped around.
    start: usize,
    /// How far further the next output's starts.
    step: usize,
}

impl<'a> Meeting<'a> {
    /// None where the kernel's row lies on padding.
    #[inline(always)]
    fn new(conv: &Conv, x: &'a [f32], oy: usize, ky: usize) -> Option<Self> {
        let &Conv { in_h, in_w, in_c, stride, pad, .. } = conv;
        let y = (oy * stride + ky).wrapping_sub(pad.top);
        let start = (pad.left * in_c).wrapping_neg();
        (y < in_h).then(|| Self { x: &x[y * in_w * in_c..][..in_w * in_c], start, step: stride * in_c })
    }
}

/// The outputs of a row that whole rows of the kernel belong to.
#[inline(always)]
fn inside(conv: &Conv) -> Range<usize> {
    let end = (conv.in_w + conv.pad.left).checked_sub(conv.kernel).map_or(0, |last| last / conv.stride + 1);
    let end = end.min(conv.out_w());
    conv.pad.left.div_ceil(conv.stride).min(end)..end
}

/// One row of the output of one picture.
struct OutputRow<'a> {
    conv: &'a Conv,
    x: &'a [f32],
    packed: &'a [f32],
    oy: usize,
    accumulate: bool,
    /// Whether up to four blocks of channels are made together: where there are registers for their sums.
    wide: bool,
    y: &'a mut [f32],
}

impl Kernel for OutputRow<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let (out_c, inside) = (self.conv.out_c, inside(self.conv));
        assert_eq!(self.packed.len(), self.conv.weights());
        let mut o = 0;
        while o < out_c {
            let blocks = if self.wide { (out_c - o) / LANES } else { 1 };
            o += match blocks {
                4.. => self.channels::<FMA, { 4 * LANES }>(o, &inside),
                2.. => self.channels::<FMA, { 2 * LANES }>(o, &inside),
                _ => self.channels::<FMA, LANES>(o, &inside),
            };
        }
    }
}

impl OutputRow<'_> {
    /// `L` channels from `o` on. Gives `L`.
    #[inline(always)]
    fn channels<const FMA: bool, const L: usize>(&mut self, o: usize, inside: &Range<usize>) -> usize {
        let mut ox = 0;
        while ox < self.conv.out_w() {
            ox += if inside.start <= ox && ox + STRIP <= inside.end {
                self.outputs::<FMA, L, STRIP>(o, ox)
            } else {
                self.outputs::<FMA, L, 1>(o, ox)
            };
        }
        L
    }

    /// `L` channels from `o` on, of `N` outputs from `ox` on; several only where they all are inside. Gives `N`.
    #[inline(always)]
    fn outputs<const FMA: bool, const L: usize, const N: usize>(&mut self, o: usize, ox: usize) -> usize {
        let &Conv { in_c, out_c, kernel, .. } = self.conv;
        let numbers = kernel * in_c;
        let mut sums = [[0.0; L]; N];
        for ky in 0..kernel {
            let Some(Meeting { x, start, step }) = Meeting::new(self.conv, self.x, self.oy, ky) else { continue };
            let start = start.wrapping_add(ox * step);
            // Those of the kernel's row that lie on the picture: all of them where the output is inside.
            let before = if start < x.len() { 0 } else { start.wrapping_neg() };
            let on_picture = if N == 1 { before..numbers.min(x.len().wrapping_sub(start)) } else { 0..numbers };
            for number in on_picture {
                let weight: &[f32; L] = lanes(self.packed, (ky * numbers + number) * out_c + o);
                for (i, sums) in sums.iter_mut().enumerate() {
                    let at = start.wrapping_add(i * step + number);
                    debug_assert!(at < x.len());
                    // SAFETY: the number lies on the picture, as `on_picture` and `inside` say.
                    add_multiple::<FMA, _>(sums, unsafe { *x.get_unchecked(at) }, weight);
                }
            }
        }
        for (i, mut sums) in sums.into_iter().enumerate() {
            let y = lanes_mut(self.y, (ox + i) * out_c + o);
            if self.accumulate {
                add(&mut sums, y);
            }
            *y = sums;
        }
        N
    }
}

/// The gradients of weights and bias from some rows of the output of one picture, from row `first` on: `sums` is
/// `[kernel, kernel, in_c, out_c]` and the bias' behind them.
struct WeightSums<'a> {
    conv: &'a Conv,
    x: &'a [f32],
    dy: &'a [f32],
    first: usize,
    sums: &'a mut [f32],
}

impl Kernel for WeightSums<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { conv, x, dy, first, sums } = self;
        let &Conv { in_c, out_c, kernel, .. } = conv;
        let (numbers, inside, out_w) = (kernel * in_c, inside(conv), conv.out_w());
        sums.fill(0.0);
        for (row, dy) in dy.chunks_exact(out_w * out_c).enumerate() {
            for ky in 0..kernel {
                let Some(meeting) = Meeting::new(conv, x, first + row, ky) else { continue };
                for o in (0..out_c).step_by(LANES) {
                    let mut number = 0;
                    while number < numbers {
                        let sums = &mut sums[(ky * numbers + number) * out_c + o..];
                        let outputs = Outputs { conv, meeting: &meeting, inside: &inside, dy, number, o };
                        number += match numbers - number {
                            WEIGHTS.. => outputs.add_to::<FMA, WEIGHTS>(sums),
                            3.. => outputs.add_to::<FMA, 3>(sums),
                            _ => outputs.add_to::<FMA, 1>(sums),
                        };
                    }
                }
            }
            let sums = &mut sums[conv.weights()..];
            AddRows { rows: dy, stride: out_c, from: 0, sums }.run::<FMA>();
        }
    }
}

/// A row of outputs that meets some weights: those of a block of channels from `o` on, and of some numbers of a row of the
/// kernel from `number` on.
struct Outputs<'a> {
    conv: &'a Conv,
    meeting: &'a Meeting<'a>,
    inside: &'a Range<usize>,
    dy: &'a [f32],
    number: usize,
    o: usize,
}

impl Outputs<'_> {
    /// Adds the gradients of `N` numbers' weights to `to`, rows of `out_c`. Gives `N`.
    #[inline(always)]
    fn add_to<const FMA: bool, const N: usize>(&self, to: &mut [f32]) -> usize {
        let &Range { start, end } = self.inside;
        let sums = self.add_range::<FMA, N, true>(0..start, [[0.0; LANES]; N]);
        let sums = self.add_range::<FMA, N, false>(start..end, sums);
        let sums = self.add_range::<FMA, N, true>(end..self.conv.out_w(), sums);
        for (i, sums) in sums.iter().enumerate() {
            add(lanes_mut::<LANES>(to, i * self.conv.out_c), sums);
        }
        N
    }

    #[inline(always)]
    fn add_range<const FMA: bool, const N: usize, const EDGE: bool>(
        &self,
        outputs: Range<usize>,
        mut sums: [[f32; LANES]; N],
    ) -> [[f32; LANES]; N] {
        let &Meeting { x, start, step } = self.meeting;
        for ox in outputs {
            let dy: &[f32; LANES] = lanes(self.dy, ox * self.conv.out_c + self.o);
            let start = start.wrapping_add(ox * step + self.number);
            for (i, sums) in sums.iter_mut().enumerate() {
                let at = start.wrapping_add(i);
                if EDGE && at >= x.len() {
                    continue;
                }
                debug_assert!(at < x.len());
                // SAFETY: where the output is `inside`, all of the kernel's row lies in the picture's.
                add_multiple::<FMA, _>(sums, unsafe { *x.get_unchecked(at) }, dy);
            }
        }
        sums
    }
}

/// `sums[lane] += factor · from[lane]`.
#[inline(always)]
fn add_multiple<const FMA: bool, const L: usize>(sums: &mut [f32; L], factor: f32, from: &[f32; L]) {
    for lane in 0..L {
        sums[lane] = mul_add::<FMA>(factor, from[lane], sums[lane]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;
    use crate::kernels::{Padding, Precision};

    #[test]
    fn every_vector_unit_agrees() {
        for (kernel, stride) in [(3, 1), (3, 2), (4, 3)] {
            let pad = Padding::same(29, 31, kernel, stride);
            let conv = &Conv {
                in_h: 29,
                in_w: 31,
                in_c: 3,
                out_c: 32,
                kernel,
                stride,
                pad,
                depthwise: false,
                precision: Precision::F32,
            };
            let (x, dy) = (&numbers(conv.in_len(), 1)[..], &numbers(conv.out_len(), 2)[..]);
            let packed = &numbers(conv.weights(), 3)[..];
            every_unit::agrees(1e-6, |unit| {
                let mut y = vec![0.0; dy.len()];
                for (oy, y) in y.chunks_mut(conv.out_w() * conv.out_c).enumerate() {
                    unit.run(OutputRow { conv, x, packed, oy, accumulate: false, wide: oy % 2 == 0, y });
                }
                let mut sums = vec![0.0; conv.weights() + conv.out_c];
                unit.run(WeightSums { conv, x, dy, first: 0, sums: &mut sums });
                [y, sums]
            });
        }
    }
}
