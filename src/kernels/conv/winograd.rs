//! 3×3 convolution with a quarter of the multiplications.
//!
//! F(4×4, 3×3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016): 4×4 outputs are made from 6×6
//! inputs by 36 products a channel instead of 144. Inputs, weights and products each go through a small linear transform,
//! which costs some of the precision: against exact arithmetic a layer's relative error (L2) is at most 3e-6 instead of 5e-7.
//! The gradient of the weights is the same the other way round: 36 products of transformed inputs and gradients, whose sums over all
//! tiles are taken back to weights once.

use super::Conv;
use super::im2col::Block;
use crate::kernels::elementwise::{AddRows, add, lanes, lanes_mut};
use crate::kernels::gemm::{Matrix, multiply};
use crate::kernels::memory::{Buffer, Memory};
use crate::kernels::simd::{self, Kernel};
use rayon::prelude::*;
use std::ops::Range;

/// Side of a tile of the output.
const OUT: usize = 4;

/// Side of the tile of the input that it is made from.
const IN: usize = 6;

/// Places in a tile of the input; each is a matrix product of its own.
const PLACES: usize = IN * IN;

/// Channels that are transformed together.
const LANES: usize = 16;

/// Columns of a panel of weights: read row by row, a panel is one run of memory, which a cache can foresee.
const PANEL: usize = 64;

/// Tiles that one task takes through, about: a multiple of the six rows that the matrix product makes at once.
const TILES: usize = 48;

/// A task takes a tile more for so many weights of a place: it reads all of them.
const WEIGHTS_PER_TILE: usize = 512;

/// The most weights for which reading the transformed ones, or the sums of their gradients, four times as many, costs less than is saved.
const MAX_WEIGHTS: usize = 512 * 512;

/// Numbers in the transformed inputs and gradients that are multiplied together, about: they stay in the cache.
const PART: usize = 1 << 18;

/// The fewest tiles that are multiplied together.
pub(super) const MIN_TILES: usize = 64;

/// The place where the transformed gradient is its tile's sum.
const SUM: usize = IN + 1;

/// Whether this way is the faster one. Depends on the geometry alone.
pub(in crate::kernels) fn suits(conv: &Conv) -> bool {
    let &Conv { in_c, out_c, kernel, stride, depthwise, .. } = conv;
    let whole = in_c.is_multiple_of(LANES) && out_c.is_multiple_of(LANES);
    let large = conv.out_h().min(conv.out_w()) > OUT && in_c * out_c <= MAX_WEIGHTS;
    kernel == 3 && stride == 1 && !depthwise && whole && large
}

/// The transformed weights from `[3, 3, in_c, out_c]`: 36 matrices `[in_c, out_c]`, each cut into panels of columns.
pub(super) fn pack(conv: &Conv, weight: &[f32], memory: &Memory) -> Buffer {
    let plane = conv.in_c * conv.out_c;
    let mut packed = memory.buffer(PLACES * plane);
    let rows = packed.par_chunks_mut(IN * plane).zip(G);
    rows.for_each(|(packed, factors)| simd::run(TransformWeights { conv, weight, factors, packed }));
    packed
}

/// As [`im2col::forward`](super::im2col::forward), with weights from [`pack`].
pub(super) fn forward(
    conv: &Conv,
    x: &[f32],
    packed: &[f32],
    accumulate: bool,
    finish: impl Fn(usize, &mut [f32]) + Sync,
    memory: &Memory,
    y: &mut [f32],
) {
    let (row, picture) = (conv.out_w() * conv.out_c, conv.out_len());
    let (across, down) = (conv.out_w().div_ceil(OUT), conv.out_h().div_ceil(OUT));
    let plane = conv.in_c * conv.out_c;
    // A task takes several small pictures, or some rows of tiles of a large one.
    let tiles = TILES.max(plane / WEIGHTS_PER_TILE);
    let pictures = (tiles / (across * down)).max(1);
    let parts = (across * down).div_ceil(tiles);
    let part = if parts > 1 { down.div_ceil(parts) * OUT * row } else { pictures * picture };
    let parts = y.par_chunks_mut(pictures * picture).enumerate().flat_map(|(i, y)| {
        let parts = y.par_chunks_mut(part).enumerate();
        parts.map(move |(j, y)| (i * pictures * picture + j * part, y))
    });
    parts.for_each(|(start, y)| {
        let tiles: usize = y.chunks(picture).map(|y| y.len().div_ceil(OUT * row) * across).sum();
        let (inputs, products) = (plane_len(tiles, conv.in_c), plane_len(tiles, conv.out_c));
        let mut buffer = memory.buffer(PLACES * (inputs + products));
        let (input, product) = buffer.split_at_mut(PLACES * inputs);
        let first = first_tile(conv, start);
        simd::run(TransformInput { conv, x, tiles: first..first + tiles, input });
        for (place, product) in product.chunks_exact_mut(products).enumerate() {
            let product = &mut product[..tiles * conv.out_c];
            let input = Matrix::new(&input[place * inputs..][..tiles * conv.in_c], tiles, conv.in_c);
            let panels = packed[place * plane..][..plane].chunks(conv.in_c * PANEL);
            for (product, panel) in product.chunks_mut(tiles * PANEL).zip(panels) {
                multiply(input, Matrix::new(panel, conv.in_c, panel.len() / conv.in_c), false, product);
            }
        }
        simd::run(TransformOutput { conv, start, tiles, product, accumulate, y });
        finish(start, y);
    });
}

/// The gradients of weights, `[O, 3, 3, I]`, and bias of some output channels over some tiles, counted through the batch.
pub(super) fn backward_weight(conv: &Conv, x: &[f32], dy: &[f32], tiles: Range<usize>, memory: &Memory, block: Block) {
    let Block { from, accumulate, dw, db } = block;
    let (in_c, channels) = (conv.in_c, db.len());
    if !accumulate {
        db.fill(0.0);
    }
    let some = (PART / (PLACES * (in_c + channels))).max(MIN_TILES);
    let len = PLACES * (plane_len(some, in_c) + plane_len(some, channels));
    let mut buffer = memory.buffer(len + PLACES * channels * in_c);
    let (parts, sums) = buffer.split_at_mut(len);
    for first in tiles.clone().step_by(some) {
        let some = first..(first + some).min(tiles.end);
        let (count, accumulate) = (some.len(), first > tiles.start);
        let (inputs, gradients) = (plane_len(count, in_c), plane_len(count, channels));
        let (input, gradient) = parts.split_at_mut(PLACES * inputs);
        let gradient = &mut gradient[..PLACES * gradients];
        simd::run(TransformInput { conv, x, tiles: some.clone(), input });
        simd::run(TransformGradient { conv, dy, tiles: some, from, channels, gradient });
        let places = input.chunks_exact(inputs).zip(gradient.chunks_exact(gradients));
        for ((input, gradient), sums) in places.zip(sums.chunks_exact_mut(channels * in_c)) {
            let gradient = Matrix::new(&gradient[..count * channels], count, channels).transposed();
            multiply(gradient, Matrix::new(&input[..count * in_c], count, in_c), accumulate, sums);
        }
        let rows = &gradient[SUM * gradients..][..count * channels];
        simd::run(AddRows { rows, stride: channels, from: 0, sums: db });
    }
    if tiles.is_empty() {
        sums.fill(0.0);
    }
    simd::run(TransformSums { in_c, sums, accumulate, dw });
}

/// Numbers from the matrix of one place to the next, where it has so many rows and columns: the line between them keeps a tile's 36
/// places from falling into one set of the cache.
fn plane_len(rows: usize, columns: usize) -> usize {
    rows * columns + LANES
}

/// How many tiles a batch has.
pub(super) fn tiles(conv: &Conv, pictures: usize) -> usize {
    pictures * picture_tiles(conv)
}

/// How many tiles a picture has.
fn picture_tiles(conv: &Conv) -> usize {
    conv.out_w().div_ceil(OUT) * conv.out_h().div_ceil(OUT)
}

/// The tile, counted through the batch, that number `start` of the output belongs to, the first of a row of tiles.
fn first_tile(conv: &Conv, start: usize) -> usize {
    let row = start % conv.out_len() / (conv.out_w() * conv.out_c);
    start / conv.out_len() * picture_tiles(conv) + row / OUT * conv.out_w().div_ceil(OUT)
}

/// Where tiles of the output are: picture, row and column of the first output of each, in order.
fn tile_places(conv: &Conv, tiles: Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
    let (across, all) = (conv.out_w().div_ceil(OUT), picture_tiles(conv));
    tiles.map(move |t| (t / all, t % all / across * OUT, t % across * OUT))
}

/// Where row `row` of a matrix `[rows, columns]`, cut into panels, has its column `c`.
#[inline(always)]
fn in_panels(rows: usize, columns: usize, row: usize, c: usize) -> usize {
    let first = c / PANEL * PANEL;
    first * rows + row * PANEL.min(columns - first) + c - first
}

/// Takes `weight`, `[3, 3, in_c, out_c]`, to one of six rows of the transformed ones, `packed`, six matrices in panels.
struct TransformWeights<'a> {
    conv: &'a Conv,
    weight: &'a [f32],
    factors: [f32; 3],
    packed: &'a mut [f32],
}

impl Kernel for TransformWeights<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (in_c, out_c, plane) = (self.conv.in_c, self.conv.out_c, self.packed.len() / IN);
        for (i, c) in (0..in_c).flat_map(|i| (0..out_c).step_by(PANEL).map(move |c| (i, c))) {
            let width = PANEL.min(out_c - c);
            let mut half = [[0.0; PANEL]; 3];
            for (column, half) in half.iter_mut().enumerate() {
                let row = |row: usize| &self.weight[(row * 3 + column) * plane + i * out_c + c..][..width];
                weighted_sum(self.factors, [row(0), row(1), row(2)], half);
            }
            let at = in_panels(in_c, out_c, i, c);
            for (column, factors) in G.into_iter().enumerate() {
                let packed = &mut self.packed[column * plane + at..][..width];
                weighted_sum(factors, half.each_ref().map(|half| &half[..]), packed);
            }
        }
    }
}

/// `to = Σ factors from`, as far as the shortest reaches.
#[inline(always)]
fn weighted_sum(factors: [f32; 3], from: [&[f32]; 3], to: &mut [f32]) {
    for (((to, a), b), c) in to.iter_mut().zip(from[0]).zip(from[1]).zip(from[2]) {
        *to = factors[0] * a + factors[1] * b + factors[2] * c;
    }
}

/// Takes 6×6 tiles of `x` to `input`, 36 matrices `[tiles, in_c]`.
struct TransformInput<'a> {
    conv: &'a Conv,
    x: &'a [f32],
    tiles: Range<usize>,
    input: &'a mut [f32],
}

impl Kernel for TransformInput<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let &Conv { in_h, in_w, in_c, pad, .. } = self.conv;
        let plane = self.input.len() / PLACES;
        for (tile, (picture, oy, ox)) in tile_places(self.conv, self.tiles).enumerate() {
            let x = &self.x[picture * self.conv.in_len()..][..self.conv.in_len()];
            for c in (0..in_c).step_by(LANES) {
                let mut half = [[[0.0; LANES]; IN]; IN];
                for (column, half) in half.iter_mut().enumerate() {
                    let pixels: [&[f32; LANES]; IN] = std::array::from_fn(|row| {
                        let (iy, ix) = ((oy + row).wrapping_sub(pad.top), (ox + column).wrapping_sub(pad.left));
                        if iy < in_h && ix < in_w { lanes(x, (iy * in_w + ix) * in_c + c) } else { &[0.0; LANES] }
                    });
                    transform(pixels, half, input_transform);
                }
                for row in 0..IN {
                    let mut whole = [[0.0; LANES]; IN];
                    transform(half.each_ref().map(|column| &column[row]), &mut whole, input_transform);
                    for (column, whole) in whole.iter().enumerate() {
                        let at = (row * IN + column) * plane + tile * in_c + c;
                        self.input[at..at + LANES].copy_from_slice(whole);
                    }
                }
            }
        }
    }
}

/// Takes `product`, 36 matrices `[tiles, out_c]` in panels, to 4×4 tiles of `y`.
struct TransformOutput<'a> {
    conv: &'a Conv,
    start: usize,
    tiles: usize,
    product: &'a [f32],
    accumulate: bool,
    y: &'a mut [f32],
}

impl Kernel for TransformOutput<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (out_h, out_w, out_c) = (self.conv.out_h(), self.conv.out_w(), self.conv.out_c);
        let (first, plane) = (first_tile(self.conv, self.start), self.product.len() / PLACES);
        for (tile, (picture, oy, ox)) in tile_places(self.conv, first..first + self.tiles).enumerate() {
            let (rows, columns) = (OUT.min(out_h - oy), OUT.min(out_w - ox));
            for c in (0..out_c).step_by(LANES) {
                let at = in_panels(self.tiles, out_c, tile, c);
                let mut half = [[[0.0; LANES]; OUT]; IN];
                for (column, half) in half.iter_mut().enumerate() {
                    let products = std::array::from_fn(|row| lanes(self.product, (row * IN + column) * plane + at));
                    transform(products, half, output_transform);
                }
                for row in 0..rows {
                    let mut whole = [[0.0; LANES]; OUT];
                    transform(half.each_ref().map(|column| &column[row]), &mut whole, output_transform);
                    for (column, whole) in whole.iter().enumerate().take(columns) {
                        let pixel = (picture * out_h + oy + row) * out_w + ox + column;
                        let y = &mut self.y[pixel * out_c + c - self.start..][..LANES];
                        if self.accumulate {
                            add(y, whole);
                        } else {
                            y.copy_from_slice(whole);
                        }
                    }
                }
            }
        }
    }
}

/// Takes 4×4 tiles of `dy`, some channels from `from` on, to `gradient`, 36 matrices `[tiles, channels]`.
struct TransformGradient<'a> {
    conv: &'a Conv,
    dy: &'a [f32],
    tiles: Range<usize>,
    from: usize,
    channels: usize,
    gradient: &'a mut [f32],
}

impl Kernel for TransformGradient<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (out_h, out_w, out_c) = (self.conv.out_h(), self.conv.out_w(), self.conv.out_c);
        let plane = self.gradient.len() / PLACES;
        for (tile, (picture, oy, ox)) in tile_places(self.conv, self.tiles).enumerate() {
            let dy = &self.dy[picture * self.conv.out_len()..][..self.conv.out_len()];
            for c in (0..self.channels).step_by(LANES) {
                let mut half = [[[0.0; LANES]; IN]; OUT];
                for (column, half) in half.iter_mut().enumerate() {
                    let pixels: [&[f32; LANES]; OUT] = std::array::from_fn(|row| {
                        let (y, x) = (oy + row, ox + column);
                        let at = (y * out_w + x) * out_c + self.from + c;
                        if y < out_h && x < out_w { lanes(dy, at) } else { &[0.0; LANES] }
                    });
                    transform(pixels, half, gradient_transform);
                }
                for row in 0..IN {
                    let mut whole = [[0.0; LANES]; IN];
                    transform(half.each_ref().map(|column| &column[row]), &mut whole, gradient_transform);
                    for (column, whole) in whole.iter().enumerate() {
                        let at = (row * IN + column) * plane + tile * self.channels + c;
                        *lanes_mut(self.gradient, at) = *whole;
                    }
                }
            }
        }
    }
}

/// Takes `sums`, 36 matrices `[outputs, in_c]`, to `dw`, `[outputs, 3, 3, in_c]`.
struct TransformSums<'a> {
    in_c: usize,
    sums: &'a [f32],
    accumulate: bool,
    dw: &'a mut [f32],
}

impl Kernel for TransformSums<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (in_c, plane) = (self.in_c, self.sums.len() / PLACES);
        for (o, dw) in self.dw.chunks_exact_mut(9 * in_c).enumerate() {
            for c in (0..in_c).step_by(LANES) {
                let mut half = [[[0.0; LANES]; 3]; IN];
                for (column, half) in half.iter_mut().enumerate() {
                    let sums = |row: usize| lanes(self.sums, (row * IN + column) * plane + o * in_c + c);
                    transform(std::array::from_fn(sums), half, sums_transform);
                }
                for row in 0..3 {
                    let mut whole = [[0.0; LANES]; 3];
                    transform(half.each_ref().map(|column| &column[row]), &mut whole, sums_transform);
                    for (column, whole) in whole.iter_mut().enumerate() {
                        let dw = lanes_mut(dw, (row * 3 + column) * in_c + c);
                        if self.accumulate {
                            add(whole, dw);
                        }
                        *dw = *whole;
                    }
                }
            }
        }
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

/// G of the paper.
const G: [[f32; 3]; IN] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

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
    use crate::kernels::Padding;
    use crate::kernels::simd::{Level, run_on};
    use crate::kernels::tests::{distance, numbers};

    #[test]
    fn every_vector_unit_agrees() {
        let pad = Padding { top: 2, left: 0, bottom: 1, right: 2 };
        let conv = &Conv { in_h: 12, in_w: 10, in_c: 32, out_c: 80, kernel: 3, stride: 1, pad, depthwise: false };
        let (x, weight) = (&numbers(conv.in_len(), 1)[..], &numbers(conv.weights(), 2)[..]);
        let tiles = conv.out_h().div_ceil(OUT) * conv.out_w().div_ceil(OUT);
        let product = &numbers(PLACES * tiles * conv.out_c, 3)[..];
        let all = |level| {
            let mut packed = vec![0.0; IN * conv.in_c * conv.out_c];
            run_on(level, TransformWeights { conv, weight, factors: G[3], packed: &mut packed });
            let mut input = vec![0.0; PLACES * tiles * conv.in_c];
            run_on(level, TransformInput { conv, x, tiles: 0..tiles, input: &mut input });
            let mut y = vec![0.0; conv.out_len()];
            run_on(level, TransformOutput { conv, start: 0, tiles, product, accumulate: false, y: &mut y });
            run_on(level, TransformOutput { conv, start: 0, tiles, product, accumulate: true, y: &mut y });
            let (from, channels) = (16, 48);
            let mut gradient = vec![0.0; PLACES * tiles * channels];
            run_on(level, TransformGradient { conv, dy: &y, tiles: 0..tiles, from, channels, gradient: &mut gradient });
            let mut dw = vec![0.0; 2 * 9 * conv.in_c];
            let sums = &product[..2 * PLACES * conv.in_c];
            run_on(level, TransformSums { in_c: conv.in_c, sums, accumulate: false, dw: &mut dw });
            run_on(level, TransformSums { in_c: conv.in_c, sums, accumulate: true, dw: &mut dw });
            [packed, input, y, gradient, dw]
        };
        let portable = all(Level::Portable).map(|v| v.iter().map(|&v| v as f64).collect::<Vec<_>>());
        for level in Level::available() {
            for (got, expected) in all(level).iter().zip(&portable) {
                assert!(distance(got, expected) < 5e-7, "{level:?}");
            }
        }
    }
}
