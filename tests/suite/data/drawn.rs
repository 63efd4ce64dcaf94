//! Families of pictures that look alike and are distinct: drawn here, from a seed.

use petal::pixels::Rgb;
use petal::{Purpose, Seed};

pub(super) const FAMILIES: [&str; 7] = ["products", "pages", "symbols", "lines", "charts", "icons", "forms"];

const INK: [u8; 3] = [20, 20, 20];

/// Picture `number` of a family, 240 × 240.
pub(super) fn drawn(family: &str, number: u64) -> Rgb {
    let kind = FAMILIES.iter().position(|name| *name == family).unwrap() as u64;
    let mut stream = Seed(number).stream(Purpose::Synthetic, 70 + kind, 0);
    // Between two numbers.
    let mut draw = |low: f64, high: f64| low + (high - low) * stream.uniform();
    let mut canvas = Canvas::new([255; 3]);
    match family {
        // A body, a neck and a lid in the middle of white.
        "products" => {
            let colour = [0; 3].map(|_: u8| draw(30.0, 200.0) as u8);
            let (wide, high, neck) = (draw(30.0, 60.0), draw(40.0, 80.0), draw(8.0, 22.0));
            canvas.paint(colour, |x, y| ((x - 120.0) / wide).powi(2) + ((y - 140.0) / high).powi(2) < 1.0);
            canvas.rect(colour, [120.0 - neck, 30.0, 120.0 + neck, 140.0]);
            for _ in 0..4 {
                let (cx, cy) = (draw(100.0, 140.0), draw(100.0, 180.0));
                let dot = [0; 3].map(|_: u8| draw(0.0, 255.0) as u8);
                canvas.paint(dot, |x, y| (x - cx).hypot(y - cy) < 9.0);
            }
        }
        // Lines of words of other lengths, under the same heading.
        "pages" => {
            canvas.rect(INK, [60.0, 14.0, 180.0, 26.0]);
            for line in 0..18 {
                let top = 40.0 + 10.0 * f64::from(line);
                let mut x = 20.0;
                while x < 215.0 {
                    let word = draw(8.0, 34.0);
                    canvas.rect(INK, [x, top, (x + word).min(220.0), top + 5.0]);
                    x += word + 6.0;
                }
            }
        }
        // Another letter (of 3 × 5 fields) in the same ring.
        "symbols" => {
            canvas.paint(INK, |x, y| (85.0..100.0).contains(&(x - 120.0).hypot(y - 120.0)));
            canvas.letter((number as usize) & 0x7fff ^ 0x2b5a ^ ((number as usize) << 9), [75.0, 60.0], 30.0, 24.0);
        }
        // Twelve strokes anywhere.
        "lines" => {
            for _ in 0..12 {
                let [a, b, c, d] = [0; 4].map(|_| draw(15.0, 225.0));
                canvas.stroke([a, b], [c, d], 2.0);
            }
        }
        // Bars of other heights over the same axes.
        "charts" => {
            canvas.rect(INK, [20.0, 20.0, 23.0, 220.0]);
            canvas.rect(INK, [20.0, 217.0, 225.0, 220.0]);
            for bar in 0..8 {
                let left = 32.0 + 24.0 * f64::from(bar);
                canvas.rect([40, 90, 180], [left, draw(30.0, 205.0), left + 16.0, 217.0]);
            }
        }
        // Four white fields of sixteen on the same coloured ground.
        "icons" => {
            canvas.rect([200, 60, 40], [20.0, 20.0, 220.0, 220.0]);
            for field in 0..16 {
                if draw(0.0, 1.0) < 0.4 {
                    let (x, y) = (40.0 + 40.0 * f64::from(field % 4), 40.0 + 40.0 * f64::from(field / 4));
                    canvas.rect([255; 3], [x, y, x + 36.0, y + 36.0]);
                }
            }
        }
        // The same form; only the number in one box is another.
        _ => {
            for row in 0..6 {
                let top = 15.0 + 36.0 * f64::from(row);
                canvas.rect(INK, [15.0, top, 225.0, top + 2.0]);
                canvas.rect(INK, [20.0, top + 12.0, 90.0, top + 20.0]);
            }
            for place in 0..3 {
                let code = draw(1.0, 32767.0) as usize;
                canvas.letter(code, [130.0 + 30.0 * f64::from(place), 90.0], 7.0, 5.0);
            }
        }
    }
    canvas.picture()
}

struct Canvas {
    pixels: Vec<[u8; 3]>,
}

const SIDE: usize = 240;

impl Canvas {
    fn new(ground: [u8; 3]) -> Self {
        Self { pixels: vec![ground; SIDE * SIDE] }
    }

    fn paint(&mut self, colour: [u8; 3], is_inside: impl Fn(f64, f64) -> bool) {
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            if is_inside((i % SIDE) as f64 + 0.5, (i / SIDE) as f64 + 0.5) {
                *pixel = colour;
            }
        }
    }

    /// Left, top, right, bottom.
    fn rect(&mut self, colour: [u8; 3], [left, top, right, bottom]: [f64; 4]) {
        self.paint(colour, |x, y| (left..right).contains(&x) && (top..bottom).contains(&y));
    }

    fn stroke(&mut self, [ax, ay]: [f64; 2], [bx, by]: [f64; 2], half: f64) {
        let length = (bx - ax).hypot(by - ay).max(1.0);
        self.paint(INK, |x, y| {
            let along = (((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length).clamp(0.0, length);
            (x - ax - along * (bx - ax) / length).hypot(y - ay - along * (by - ay) / length) < half
        });
    }

    /// Fifteen bits, three a row.
    fn letter(&mut self, bits: usize, [left, top]: [f64; 2], wide: f64, high: f64) {
        for field in (0..15).filter(|field| bits >> field & 1 == 1) {
            let (x, y) = (left + wide * (field % 3) as f64, top + high * (field / 3) as f64);
            self.rect(INK, [x, y, x + wide, y + high]);
        }
    }

    fn picture(self) -> Rgb {
        Rgb { width: SIDE, height: SIDE, data: self.pixels.into_flattened() }
    }
}
