//! Drawn flowers: five classes told apart by shape, not by colour, for demonstrations and tests without a network.

use std::path::Path;

use rayon::prelude::*;

use crate::error::Result;
use crate::files;
use crate::pixels::{Rgb, encode_jpeg};
use crate::seed::{Purpose, Seed, Stream};

/// The classes, sorted.
pub const CLASSES: [&str; 5] = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];

/// Draws `per_class` pictures of each class into `root/<class>/<class>_0001.jpg` and so on, fixed by the seed.
///
/// Petals, centres and backgrounds take their colours from the same palette in every class; pose, place, size, light, blur and
/// noise vary. What tells the classes is form: many narrow rays, a ball of threads, a spiral of round petals, a large dark centre
/// with short rays, a cup on a stem.
pub fn draw(root: &Path, per_class: usize, seed: Seed) -> Result<()> {
    let pictures: Vec<(usize, usize)> =
        (0..CLASSES.len()).flat_map(|class| (0..per_class).map(move |index| (class, index))).collect();
    pictures.par_iter().try_for_each(|&(class, index)| {
        let mut stream = seed.stream(Purpose::Synthetic, class as u64, index as u64);
        let name = CLASSES[class];
        let path = root.join(name).join(format!("{name}_{:04}.jpg", index + 1));
        files::write_bytes(&path, &encode_jpeg(&picture(class, &mut stream), 88)?)
    })
}

type Colour = [f32; 3];

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

fn picture(class: usize, stream: &mut Stream) -> Rgb {
    let width = 200 + stream.below(121);
    let height = 200 + stream.below(121);
    let mut canvas = Canvas::new(width, height, stream);
    let small = width.min(height) as f32;
    // Smaller flowers of the same kind behind the main one, some leaves of grass before the ground.
    canvas.grass(stream);
    let behind = stream.below(3);
    for index in (0..=behind).rev() {
        let main = index == 0;
        let scale = if main { between(stream, 0.28, 0.42) } else { between(stream, 0.12, 0.2) } * small;
        let at = if main {
            (width as f32 * between(stream, 0.4, 0.6), height as f32 * between(stream, 0.38, 0.58))
        } else {
            (width as f32 * between(stream, 0.1, 0.9), height as f32 * between(stream, 0.15, 0.85))
        };
        flower(class, &mut canvas, at, scale, stream);
    }
    canvas.finish(stream)
}

fn flower(class: usize, canvas: &mut Canvas, at: (f32, f32), size: f32, stream: &mut Stream) {
    let petal = vary(PETALS[stream.below(PETALS.len())], 0.06, stream);
    let centre = vary(CENTRES[stream.below(CENTRES.len())], 0.05, stream);
    let green = vary([0.30, 0.52, 0.20], 0.08, stream);
    let turn = between(stream, 0.0, std::f32::consts::TAU);
    // A flower that is not seen from straight above is flattened.
    let pose = Pose { at, lean: between(stream, -0.5, 0.5), flat: between(stream, 0.72, 1.0) };
    let stem_end = (at.0 + size * between(stream, -0.5, 0.5), at.1 + size * 3.0);
    canvas.line(at, stem_end, size * 0.05, green);
    match class {
        0 => {
            // Daisy: a ring of many narrow rays, a small disc.
            let rays = 16 + stream.below(9);
            let length = size * between(stream, 0.9, 1.0);
            for ray in 0..rays {
                let angle = turn + ray as f32 / rays as f32 * std::f32::consts::TAU + between(stream, -0.05, 0.05);
                canvas.petal(&pose, angle, (size * 0.2, length), size * 0.085, shade(petal, stream));
            }
            canvas.disc(&pose, (0.0, 0.0), size * between(stream, 0.2, 0.26), centre, 0.25, stream);
        }
        1 => {
            // Dandelion: a ball of hundreds of threads.
            for _ in 0..260 {
                let angle = between(stream, 0.0, std::f32::consts::TAU);
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
                    let angle = turn + (ray as f32 + 0.5 * row as f32) / rays as f32 * std::f32::consts::TAU;
                    let length = size * (1.0 - 0.1 * row as f32);
                    let colour = scaled(shade(petal, stream), 1.0 - 0.12 * (1 - row) as f32);
                    canvas.petal(&pose, angle, (size * 0.45, length), size * 0.1, colour);
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
            // Tulip: a cup from the side, three pointed petals, long leaves.
            let upright = Pose { at, lean: between(stream, -0.35, 0.35), flat: 1.0 };
            for side in [-1.0, 1.0] {
                let foot = (at.0, at.1 + size * 2.2);
                let tip = (at.0 + side * size * between(stream, 0.5, 0.9), at.1 + size * between(stream, 0.4, 0.9));
                canvas.line(foot, tip, size * 0.11, shade(green, stream));
            }
            let up = -std::f32::consts::FRAC_PI_2;
            for (lean, width, dark) in [(-0.42, 0.3, 0.85), (0.42, 0.3, 0.85), (0.0, 0.36, 1.0)] {
                let colour = scaled(shade(petal, stream), dark);
                let from = (lean * size * 0.5, size * 0.55);
                canvas.petal_from(&upright, from, up + lean * 0.5, size * 1.35, size * width, colour);
            }
            canvas.disc(&upright, (0.0, size * 0.5), size * 0.42, scaled(petal, 0.93), 0.04, stream);
        }
    }
}

/// Where a flower is, how it leans (radians) and how flat it is seen.
struct Pose {
    at: (f32, f32),
    lean: f32,
    flat: f32,
}

impl Pose {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        let y = y * self.flat;
        let (sin, cos) = self.lean.sin_cos();
        (self.at.0 + cos * x - sin * y, self.at.1 + sin * x + cos * y)
    }
}

/// A picture in linear floats, drawn from back to front.
struct Canvas {
    width: usize,
    height: usize,
    data: Vec<Colour>,
}

impl Canvas {
    /// A ground with a change of light over it and blurred patches.
    fn new(width: usize, height: usize, stream: &mut Stream) -> Self {
        let (a, b) = (GROUNDS[stream.below(GROUNDS.len())], GROUNDS[stream.below(GROUNDS.len())]);
        let (a, b) = (vary(a, 0.08, stream), vary(b, 0.08, stream));
        let angle = between(stream, 0.0, std::f32::consts::TAU);
        let (dx, dy) = (angle.cos() / width as f32, angle.sin() / height as f32);
        let at = |i: usize| {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            mix(a, b, (0.5 + (x - width as f32 / 2.0) * dx + (y - height as f32 / 2.0) * dy).clamp(0.0, 1.0))
        };
        let mut canvas = Self { width, height, data: (0..width * height).map(at).collect() };
        for _ in 0..8 + stream.below(8) {
            let colour = vary(GROUNDS[stream.below(GROUNDS.len())], 0.1, stream);
            let place = (between(stream, 0.0, width as f32), between(stream, 0.0, height as f32));
            let radius = between(stream, 0.06, 0.25) * width as f32;
            canvas.shape(place, radius, |x, y| (1.0 - (x * x + y * y).sqrt() / radius).clamp(0.0, 1.0) * 0.55, colour);
        }
        canvas
    }

    fn grass(&mut self, stream: &mut Stream) {
        for _ in 0..stream.below(14) {
            let colour = vary([0.25, 0.45, 0.18], 0.12, stream);
            let x = between(stream, 0.0, self.width as f32);
            let foot = (x, self.height as f32);
            let tip = (x + between(stream, -40.0, 40.0), self.height as f32 * between(stream, 0.3, 0.9));
            self.line(foot, tip, between(stream, 1.0, 3.0), colour);
        }
    }

    /// A ray from `reach.0` to `reach.1` away from the flower's middle.
    fn petal(&mut self, pose: &Pose, angle: f32, reach: (f32, f32), width: f32, colour: Colour) {
        let from = (angle.cos() * reach.0, angle.sin() * reach.0);
        self.petal_from(pose, from, angle, reach.1 - reach.0, width, colour);
    }

    /// A leaf form: widest in the middle, lighter along it, pointed at the end.
    fn petal_from(&mut self, pose: &Pose, from: (f32, f32), angle: f32, length: f32, width: f32, colour: Colour) {
        let (start, end) =
            (pose.place(from.0, from.1), pose.place(from.0 + angle.cos() * length, from.1 + angle.sin() * length));
        let (dx, dy) = (end.0 - start.0, end.1 - start.1);
        let long = dx.hypot(dy).max(1.0);
        let (ux, uy) = (dx / long, dy / long);
        let middle = ((start.0 + end.0) / 2.0, (start.1 + end.1) / 2.0);
        let mut paint = |half: f32, colour: Colour| {
            let cover = |x: f32, y: f32| {
                let (along, across) = (x * ux + y * uy, (y * ux - x * uy).abs());
                let t = (along / long + 0.5).clamp(0.0, 1.0);
                // Fullest at 60 % of its length.
                let edge = half * (std::f32::consts::PI * t.powf(1.35)).sin().max(0.0);
                let inside = edge - across;
                if along.abs() > long / 2.0 { 0.0 } else { (inside + 0.5).clamp(0.0, 1.0) }
            };
            self.shape(middle, long / 2.0 + half, cover, colour);
        };
        paint(width, scaled(colour, 0.8));
        paint(width * 0.8, colour);
        paint(width * 0.25, mix(colour, [1.0; 3], 0.15));
    }

    /// A disc with a light side.
    fn disc(&mut self, pose: &Pose, from: (f32, f32), radius: f32, colour: Colour, grain: f32, stream: &mut Stream) {
        let place = pose.place(from.0, from.1);
        let cover = |x: f32, y: f32| (radius - x.hypot(y / pose.flat) + 0.5).clamp(0.0, 1.0);
        self.shape(place, radius, cover, colour);
        let light = radius * 0.6;
        let shine = |x: f32, y: f32| (1.0 - x.hypot(y) / light).clamp(0.0, 1.0) * (0.12 + grain * 0.3);
        let offset = (place.0 - radius * 0.25, place.1 - radius * 0.3);
        self.shape(offset, light, shine, mix(colour, [1.0; 3], 0.5));
        if grain > 0.15 {
            for _ in 0..60 {
                let (angle, reach) = (between(stream, 0.0, 6.3), radius * between(stream, 0.0, 0.9).sqrt());
                let at = (place.0 + angle.cos() * reach, place.1 + angle.sin() * reach * pose.flat);
                self.dot(at, radius * 0.07, scaled(colour, between(stream, 0.7, 1.15)));
            }
        }
    }

    fn dot(&mut self, at: (f32, f32), radius: f32, colour: Colour) {
        self.shape(at, radius, |x, y| (radius - x.hypot(y) + 0.5).clamp(0.0, 1.0), colour);
    }

    fn line(&mut self, from: (f32, f32), to: (f32, f32), half: f32, colour: Colour) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let long = dx.hypot(dy).max(1e-3);
        let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
        let (ux, uy) = (dx / long, dy / long);
        let cover = |x: f32, y: f32| {
            let (along, across) = (x * ux + y * uy, (y * ux - x * uy).abs());
            let beyond = (along.abs() - long / 2.0).max(0.0);
            (half - across.hypot(beyond) + 0.5).clamp(0.0, 1.0)
        };
        self.shape(middle, long / 2.0 + half, cover, colour);
    }

    /// Blends a colour over the picture by `cover`, which is asked in pixels from `at`, and is 0 beyond `reach`.
    fn shape(&mut self, at: (f32, f32), reach: f32, cover: impl Fn(f32, f32) -> f32, colour: Colour) {
        let span = |centre: f32, size: usize| {
            let from = (centre - reach - 1.0).max(0.0) as usize;
            from..((centre + reach + 2.0).max(0.0) as usize).min(size)
        };
        for y in span(at.1, self.height) {
            for x in span(at.0, self.width) {
                let part = cover(x as f32 - at.0, y as f32 - at.1);
                if part > 0.0 {
                    let pixel = &mut self.data[y * self.width + x];
                    *pixel = mix(*pixel, colour, part);
                }
            }
        }
    }

    /// Light, tint and noise over all, then 8 bits.
    fn finish(self, stream: &mut Stream) -> Rgb {
        let light = between(stream, 0.75, 1.15);
        let tint = [0; 3].map(|_| light * between(stream, 0.93, 1.07));
        let noise = between(stream, 0.01, 0.04);
        let mut data = Vec::with_capacity(self.data.len() * 3);
        for pixel in &self.data {
            for (value, tint) in pixel.iter().zip(tint) {
                let value = value * tint + noise * between(stream, -1.7, 1.7);
                data.push((value.clamp(0.0, 1.0) * 255.0).round() as u8);
            }
        }
        Rgb { width: self.width, height: self.height, data }
    }
}

fn between(stream: &mut Stream, low: f32, high: f32) -> f32 {
    stream.range(f64::from(low), f64::from(high)) as f32
}

fn mix(a: Colour, b: Colour, part: f32) -> Colour {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * part)
}

fn scaled(colour: Colour, by: f32) -> Colour {
    colour.map(|value| value * by)
}

fn vary(colour: Colour, by: f32, stream: &mut Stream) -> Colour {
    colour.map(|value| (value + between(stream, -by, by)).clamp(0.0, 1.0))
}

/// The colour of one petal among others: a little lighter or darker.
fn shade(colour: Colour, stream: &mut Stream) -> Colour {
    scaled(colour, between(stream, 0.88, 1.06))
}
