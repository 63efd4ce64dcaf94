//! Where tiles of a picture are, and their numbers in the matrices that are multiplied.

use crate::kernels::conv::geometry::Conv;
use std::ops::Range;

/// Side of a tile of the output.
pub(super) const OUT: usize = 4;

/// Side of the tile of the input that it is made from.
pub(super) const IN: usize = 6;

/// Places in a tile of the input; each is a matrix product of its own.
pub(super) const PLACES: usize = IN * IN;

/// Channels that are transformed together.
pub(super) const LANES: usize = 16;

/// Columns of a panel of weights: read row by row, a panel is one run of memory, which a cache can foresee.
pub(super) const PANEL: usize = 64;

/// Numbers from the matrix of one place to the next, where it has so many rows and columns: the line between them keeps a tile's 36
/// places from falling into one set of the cache.
pub(super) fn plane_len(rows: usize, columns: usize) -> usize {
    rows * columns + LANES
}

/// How many tiles a picture has.
pub(super) fn picture_tiles(conv: &Conv) -> usize {
    conv.out_w().div_ceil(OUT) * conv.out_h().div_ceil(OUT)
}

/// The tile, counted through the batch, that number `start` of the output belongs to, the first of a row of tiles.
pub(super) fn first_tile(conv: &Conv, start: usize) -> usize {
    let row = start % conv.out_len() / (conv.out_w() * conv.out_c);
    start / conv.out_len() * picture_tiles(conv) + row / OUT * conv.out_w().div_ceil(OUT)
}

/// Where tiles of the output are: picture, row and column of the first output of each, in order.
pub(super) fn tile_places(conv: &Conv, tiles: Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
    let (across, all) = (conv.out_w().div_ceil(OUT), picture_tiles(conv));
    tiles.map(move |t| (t / all, t % all / across * OUT, t % across * OUT))
}

/// Where row `row` of a matrix `[rows, columns]`, cut into panels, has its column `c`.
#[inline(always)]
pub(super) fn in_panels(rows: usize, columns: usize, row: usize, c: usize) -> usize {
    let first = c / PANEL * PANEL;
    first * rows + row * PANEL.min(columns - first) + c - first
}
