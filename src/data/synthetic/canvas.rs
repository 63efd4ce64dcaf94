//! A picture to draw flowers on.

use std::f32::consts::{PI, TAU};

use crate::base::seed::Stream;
use crate::pixels::Rgb;

/// Red, green and blue from 0 to 1.
pub(super) type Colour = [f32; 3];

/// Where a flower is, how it leans (radians) and how flat it is seen.
pub(super) struct Pose {
    pub(super) at: (f32, f32),
    pub(super) lean: f32,
    pub(super) flat: f32,
}

impl Pose {
    pub(super) fn place(&self, x: f32, y: f32) -> (f32, f32) {
        let y = y * self.flat;
        let (sin, cos) = self.lean.sin_cos();
        (self.at.0 + cos * x - sin * y, self.at.1 + sin * x + cos * y)
    }
}

/// A picture in linear floats, drawn from back to front.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    data: Vec<Colour>,
}

impl Canvas {
    /// A ground with a change of light over it and blurred patches.
    pub(super) fn new(width: usize, height: usize, grounds: &[Colour], stream: &mut Stream) -> Self {
        let (a, b) = (grounds[stream.below(grounds.len())], grounds[stream.below(grounds.len())]);
        let (a, b) = (vary(a, 0.08, stream), vary(b, 0.08, stream));
        let angle = between(stream, 0.0, TAU);
        let (dx, dy) = (angle.cos() / width as f32, angle.sin() / height as f32);
        let at = |i: usize| {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            mix(a, b, (0.5 + (x - width as f32 / 2.0) * dx + (y - height as f32 / 2.0) * dy).clamp(0.0, 1.0))
        };
        let mut canvas = Self { width, height, data: (0..width * height).map(at).collect() };
        for _ in 0..8 + stream.below(8) {
            let colour = vary(grounds[stream.below(grounds.len())], 0.1, stream);
            let place = (between(stream, 0.0, width as f32), between(stream, 0.0, height as f32));
            let radius = between(stream, 0.06, 0.25) * width as f32;
            canvas.shape(place, radius, |x, y| (1.0 - (x * x + y * y).sqrt() / radius).clamp(0.0, 1.0) * 0.55, colour);
        }
        canvas
    }

    /// Fewer than `most` blades, from below.
    pub(super) fn grass(&mut self, most: usize, stream: &mut Stream) {
        for _ in 0..stream.below(most) {
            let colour = vary([0.25, 0.45, 0.18], 0.12, stream);
            let x = between(stream, 0.0, self.width as f32);
            let foot = (x, self.height as f32);
            let tip = (x + between(stream, -40.0, 40.0), self.height as f32 * between(stream, 0.3, 0.9));
            self.line(foot, tip, between(stream, 1.0, 3.0), colour);
        }
    }

    /// A petal from `reach.0` to `reach.1` away from the flower's middle.
    pub(super) fn ray(&mut self, pose: &Pose, angle: f32, reach: (f32, f32), width: f32, colour: Colour) {
        let from = (angle.cos() * reach.0, angle.sin() * reach.0);
        self.leaf(pose, from, angle, reach.1 - reach.0, width, 1.35, colour);
    }

    /// A leaf form, pointed at both ends, lighter along its middle; fullest near its foot for a small `full`, near its tip for
    /// a large one.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn leaf(
        &mut self,
        pose: &Pose,
        from: (f32, f32),
        angle: f32,
        length: f32,
        width: f32,
        full: f32,
        colour: Colour,
    ) {
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
                let edge = half * (PI * t.powf(full)).sin().max(0.0);
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
    pub(super) fn disc(
        &mut self,
        pose: &Pose,
        from: (f32, f32),
        radius: f32,
        colour: Colour,
        grain: f32,
        stream: &mut Stream,
    ) {
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

    pub(super) fn dot(&mut self, at: (f32, f32), radius: f32, colour: Colour) {
        self.shape(at, radius, |x, y| (radius - x.hypot(y) + 0.5).clamp(0.0, 1.0), colour);
    }

    pub(super) fn line(&mut self, from: (f32, f32), to: (f32, f32), half: f32, colour: Colour) {
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

    /// Means over squares, twice: out of focus by about so many pixels.
    pub(super) fn blur(&mut self, radius: usize) {
        let (width, height) = (self.width, self.height);
        for _ in 0..if radius > 0 { 2 } else { 0 } {
            self.smooth((0..height).map(|y| y * width), 1, width, radius);
            self.smooth(0..width, width, height, radius);
        }
    }

    /// Means along lines that begin at `starts` and have `count` pixels, `step` apart.
    fn smooth(&mut self, starts: impl Iterator<Item = usize>, step: usize, count: usize, radius: usize) {
        for start in starts {
            let line: Vec<Colour> = (0..count).map(|i| self.data[start + i * step]).collect();
            for i in 0..count {
                let near = &line[i.saturating_sub(radius)..(i + radius + 1).min(count)];
                let sum = near.iter().fold([0.0; 3], |sum, pixel| [0, 1, 2].map(|c| sum[c] + pixel[c]));
                self.data[start + i * step] = scaled(sum, 1.0 / near.len() as f32);
            }
        }
    }

    /// Light, tint and noise over all, then 8 bits.
    pub(super) fn finish(self, stream: &mut Stream) -> Rgb {
        let light = between(stream, 0.75, 1.15);
        let tint = [0; 3].map(|_| light * between(stream, 0.93, 1.07));
        let noise = between(stream, 0.01, 0.06);
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

pub(super) fn between(stream: &mut Stream, low: f32, high: f32) -> f32 {
    stream.range(f64::from(low), f64::from(high)) as f32
}

fn mix(a: Colour, b: Colour, part: f32) -> Colour {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * part)
}

pub(super) fn scaled(colour: Colour, by: f32) -> Colour {
    colour.map(|value| value * by)
}

pub(super) fn vary(colour: Colour, by: f32, stream: &mut Stream) -> Colour {
    colour.map(|value| (value + between(stream, -by, by)).clamp(0.0, 1.0))
}

/// The colour of one petal among others: a little lighter or darker.
pub(super) fn shade(colour: Colour, stream: &mut Stream) -> Colour {
    scaled(colour, between(stream, 0.88, 1.06))
}
