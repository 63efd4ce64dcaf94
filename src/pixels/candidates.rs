//! Which pictures may be alike: found fast among many, by their detail in few fields, whole and cropped, straight and mirrored.

use rayon::prelude::*;

use super::fingerprint::{AROUND, SIDE, Small, detail};
use super::lay::Lay;

/// Fields a side: of the coarse sketch, of the finer one.
const COARSE: usize = 8;
const FINE: usize = 16;
/// Detail that a sketch shows: what differs from the mean of the pixels around, up to so many pixels away.
const COARSE_AROUND: usize = 16;
/// Values of a sketch: its length is `ONE`, so that the product of two is their correlation.
const ONE: f32 = 4096.0;
/// Two whole pictures whose coarse sketches correlate less are not looked at any further.
const GATE: f32 = 0.25;
/// Candidates are those where some window of the one correlates so much with the other, in the coarse sketch and in the finer one.
const NEAR_COARSE: f32 = 0.55;
const NEAR_FINE: f32 = 0.5;
/// Windows that stand for all small crops: their side, and where they begin.
const WINDOW: f32 = 0.92;
const STARTS: [f32; 3] = [0.0, 0.04, 0.08];
const WINDOWS: usize = STARTS.len() * STARTS.len();

/// Two pictures that may be alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The one, by its place.
    pub one: usize,
    /// The other, a later one.
    pub other: usize,
    /// Whether the other has to be mirrored first.
    pub mirrored: bool,
    /// How the one seems to lie over the other.
    pub lay: Lay,
}

/// A picture's detail in `SIZE` fields: whole, mirrored, and in windows.
struct Sketches<const SIZE: usize> {
    whole: [i16; SIZE],
    mirrored: [i16; SIZE],
    windows: [[i16; SIZE]; WINDOWS],
}

/// All pairs that may be alike, in the order of their places.
pub fn candidates(pictures: &[&Small]) -> Vec<Candidate> {
    let sketched = |small: &&Small| {
        let greys: Vec<f32> = small.grey.iter().map(|grey| f32::from(*grey)).collect();
        let coarse = Sketches::of(&detail(&greys, SIDE, COARSE_AROUND), COARSE);
        (coarse, Sketches::of(&detail(&greys, SIDE, AROUND), FINE))
    };
    let (coarse, fine): (Vec<_>, Vec<_>) = pictures.par_iter().map(sketched).unzip();
    let of = |one: usize| {
        let mut found = Vec::new();
        for other in one + 1..pictures.len() {
            look(&coarse, &fine, one, other, &mut found);
        }
        found
    };
    (0..pictures.len()).into_par_iter().flat_map_iter(of).collect()
}

/// Looks at a pair, straight and mirrored.
fn look(
    coarse: &[Sketches<{ COARSE * COARSE }>],
    fine: &[Sketches<{ FINE * FINE }>],
    one: usize,
    other: usize,
    found: &mut Vec<Candidate>,
) {
    for mirrored in [false, true] {
        let (a, b) = (&coarse[one], &coarse[other]);
        let whole = product(&a.whole, if mirrored { &b.mirrored } else { &b.whole });
        if whole < GATE || (whole < NEAR_COARSE && best(a, b, mirrored).0 < NEAR_COARSE) {
            continue;
        }
        let (correlation, lay) = best(&fine[one], &fine[other], mirrored);
        if correlation >= NEAR_FINE {
            found.push(Candidate { one, other, mirrored, lay });
        }
    }
}

/// How two sketches correlate best: whole on whole, or a window of the one on the other.
fn best<const SIZE: usize>(a: &Sketches<SIZE>, b: &Sketches<SIZE>, mirrored: bool) -> (f32, Lay) {
    let (own, others) = if mirrored { (&a.mirrored, &b.mirrored) } else { (&a.whole, &b.whole) };
    let mut best = (product(&a.whole, others), Lay::WHOLE);
    for (index, (of_a, of_b)) in a.windows.iter().zip(&b.windows).enumerate() {
        let [left, top] = start(index);
        let inside = product(of_a, others);
        if inside > best.0 {
            best = (inside, Lay::window([left, top, WINDOW]).turned());
        }
        let outside = product(own, of_b);
        if outside > best.0 {
            let left = if mirrored { 1.0 - WINDOW - left } else { left };
            best = (outside, Lay::window([left, top, WINDOW]));
        }
    }
    best
}

fn start(index: usize) -> [f32; 2] {
    [STARTS[index % STARTS.len()], STARTS[index / STARTS.len()]]
}

fn product<const SIZE: usize>(a: &[i16; SIZE], b: &[i16; SIZE]) -> f32 {
    let sum: i32 = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
    sum as f32 / (ONE * ONE)
}

impl<const SIZE: usize> Sketches<SIZE> {
    /// Of `fields × fields` = `SIZE` fields.
    fn of(detail: &[f32], fields: usize) -> Self {
        let whole: [i16; SIZE] = sketch(detail, fields, [0.0, 0.0, 1.0]);
        let mut mirrored = whole;
        mirrored.chunks_exact_mut(fields).for_each(<[i16]>::reverse);
        let window = |index: usize| {
            let [left, top] = start(index);
            sketch(detail, fields, [left, top, WINDOW])
        };
        Self { whole, mirrored, windows: std::array::from_fn(window) }
    }
}

/// The mean detail in each field of a window (left, top, side).
fn sketch<const SIZE: usize>(detail: &[f32], fields: usize, [left, top, side]: [f32; 3]) -> [i16; SIZE] {
    // As many points a side as the picture has pixels.
    let points = SIDE / fields;
    let at = |from: f32, i: usize| {
        let place = ((from + side * (i as f32 + 0.5) / SIDE as f32) * SIDE as f32 - 0.5).max(0.0);
        let low = (place as usize).min(SIDE - 2);
        (low, (place - low as f32).min(1.0))
    };
    let mut sums = [0.0f32; SIZE];
    for y in 0..SIDE {
        let (row, down) = at(top, y);
        for x in 0..SIDE {
            let (column, across) = at(left, x);
            let value = |x: usize, y: usize| detail[(row + y) * SIDE + column + x];
            let above = value(0, 0) + across * (value(1, 0) - value(0, 0));
            let below = value(0, 1) + across * (value(1, 1) - value(0, 1));
            sums[y / points * fields + x / points] += above + down * (below - above);
        }
    }
    let mean = sums.iter().sum::<f32>() / SIZE as f32;
    let length = sums.iter().map(|sum| (sum - mean) * (sum - mean)).sum::<f32>().sqrt().max(1e-6);
    sums.map(|sum| ((sum - mean) / length * ONE).round() as i16)
}
