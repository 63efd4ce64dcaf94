//! The linear transforms of pictures and gradients, before and after the products.

use super::tiles::{IN, LANES, OUT, PLACES, first_tile, in_panels, tile_places};
use crate::kernels::conv::geometry::Conv;
use crate::kernels::elementwise::add;
use crate::kernels::simd::{Kernel, lanes, lanes_mut};
use std::ops::Range;

/// Takes 6×6 tiles of `x` to `input`, 36 matrices `[tiles, in_c]`.
pub(super) struct TransformInput<'a> {
    pub(super) conv: &'a Conv,
    pub(super) x: &'a [f32],
    pub(super) tiles: Range<usize>,
    pub(super) input: &'a mut [f32],
}

impl Kernel for TransformInput<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let &Conv { in_h, in_w, in_c, pad, .. } = self.conv;
        let plane = self.input.len() / PLACES;
        let mut half: Half<IN, IN> = [[[0.0; LANES]; IN]; IN];
        for (tile, (picture, oy, ox)) in tile_places(self.conv, self.tiles).enumerate() {
            let x = &self.x[picture * self.conv.in_len()..][..self.conv.in_len()];
            for c in (0..in_c).step_by(LANES) {
                let pixel = |row: usize, column: usize| {
                    let (iy, ix) = ((oy + row).wrapping_sub(pad.top), (ox + column).wrapping_sub(pad.left));
                    if iy < in_h && ix < in_w { lanes(x, (iy * in_w + ix) * in_c + c) } else { &[0.0; LANES] }
                };
                both_ways(pixel, input_transform, &mut half, IN, |row, column, whole| {
                    *lanes_mut(self.input, (row * IN + column) * plane + tile * in_c + c) = *whole;
                });
            }
        }
    }
}

/// Takes `product`, 36 matrices `[tiles, out_c]` in panels, to 4×4 tiles of `y`.
pub(super) struct TransformOutput<'a> {
    pub(super) conv: &'a Conv,
    pub(super) start: usize,
    pub(super) tiles: usize,
    pub(super) product: &'a [f32],
    pub(super) accumulate: bool,
    pub(super) y: &'a mut [f32],
}

impl Kernel for TransformOutput<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (out_h, out_w, out_c) = (self.conv.out_h(), self.conv.out_w(), self.conv.out_c);
        let (first, plane) = (first_tile(self.conv, self.start), self.product.len() / PLACES);
        let mut half: Half<IN, OUT> = [[[0.0; LANES]; OUT]; IN];
        for (tile, (picture, oy, ox)) in tile_places(self.conv, first..first + self.tiles).enumerate() {
            let (rows, columns) = (OUT.min(out_h - oy), OUT.min(out_w - ox));
            for c in (0..out_c).step_by(LANES) {
                let at = in_panels(self.tiles, out_c, tile, c);
                let product = |row: usize, column: usize| lanes(self.product, (row * IN + column) * plane + at);
                both_ways(product, output_transform, &mut half, rows, |row, column, whole| {
                    if column < columns {
                        let pixel = (picture * out_h + oy + row) * out_w + ox + column;
                        let y = lanes_mut::<LANES>(self.y, pixel * out_c + c - self.start);
                        if self.accumulate {
                            add(y, whole);
                        } else {
                            *y = *whole;
                        }
                    }
                });
            }
        }
    }
}

/// Takes 4×4 tiles of `dy`, some channels from `from` on, to `gradient`, 36 matrices `[tiles, channels]`.
pub(super) struct TransformGradient<'a> {
    pub(super) conv: &'a Conv,
    pub(super) dy: &'a [f32],
    pub(super) tiles: Range<usize>,
    pub(super) from: usize,
    pub(super) channels: usize,
    pub(super) gradient: &'a mut [f32],
}

impl Kernel for TransformGradient<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (out_h, out_w, out_c) = (self.conv.out_h(), self.conv.out_w(), self.conv.out_c);
        let plane = self.gradient.len() / PLACES;
        let mut half: Half<OUT, IN> = [[[0.0; LANES]; IN]; OUT];
        for (tile, (picture, oy, ox)) in tile_places(self.conv, self.tiles).enumerate() {
            let dy = &self.dy[picture * self.conv.out_len()..][..self.conv.out_len()];
            for c in (0..self.channels).step_by(LANES) {
                let pixel = |row: usize, column: usize| {
                    let (y, x) = (oy + row, ox + column);
                    let at = (y * out_w + x) * out_c + self.from + c;
                    if y < out_h && x < out_w { lanes(dy, at) } else { &[0.0; LANES] }
                };
                both_ways(pixel, gradient_transform, &mut half, IN, |row, column, whole| {
                    let at = (row * IN + column) * plane + tile * self.channels + c;
                    *lanes_mut(self.gradient, at) = *whole;
                });
            }
        }
    }
}

/// Takes `sums`, 36 matrices `[outputs, in_c]`, to `dw`, `[outputs, 3, 3, in_c]`.
pub(super) struct TransformSums<'a> {
    pub(super) in_c: usize,
    pub(super) sums: &'a [f32],
    pub(super) accumulate: bool,
    pub(super) dw: &'a mut [f32],
}

impl Kernel for TransformSums<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (in_c, plane) = (self.in_c, self.sums.len() / PLACES);
        let mut half: Half<IN, 3> = [[[0.0; LANES]; 3]; IN];
        for (o, dw) in self.dw.chunks_exact_mut(9 * in_c).enumerate() {
            for c in (0..in_c).step_by(LANES) {
                let sums = |row: usize, column: usize| lanes(self.sums, (row * IN + column) * plane + o * in_c + c);
                both_ways(sums, sums_transform, &mut half, 3, |row, column, whole| {
                    let dw = lanes_mut::<LANES>(dw, (row * 3 + column) * in_c + c);
                    if self.accumulate {
                        add(dw, whole);
                    } else {
                        *dw = *whole;
                    }
                });
            }
        }
    }
}

/// What a tile's columns come to, half the way. There is one for all tiles: to clear one for each would take longer than to fill it.
type Half<const M: usize, const N: usize> = [[[f32; LANES]; N]; M];

/// Takes a tile through a transform, column by column and then row by row: `read(row, column)` gives its numbers, and
/// `write(row, column, numbers)` gets those of the first `rows` rows of what comes out.
#[inline(always)]
fn both_ways<'a, const M: usize, const N: usize>(
    read: impl Fn(usize, usize) -> &'a [f32; LANES],
    f: impl Fn([f32; M]) -> [f32; N] + Copy,
    half: &mut Half<M, N>,
    rows: usize,
    mut write: impl FnMut(usize, usize, &[f32; LANES]),
) {
    for (column, half) in half.iter_mut().enumerate() {
        transform(std::array::from_fn(|row| read(row, column)), half, f);
    }
    for row in 0..rows {
        let mut whole = [[0.0; LANES]; N];
        transform(half.each_ref().map(|column| &column[row]), &mut whole, f);
        whole.iter().enumerate().for_each(|(column, whole)| write(row, column, whole));
    }
}

/// `to[..][lane] = f(from[..][lane])`.
#[inline(always)]
fn transform<const M: usize, const N: usize>(
    from: [&[f32; LANES]; M],
    to: &mut [[f32; LANES]; N],
    f: impl Fn([f32; M]) -> [f32; N],
) {
    for lane in 0..LANES {
        let out = f(std::array::from_fn(|i| from[i][lane]));
        (0..N).for_each(|i| to[i][lane] = out[i]);
    }
}

/// Bᵀ of the paper, along one axis.
#[inline(always)]
fn input_transform([a, b, c, d, e, f]: [f32; IN]) -> [f32; IN] {
    let (even, odd) = (e - 4.0 * c, d - 4.0 * b);
    let (even2, odd2) = (e - c, 2.0 * (d - b));
    [4.0 * a - 5.0 * c + e, even + odd, even - odd, even2 + odd2, even2 - odd2, 4.0 * b - 5.0 * d + f]
}

/// Aᵀ of the paper, along one axis.
#[inline(always)]
fn output_transform([a, b, c, d, e, f]: [f32; IN]) -> [f32; OUT] {
    let (sum, difference) = (b + c, b - c);
    let (sum2, difference2) = (d + e, d - e);
    [a + sum + sum2, difference + 2.0 * difference2, sum + 4.0 * sum2, difference + 8.0 * difference2 + f]
}

/// A of the paper, along one axis.
#[inline(always)]
fn gradient_transform([a, b, c, d]: [f32; OUT]) -> [f32; IN] {
    let (even, odd) = (a + c, b + d);
    let (even2, odd2) = (a + 4.0 * c, 2.0 * b + 8.0 * d);
    [a, even + odd, even - odd, even2 + odd2, even2 - odd2, d]
}

/// Gᵀ of the paper, along one axis.
#[inline(always)]
fn sums_transform([a, b, c, d, e, f]: [f32; IN]) -> [f32; 3] {
    let (sum, difference) = ((b + c) * (1.0 / 6.0), (c - b) * (1.0 / 6.0));
    let (sum2, difference2) = ((d + e) * (1.0 / 24.0), (d - e) * (1.0 / 12.0));
    [a * 0.25 - sum + sum2, difference + difference2, 4.0 * sum2 - sum + f]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;
    use crate::kernels::{Padding, Precision};

    #[test]
    fn every_vector_unit_agrees() {
        let pad = Padding { top: 2, left: 0, bottom: 1, right: 2 };
        let conv = &Conv {
            in_h: 12,
            in_w: 10,
            in_c: 32,
            out_c: 80,
            kernel: 3,
            stride: 1,
            pad,
            depthwise: false,
            precision: Precision::F32,
        };
        let x = &numbers(conv.in_len(), 1)[..];
        let tiles = conv.out_h().div_ceil(OUT) * conv.out_w().div_ceil(OUT);
        let product = &numbers(PLACES * tiles * conv.out_c, 3)[..];
        every_unit::agrees(5e-7, |unit| {
            let mut input = vec![0.0; PLACES * tiles * conv.in_c];
            unit.run(TransformInput { conv, x, tiles: 0..tiles, input: &mut input });
            let mut y = vec![0.0; conv.out_len()];
            let mut dw = vec![0.0; 2 * 9 * conv.in_c];
            let sums = &product[..2 * PLACES * conv.in_c];
            for accumulate in [false, true] {
                unit.run(TransformOutput { conv, start: 0, tiles, product, accumulate, y: &mut y });
                unit.run(TransformSums { in_c: conv.in_c, sums, accumulate, dw: &mut dw });
            }
            let (from, channels) = (16, 48);
            let mut gradient = vec![0.0; PLACES * tiles * channels];
            unit.run(TransformGradient { conv, dy: &y, tiles: 0..tiles, from, channels, gradient: &mut gradient });
            [input, y, gradient, dw]
        });
    }
}
