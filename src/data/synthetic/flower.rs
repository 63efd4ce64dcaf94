//! One drawn flower of each class.

use std::f32::consts::{FRAC_PI_2, TAU};

use super::canvas::{Canvas, Colour, Pose, between, scaled, shade, vary};
use crate::base::seed::Stream;
use crate::pixels::Rgb;

/// The classes, sorted.
pub const CLASSES: [&str; 5] = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];

/// Petals of all classes.
const PETALS: [Colour; 7] = [
    [0.96, 0.94, 0.90],
    [0.98, 0.83, 0.20],
    [0.92, 0.32, 0.42],
    [0.85, 0.18, 0.22],
    [0.96, 0.62, 0.72],
    [0.68, 0.42, 0.80],
    [0.98, 0.58, 0.20],
];
/// Centres of all classes.
const CENTRES: [Colour; 4] = [[0.95, 0.75, 0.15], [0.35, 0.20, 0.10], [0.60, 0.65, 0.20], [0.80, 0.45, 0.15]];
/// Grounds of all classes.
const GROUNDS: [Colour; 6] = [
    [0.20, 0.38, 0.16],
    [0.36, 0.50, 0.24],
    [0.55, 0.70, 0.88],
    [0.42, 0.34, 0.26],
    [0.16, 0.20, 0.18],
    [0.72, 0.72, 0.66],
];

/// A picture of this class.
pub(super) fn picture(class: usize, stream: &mut Stream) -> Rgb {
    let width = 200 + stream.below(121);
    let height = 200 + stream.below(121);
    let (w, h) = (width as f32, height as f32);
    let mut canvas = Canvas::new(width, height, &GROUNDS, stream);
    // Out of focus behind the main flower: grass, and smaller flowers of the same kind.
    canvas.grass(14, stream);
    for _ in 0..stream.below(3) {
        let at = (w * between(stream, 0.1, 0.9), h * between(stream, 0.15, 0.85));
        flower(class, &mut canvas, at, between(stream, 0.1, 0.18) * w.min(h), stream);
    }
    canvas.blur(stream.below(5));
    // The main flower is anywhere, near or far; some blades of grass may hide a part of it.
    let at = (w * between(stream, 0.28, 0.72), h * between(stream, 0.3, 0.65));
    flower(class, &mut canvas, at, between(stream, 0.17, 0.44) * w.min(h), stream);
    canvas.grass(6, stream);
    canvas.blur(stream.below(3));
    canvas.finish(stream)
}

fn flower(class: usize, canvas: &mut Canvas, at: (f32, f32), size: f32, stream: &mut Stream) {
    let petal = vary(PETALS[stream.below(PETALS.len())], 0.06, stream);
    let centre = vary(CENTRES[stream.below(CENTRES.len())], 0.05, stream);
    let green = vary([0.30, 0.52, 0.20], 0.08, stream);
    let turn = between(stream, 0.0, TAU);
    // A flower that is not seen from straight above is flattened.
    let pose = Pose { at, lean: between(stream, -0.5, 0.5), flat: between(stream, 0.5, 1.0) };
    let stem_end = (at.0 + size * between(stream, -0.5, 0.5), at.1 + size * 3.0);
    canvas.line(at, stem_end, size * 0.05, green);
    match class {
        0 => {
            // Daisy: a ring of many narrow rays, a small disc.
            let rays = 16 + stream.below(9);
            let length = size * between(stream, 0.9, 1.0);
            for ray in 0..rays {
                let angle = turn + ray as f32 / rays as f32 * TAU + between(stream, -0.05, 0.05);
                canvas.ray(&pose, angle, (size * 0.2, length), size * 0.085, shade(petal, stream));
            }
            canvas.disc(&pose, (0.0, 0.0), size * between(stream, 0.2, 0.26), centre, 0.25, stream);
        }
        1 => {
            // Dandelion: a ball of hundreds of threads.
            for _ in 0..260 {
                let angle = between(stream, 0.0, TAU);
                let reach = size * between(stream, 0.35, 0.95).sqrt();
                let to = pose.place(angle.cos() * reach, angle.sin() * reach);
                canvas.line(pose.place(0.0, 0.0), to, size * 0.012, shade(petal, stream));
                canvas.dot(to, size * 0.028, shade(petal, stream));
            }
            canvas.disc(&pose, (0.0, 0.0), size * 0.1, centre, 0.2, stream);
        }
        2 => {
            // Rose: round petals in a spiral, each with a dark edge, the inner ones smaller and darker.
            let count = 22;
            for index in 0..count {
                let inner = index as f32 / count as f32;
                let angle = turn + index as f32 * 2.399_963;
                let reach = size * 0.62 * (1.0 - inner).powf(0.8);
                let place = (angle.cos() * reach, angle.sin() * reach);
                let radius = size * (0.42 - 0.24 * inner);
                let dark = 0.92 - 0.38 * inner;
                canvas.disc(&pose, place, radius * 1.08, scaled(petal, dark * 0.72), 0.05, stream);
                let place = (place.0 * 1.02, place.1 * 1.02 - radius * 0.05);
                canvas.disc(&pose, place, radius, scaled(shade(petal, stream), dark), 0.05, stream);
            }
        }
        3 => {
            // Sunflower: a large grained centre, two rows of short pointed rays.
            for row in 0..2 {
                let rays = 22 + stream.below(6);
                for ray in 0..rays {
                    let angle = turn + (ray as f32 + 0.5 * row as f32) / rays as f32 * TAU;
                    let length = size * (1.0 - 0.1 * row as f32);
                    let colour = scaled(shade(petal, stream), 1.0 - 0.12 * (1 - row) as f32);
                    canvas.ray(&pose, angle, (size * 0.45, length), size * 0.1, colour);
                }
            }
            canvas.disc(&pose, (0.0, 0.0), size * 0.56, scaled(centre, 0.55), 0.1, stream);
            for seed in 0..220 {
                let (angle, reach) = (seed as f32 * 2.399_963, size * 0.54 * (seed as f32 / 220.0).sqrt());
                let place = pose.place(angle.cos() * reach, angle.sin() * reach);
                canvas.dot(place, size * 0.022, shade(scaled(centre, 0.9), stream));
            }
        }
        _ => {
            // Tulip: a cup from the side, pointed petals around it, long leaves.
            let upright = Pose { at, lean: between(stream, -0.4, 0.4), flat: 1.0 };
            let up = -FRAC_PI_2;
            for side in [-1.0, 1.0] {
                let (angle, length) = (up + side * between(stream, 0.15, 0.5), size * between(stream, 1.4, 2.2));
                let (foot, colour) = ((0.0, size * between(stream, 2.0, 2.6)), shade(green, stream));
                canvas.leaf(&upright, foot, angle, length, size * 0.14, 0.8, colour);
            }
            let open = between(stream, 0.25, 0.5);
            for (side, long, wide, dark) in [
                (-0.5, 1.25, 0.3, 0.7),
                (0.5, 1.25, 0.3, 0.7),
                (-1.0, 1.3, 0.3, 0.86),
                (1.0, 1.3, 0.3, 0.86),
                (0.0, 1.2, 0.4, 1.0),
            ] {
                let colour = scaled(shade(petal, stream), dark);
                let foot = (side * size * 0.2, size * (0.72 - 0.1 * f32::abs(side)));
                canvas.leaf(&upright, foot, up + side * open, size * long, size * wide, 0.62, colour);
            }
        }
    }
}
