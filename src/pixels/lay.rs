//! How one picture lies over another: found by steps of Gauss and Newton, from a rough guess on.

use super::solve::solve;

/// How a picture lies over another: a place `u` of the one, from 0 to 1, is `scale · u + shift` of the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lay {
    /// Across: scale, shift.
    pub x: [f32; 2],
    /// Down: scale, shift.
    pub y: [f32; 2],
}

/// Most that a side may be cropped, as a fraction.
const MOST_CROPPED: f32 = 0.17;
/// How far a copy may seem to stick out over the edge of its original, as a fraction of a side.
const SLACK: f32 = 0.016;
/// How far a copy may be squeezed, beside what its shape says: the logarithm of width over height.
const SQUEEZED: f32 = 0.025;
/// Steps of Gauss and Newton.
const STEPS: usize = 6;

impl Lay {
    /// Edge on edge.
    pub const WHOLE: Self = Self { x: [1.0, 0.0], y: [1.0, 0.0] };

    /// The one is all of a window (left, top, side) of the other.
    pub fn window([left, top, side]: [f32; 3]) -> Self {
        Self { x: [side, left], y: [side, top] }
    }

    /// The one and the other in each other's place.
    pub fn turned(self) -> Self {
        let turned = |[scale, shift]: [f32; 2]| [1.0 / scale, -shift / scale];
        Self { x: turned(self.x), y: turned(self.y) }
    }

    /// Whether one of the two is a crop of the other, and of no more than may be. `shape` is the other's width over height, over the one's;
    /// `pixels` how many of its pixels the lay may be wrong by.
    pub(super) fn is_crop(self, shape: f32, pixels: f32) -> bool {
        let slack = pixels * SLACK;
        let inside = |[scale, shift]: [f32; 2]| {
            shift > -slack && scale + shift < 1.0 + slack && scale > 1.0 - MOST_CROPPED - slack + SLACK
        };
        let in_other = |lay: Self| inside(lay.x) && inside(lay.y);
        // A whole picture may be squeezed into any shape; one that was cropped has the shape of its window.
        let whole = |[scale, _]: [f32; 2]| (scale - 1.0).abs() < slack;
        let in_shape = (shape * self.x[0] / self.y[0]).ln().abs() < pixels * SQUEEZED;
        (in_other(self) || in_other(self.turned())) && (in_shape || (whole(self.x) && whole(self.y)))
    }
}

/// The pixels of one picture that lie over another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    x: (usize, usize),
    y: (usize, usize),
}

impl Window {
    /// For pictures of this side.
    pub(super) fn under(lay: Lay, side: usize) -> Self {
        let over = |[scale, shift]: [f32; 2]| {
            let length = side as f32;
            // Pixel centres, with a quarter of a pixel beyond the edge.
            let from = ((-shift / scale) * length - 0.25).ceil().max(0.0) as usize;
            let to = (((1.0 - shift) / scale) * length + 0.25).floor().clamp(0.0, length) as usize;
            (from.min(to), to)
        };
        Self { x: over(lay.x), y: over(lay.y) }
    }

    pub(super) fn width(self) -> usize {
        self.x.1 - self.x.0
    }

    pub(super) fn height(self) -> usize {
        self.y.1 - self.y.0
    }
}

/// Values in a square, rows from the top.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    side: usize,
    values: Vec<f32>,
}

impl Plane {
    pub(super) fn new(side: usize, values: Vec<f32>) -> Self {
        Self { side, values }
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn mirrored(mut self) -> Self {
        self.values.chunks_exact_mut(self.side).for_each(<[f32]>::reverse);
        self
    }

    /// The same at half the size.
    pub(super) fn halved(&self) -> Self {
        let side = self.side / 2;
        let value = |i: usize| {
            let at = i / side * 2 * self.side + i % side * 2;
            let v = &self.values;
            (v[at] + v[at + 1] + v[at + self.side] + v[at + self.side + 1]) / 4.0
        };
        Self { side, values: (0..side * side).map(value).collect() }
    }

    /// The values that lie under a window of pixels of another plane, which has this side.
    pub(super) fn sampled(&self, lay: Lay, window: Window, side: usize) -> Vec<f32> {
        let last = (self.side - 1) as f32;
        let place = |[scale, shift]: [f32; 2], i: usize| {
            let at = ((i as f32 + 0.5) / side as f32 * scale + shift) * self.side as f32 - 0.5;
            let at = at.clamp(0.0, last);
            let low = (at as usize).min(self.side - 2);
            (low, at - low as f32)
        };
        let columns: Vec<_> = (window.x.0..window.x.1).map(|i| place(lay.x, i)).collect();
        let mut values = Vec::with_capacity(window.width() * window.height());
        for row in window.y.0..window.y.1 {
            let (top, down) = place(lay.y, row);
            let upper = &self.values[top * self.side..][..self.side];
            let lower = &self.values[(top + 1) * self.side..][..self.side];
            values.extend(columns.iter().map(|&(left, across)| {
                let above = upper[left] + across * (upper[left + 1] - upper[left]);
                let below = lower[left] + across * (lower[left + 1] - lower[left]);
                above + down * (below - above)
            }));
        }
        values
    }

    /// Lays another plane of the same side better under this one; and the correlation that it has then.
    pub(super) fn settle(&self, other: &Self, mut lay: Lay) -> (Lay, f32) {
        let side = self.side;
        let pixel = 1.0 / side as f32;
        for step in 0..=STEPS {
            let window = Window::under(lay, side);
            let (x, y) = (window.x, window.y);
            if window.width() < side / 2 || window.height() < side / 2 {
                break;
            }
            let under = other.sampled(lay, window, side);
            let (mut own, mut others, mut both) = (0.0, 0.0, 0.0);
            for (row, line) in (y.0..y.1).zip(under.chunks_exact(window.width())) {
                for (a, b) in self.values[row * side + x.0..row * side + x.1].iter().zip(line) {
                    own += a * a;
                    others += b * b;
                    both += a * b;
                }
            }
            let correlation = both / (own * others).sqrt().max(1e-9);
            if step == STEPS || correlation <= 0.0 {
                return (lay, correlation);
            }
            let gain = both / others;
            let (mut normal, mut target) = ([[0.0f32; 4]; 4], [0.0f32; 4]);
            for row in y.0.max(1)..y.1.min(side - 1) {
                let down = (row as f32 + 0.5) * pixel;
                for column in x.0.max(1)..x.1.min(side - 1) {
                    let at = row * side + column;
                    let residual = gain * under[(row - y.0) * window.width() + column - x.0] - self.values[at];
                    let dx = (self.values[at + 1] - self.values[at - 1]) / 2.0;
                    let dy = (self.values[at + side] - self.values[at - side]) / 2.0;
                    let across = (column as f32 + 0.5) * pixel;
                    let slopes = [dx * across, dx, dy * down, dy];
                    for i in 0..4 {
                        target[i] -= slopes[i] * residual;
                        for j in i..4 {
                            normal[i][j] += slopes[i] * slopes[j];
                        }
                    }
                }
            }
            let Some(by) = solve(normal, target) else { return (lay, correlation) };
            // At most two pixels a step.
            let by = by.map(|by| by.clamp(-2.0, 2.0) * pixel);
            lay.x = [lay.x[0] + by[0], lay.x[1] + by[1]];
            lay.y = [lay.y[0] + by[2], lay.y[1] + by[3]];
        }
        (lay, 0.0)
    }
}
