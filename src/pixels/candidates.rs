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
const NEAR_COARSE: f32 = 0.6;
const NEAR_FINE: f32 = 0.55;
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
        // The whole side, and the sides of the windows; first across, then down.
        let [whole, windows @ ..] = [(0.0, 1.0), (STARTS[0], WINDOW), (STARTS[1], WINDOW), (STARTS[2], WINDOW)]
            .map(|(start, length)| spans(fields, start, length))
            .map(|spans| (across(detail, &spans), spans));
        let window = |index: usize| {
            let ((across, _), (_, spans)) = (&windows[index % STARTS.len()], &windows[index / STARTS.len()]);
            sketch(&down(across, spans))
        };
        let whole: [i16; SIZE] = sketch(&down(&whole.0, &whole.1));
        let mut mirrored = whole;
        mirrored.chunks_exact_mut(fields).for_each(<[i16]>::reverse);
        Self { whole, mirrored, windows: std::array::from_fn(window) }
    }
}

/// Part of a row: its first pixel, and how much of each from there on belongs to a field.
type Span = (usize, Vec<f32>);

/// The fields of a window (its start and length, as fractions of a side).
fn spans(fields: usize, start: f32, length: f32) -> Vec<Span> {
    let edge = |field: usize| ((start + length * field as f32 / fields as f32) * SIDE as f32).clamp(0.0, SIDE as f32);
    let span = |field: usize| {
        let (from, to) = (edge(field), edge(field + 1));
        let (first, end) = (from as usize, (to.ceil() as usize).min(SIDE));
        (first, (first..end).map(|pixel| (to.min(pixel as f32 + 1.0) - from.max(pixel as f32)).max(0.0)).collect())
    };
    (0..fields).map(span).collect()
}

/// The sum over each span of each row: as many columns as spans.
fn across(detail: &[f32], spans: &[Span]) -> Vec<f32> {
    let sum =
        |row: &[f32], (first, parts): &Span| -> f32 { parts.iter().zip(&row[*first..]).map(|(a, b)| a * b).sum() };
    detail.chunks_exact(SIDE).flat_map(|row| spans.iter().map(move |span| sum(row, span))).collect()
}

/// The sum over each span of rows.
fn down(columns: &[f32], spans: &[Span]) -> Vec<f32> {
    let width = spans.len();
    let mut sums = vec![0.0; width * width];
    for ((first, parts), sums) in spans.iter().zip(sums.chunks_exact_mut(width)) {
        for (part, row) in parts.iter().zip(columns[first * width..].chunks_exact(width)) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += part * value);
        }
    }
    sums
}

/// The sums, less their mean, at a length of [`ONE`].
fn sketch<const SIZE: usize>(sums: &[f32]) -> [i16; SIZE] {
    let mean = sums.iter().sum::<f32>() / SIZE as f32;
    let length = sums.iter().map(|sum| (sum - mean) * (sum - mean)).sum::<f32>().sqrt().max(1e-6);
    std::array::from_fn(|field| ((sums[field] - mean) / length * ONE).round() as i16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrored_crop_is_a_candidate_and_lies_where_it_was_cropped() {
        let grey =
            |x: f32, y: f32| (128.0 + 60.0 * (x * 13.0 + y * 5.0).sin() + 60.0 * (y * 11.0 - x * x * 15.0).cos()) as u8;
        let small = |left: f32, side: f32, mirrored: bool| {
            let place = |i: usize| (i as f32 + 0.5) / SIDE as f32;
            let across = |i: usize| if mirrored { 1.0 - place(i) } else { place(i) };
            let value = |i: usize| grey(left + side * across(i % SIDE), side * place(i / SIDE));
            Small {
                shape: 1000,
                grey: (0..SIDE * SIDE).map(value).collect(),
                colour: [vec![128; SIDE * SIDE / 4], vec![128; SIDE * SIDE / 4]],
            }
        };
        let (whole, crop) = (small(0.0, 1.0, false), small(0.08, 0.92, true));
        let found = candidates(&[&whole, &crop]);
        let mirrored = found.iter().find(|found| found.mirrored).unwrap();
        // A place of the whole picture, in the mirrored crop.
        let expected = Lay::window([0.08, 0.0, 0.92]).turned();
        assert!(
            (mirrored.lay.x[1] - expected.x[1]).abs() < 0.05 && (mirrored.lay.x[0] - expected.x[0]).abs() < 0.05,
            "{found:?}"
        );
        assert_eq!(candidates(&[&whole]), []);
    }
}
