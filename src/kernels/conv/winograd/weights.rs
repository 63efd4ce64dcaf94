//! Weights as the products read them: transformed once.

use super::tiles::{IN, PANEL, PLACES, in_panels};
use crate::kernels::conv::geometry::Conv;
use crate::kernels::memory::{Buffer, Memory};
use crate::kernels::simd::{self, Kernel};
use rayon::prelude::*;

/// The transformed weights from `[3, 3, in_c, out_c]`: 36 matrices `[in_c, out_c]`, each cut into panels of columns.
pub(in crate::kernels::conv) fn pack(conv: &Conv, weight: &[f32], memory: &Memory) -> Buffer {
    let plane = conv.in_c * conv.out_c;
    let mut packed = memory.buffer(PLACES * plane);
    let rows = packed.par_chunks_mut(IN * plane).zip(G);
    rows.for_each(|(packed, factors)| simd::run(TransformWeights { conv, weight, factors, packed }));
    packed
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

/// G of the paper.
const G: [[f32; 3]; IN] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;
    use crate::kernels::{Padding, Precision};

    #[test]
    fn every_vector_unit_agrees() {
        let (in_c, out_c, pad) = (32, 80, Padding::even(1));
        let conv = &Conv {
            in_h: 12,
            in_w: 10,
            in_c,
            out_c,
            kernel: 3,
            stride: 1,
            pad,
            depthwise: false,
            precision: Precision::F32,
        };
        let weight = &numbers(conv.weights(), 2)[..];
        every_unit::agrees(5e-7, |unit| {
            G.map(|factors| {
                let mut packed = vec![0.0; IN * in_c * out_c];
                unit.run(TransformWeights { conv, weight, factors, packed: &mut packed });
                packed
            })
        });
    }
}
