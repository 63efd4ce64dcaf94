//! How much two pictures are alike: one is laid over the other, its tones are fitted to the other's, and they are compared field by field.

use super::fingerprint::{AROUND, SIDE, Small, detail, deviation};
use super::lay::{Lay, Plane, Window};
use super::tones;

/// Pixels a side of a field that is compared, and from one field to the next.
const FIELD: usize = 12;
const STRIDE: usize = 4;
/// Detail that is taken for noise: as a fraction of the whole picture's, and in grey levels.
const NOISE: f32 = 0.2;
const GRAIN: f32 = 1.5;
/// By how much a field may be paler in one picture than in the other: the square of the contrast.
const PALER: f32 = 0.1;
/// Share of a field's pixels, beyond that of the other picture, from which on it has lost detail in black or white.
const LOST: f32 = 0.04;
/// Below this correlation of the detail after the first laying, it is given up.
const HOPELESS: f32 = 0.55;
/// How many pixels the first laying may be wrong by.
const ROUGH: f32 = 2.5;

/// A picture, ready to be compared.
#[derive(Clone, Debug)]
pub struct Comparable {
    shape: f32,
    /// The detail at half the size and in full.
    half: Plane,
    full: Plane,
    grey: Plane,
    colour: [Plane; 2],
}

impl Comparable {
    /// Of a picture in small, or of its mirror image.
    pub fn of(small: &Small, mirrored: bool) -> Self {
        let plane = |values: &[u8], side| {
            let plane = Plane::new(side, values.iter().map(|value| f32::from(*value)).collect());
            if mirrored { plane.mirrored() } else { plane }
        };
        let grey = plane(&small.grey, SIDE);
        let full = Plane::new(SIDE, detail(grey.values(), SIDE, AROUND));
        Self {
            shape: small.shape as f32 / 1000.0,
            half: full.halved(),
            full,
            grey,
            colour: [0, 1].map(|which| plane(&small.colour[which], SIDE / 2)),
        }
    }

    /// How much another picture is like this one, from 0 to 1: the likeness of the fields where they differ most, where it lies as it fits best.
    /// `lay` is where to begin.
    pub fn likeness(&self, other: &Self, lay: Lay) -> f32 {
        let (rough, correlation) = self.half.settle(&other.half, lay);
        let shape = other.shape / self.shape;
        if correlation < HOPELESS || !rough.is_crop(shape, ROUGH) {
            return 0.0;
        }
        let (lay, correlation) = self.full.settle(&other.full, rough);
        if correlation < HOPELESS || !lay.is_crop(shape, 1.0) {
            return 0.0;
        }
        let window = Window::under(lay, SIDE);
        if window.width() < FIELD || window.height() < FIELD {
            return 0.0;
        }
        let shown = |picture: &Self, lay: Lay| {
            let [red, blue] = &picture.colour;
            [&picture.grey, red, blue].map(|plane| plane.sampled(lay, window, SIDE))
        };
        let (own, others) = (shown(self, Lay::WHOLE), shown(other, lay));
        worst([&own, &others], window)
    }
}

/// The likeness of the fields that differ most: each picture's greys are made from the other's colours, and compared.
fn worst(pictures: [&[Vec<f32>; 3]; 2], window: Window) -> f32 {
    let (width, height) = (window.width(), window.height());
    let [to_other, to_one] = [(0, 1), (1, 0)].map(|(from, to)| {
        let greys = &pictures[to][0];
        let (made, real) = (detail(&tones::fitted(pictures[from], greys), width, AROUND), detail(greys, width, AROUND));
        let noise = (NOISE * deviation(&real)).powi(2) + GRAIN * GRAIN;
        (made, real, noise)
    });
    let cut = pictures.map(tones::cut_off);
    let starts = |length: usize| (0..length - FIELD).step_by(STRIDE).chain([length - FIELD]);
    let mut worst = 1.0f32;
    for top in starts(height) {
        for left in starts(width) {
            let like = |(made, real, noise): &(Vec<f32>, Vec<f32>, f32)| field(made, real, width, (left, top), *noise);
            let (there, back) = (like(&to_other), like(&to_one));
            // Detail that one has lost in black or white cannot be made from it; that it was there shows in the other direction.
            let lost = [0, 1].map(|one| share(&cut[one], width, (left, top)));
            worst = worst.min(if lost[0] > lost[1] + LOST {
                back
            } else if lost[1] > lost[0] + LOST {
                there
            } else {
                there.min(back)
            });
        }
    }
    worst.max(0.0)
}

/// The share of a field's pixels that are marked.
fn share(marks: &[bool], width: usize, (left, top): (usize, usize)) -> f32 {
    let marked = |row: usize| marks[row * width + left..][..FIELD].iter().filter(|mark| **mark).count();
    (top..top + FIELD).map(marked).sum::<usize>() as f32 / (FIELD * FIELD) as f32
}

/// The likeness of one field: 1 where they have the same detail, 0 where they have nothing in common.
fn field(a: &[f32], b: &[f32], width: usize, (left, top): (usize, usize), noise: f32) -> f32 {
    let (mut sum_a, mut sum_b, mut of_a, mut of_b, mut both) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for row in top..top + FIELD {
        let at = row * width + left;
        for (a, b) in a[at..at + FIELD].iter().zip(&b[at..at + FIELD]) {
            sum_a += a;
            sum_b += b;
            of_a += a * a;
            of_b += b * b;
            both += a * b;
        }
    }
    let n = (FIELD * FIELD) as f32;
    let less = |product: f32, sums: f32| product / n - sums / (n * n);
    let (of_a, of_b, both) = (less(of_a, sum_a * sum_a), less(of_b, sum_b * sum_b), less(both, sum_a * sum_b));
    let (paler_a, paler_b) = (of_a.max(PALER * of_b), of_b.max(PALER * of_a));
    (2.0 * both + noise) / (2.0 * (paler_a * paler_b).sqrt() + noise)
}
