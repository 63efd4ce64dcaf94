//! Photos that are unusual for their set, and bad in themselves: blurred, dark, bright, with little in them, of an odd shape or size.

use super::finding::{Finding, Kind};
use super::robust::{Side, deviations, median};
use crate::data::Facts;

/// Beyond so many robust standard deviations a value is unusual (Iglewicz & Hoaglin 1993). Of normal values, one in 4,300 is, on each side.
pub const FAR: f64 = 3.5;
/// What is unusual is told only where it is also bad in itself. Blurred: the Laplacian's variance is at most this part of the median.
const BLURRED: f64 = 0.1;
/// Dark, bright: all but 1 % of the pixels are on one side of this grey level.
const MIDDLE: f64 = 128.0;
/// Little in it: the greys' entropy is below so many bits, what four equally frequent levels have.
const PLAIN: f64 = 2.0;
/// Of an odd shape: the longer side is at least so many times the shorter one.
const LONG: f64 = 2.0;
/// Of an odd size: at least so many times fewer or more pixels than the median.
const TIMES: f64 = 4.0;
/// So that a picture without any edge has a logarithm.
const LEAST: f64 = 1e-3;

/// What is unusual in these photos, the kinds in order, the surest first.
pub(super) fn findings(facts: &[Facts]) -> Vec<Finding> {
    let values = |value: &dyn Fn(&Facts) -> f64| facts.iter().map(value).collect::<Vec<f64>>();
    let sharpness = values(&|one| (one.look.sharpness + LEAST).ln());
    let pixels = values(&|one| (one.pixels().max(1) as f64).ln());
    let (usual_sharpness, usual_pixels) = (median(sharpness.clone()).exp(), median(pixels.clone()).exp());
    let mut found = Vec::new();
    let mut add = |kind: Kind, values: &[f64], side: Side, says: &dyn Fn(&Facts) -> Option<String>| {
        let mut own: Vec<Finding> = deviations(values, side)
            .into_iter()
            .enumerate()
            .filter(|(_, sure)| *sure > FAR)
            .filter_map(|(photo, sure)| Some(Finding { kind, photo, other: None, sure, says: says(&facts[photo])? }))
            .collect();
        own.sort_by(|a, b| b.sure.total_cmp(&a.sure).then(a.photo.cmp(&b.photo)));
        found.extend(own);
    };
    add(Kind::Blurred, &sharpness, Side::Low, &|one| {
        let share = one.look.sharpness / usual_sharpness;
        // What is 0 but for its last bit is no less than that.
        (share <= BLURRED).then(|| format!("{:.1} % of the usual sharpness", (100.0 * share).max(0.0)))
    });
    add(Kind::Dark, &values(&|one| one.look.lightest), Side::Low, &|one| {
        let level = one.look.lightest;
        (level < MIDDLE).then(|| format!("99 % of it below grey level {level:.0} of 255"))
    });
    add(Kind::Bright, &values(&|one| one.look.darkest), Side::High, &|one| {
        let level = one.look.darkest;
        (level > MIDDLE).then(|| format!("99 % of it above grey level {level:.0} of 255"))
    });
    add(Kind::Plain, &values(&|one| one.look.entropy), Side::Low, &|one| {
        let bits = one.look.entropy;
        (bits < PLAIN).then(|| format!("{bits:.1} bits of entropy"))
    });
    add(Kind::Shape, &values(&|one| one.shape().ln()), Side::High, &|one| {
        (one.shape() >= LONG).then(|| format!("{} × {}: {:.1} to 1", one.size.0, one.size.1, one.shape()))
    });
    for side in [Side::Low, Side::High] {
        add(Kind::Size, &pixels, side, &|one| {
            let times = one.pixels().max(1) as f64 / usual_pixels;
            let (width, height) = one.size;
            match times {
                _ if times * TIMES <= 1.0 => {
                    Some(format!("{width} × {height}: {:.0} times fewer pixels than usual", 1.0 / times))
                }
                _ if times >= TIMES => Some(format!("{width} × {height}: {times:.0} times more pixels than usual")),
                _ => None,
            }
        });
    }
    found
}
