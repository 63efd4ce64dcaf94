//! Patches of a picture as the rows of a matrix, and the way back.
//!
//! After Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document Processing" (2006).

use super::geometry::Conv;
use crate::kernels::elementwise::add;

/// Writes the patches that some rows of the output are made from: `columns` is `[rows * out_w, kernel * kernel * in_c]`, and
/// its length says how many rows. Row `first` counts through the batch: `picture * out_h + row`.
pub(super) fn im2col(conv: &Conv, x: &[f32], first: usize, columns: &mut [f32]) {
    let (out_h, out_w, depth) = (conv.out_h(), conv.out_w(), conv.depth());
    for (i, patches) in columns.chunks_exact_mut(out_w * depth).enumerate() {
        let (picture, oy) = ((first + i) / out_h, (first + i) % out_h);
        let x = &x[picture * conv.in_len()..][..conv.in_len()];
        for (ox, patch) in patches.chunks_exact_mut(depth).enumerate() {
            let mut end = 0;
            for (pixels, on_patch) in segments(conv, oy, ox) {
                patch[end..on_patch].fill(0.0);
                end = on_patch + pixels.len();
                patch[on_patch..end].copy_from_slice(&x[pixels]);
            }
            patch[end..].fill(0.0);
        }
    }
}

/// Adds each patch to where it came from in `dx`, one picture. `columns` is `[out_h * out_w, kernel * kernel * in_c]`.
pub(super) fn col2im(conv: &Conv, columns: &[f32], dx: &mut [f32]) {
    let (out_w, depth) = (conv.out_w(), conv.depth());
    for (position, patch) in columns.chunks_exact(depth).enumerate() {
        for (pixels, on_patch) in segments(conv, position / out_w, position % out_w) {
            add(&mut dx[pixels], &patch[on_patch..]);
        }
    }
}

/// The parts of a patch that lie on the picture, each a run of memory in both: the range in the picture, and where it
/// starts in the patch.
fn segments(conv: &Conv, oy: usize, ox: usize) -> impl Iterator<Item = (std::ops::Range<usize>, usize)> {
    let &Conv { in_h, in_w, in_c, kernel, stride, pad, .. } = conv;
    let (top, bottom) = conv.on_picture(oy, pad.top, in_h);
    let (left, right) = conv.on_picture(ox, pad.left, in_w);
    let rows = if left < right { top..bottom } else { 0..0 };
    rows.map(move |ky| {
        let start = ((oy * stride + ky - pad.top) * in_w + ox * stride + left - pad.left) * in_c;
        (start..start + (right - left) * in_c, (ky * kernel + left) * in_c)
    })
}
