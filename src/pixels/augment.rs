//! Random variation of a training photo.

use super::rgb::Rgb;
use crate::base::config::AugmentConfig;
use crate::base::seed::Stream;

/// One drawn variation of a photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augmentation {
    /// Mirrored left to right.
    pub flip: bool,
    /// Turned by this many degrees, counter-clockwise.
    pub degrees: f64,
    /// Enlarged by this factor.
    pub zoom: f64,
    /// Each value times this (torchvision's `adjust_brightness`).
    pub brightness: f64,
    /// Each value's distance from the picture's mean grey times this (torchvision's `adjust_contrast`).
    pub contrast: f64,
}

impl Augmentation {
    /// No variation.
    pub const NONE: Self = Self { flip: false, degrees: 0.0, zoom: 1.0, brightness: 1.0, contrast: 1.0 };

    /// Draws a variation: always five numbers, in the order of the fields.
    pub fn draw(config: &AugmentConfig, stream: &mut Stream) -> Self {
        let flip = stream.chance(0.5) && config.flip;
        let degrees = stream.range(-1.0, 1.0) * config.rotate;
        let zoom = 1.0 + stream.uniform() * (config.zoom - 1.0);
        let brightness = 1.0 + stream.range(-1.0, 1.0) * config.brightness;
        let contrast = 1.0 + stream.range(-1.0, 1.0) * config.contrast;
        Self { flip, degrees, zoom, brightness, contrast }
    }

    /// Applies it: mirror, turn and enlarge about the centre in one bilinear pass, with the border reflected; then brightness,
    /// then contrast. The size stays.
    pub fn apply(&self, photo: &Rgb) -> Rgb {
        let mut varied = self.warp(photo);
        self.light(&mut varied);
        varied
    }

    fn warp(&self, photo: &Rgb) -> Rgb {
        let Rgb { width, height, data } = photo;
        if self.degrees == 0.0 && self.zoom == 1.0 && !self.flip {
            return photo.clone();
        }
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let (sin, cos) = ((sin / self.zoom) as f32, (cos / self.zoom) as f32);
        let (cx, cy) = ((*width as f32 - 1.0) / 2.0, (*height as f32 - 1.0) / 2.0);
        let mut out = vec![0; data.len()];
        for (y, row) in out.chunks_exact_mut(width * 3).enumerate() {
            let dy = y as f32 - cy;
            for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
                let dx = if self.flip { cx - x as f32 } else { x as f32 - cx };
                // Where this pixel comes from: the turn taken back, with y pointing down.
                let (from_x, from_y) = (cx + cos * dx - sin * dy, cy + sin * dx + cos * dy);
                let (x0, y0) = (from_x.floor(), from_y.floor());
                let (fx, fy) = (from_x - x0, from_y - y0);
                let (x0, x1) = (reflect(x0 as isize, *width), reflect(x0 as isize + 1, *width));
                let (y0, y1) = (reflect(y0 as isize, *height), reflect(y0 as isize + 1, *height));
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let at = |x: usize, y: usize| f32::from(data[(y * width + x) * 3 + channel]);
                    let top = at(x0, y0) + fx * (at(x1, y0) - at(x0, y0));
                    let bottom = at(x0, y1) + fx * (at(x1, y1) - at(x0, y1));
                    *value = (top + fy * (bottom - top)).round() as u8;
                }
            }
        }
        Rgb { width: *width, height: *height, data: out }
    }

    fn light(&self, photo: &mut Rgb) {
        if self.brightness == 1.0 && self.contrast == 1.0 {
            return;
        }
        let bright: Vec<f64> = (0..256).map(|v| (f64::from(v) * self.brightness).min(255.0)).collect();
        // ITU-R 601-2 luma, as Pillow's grey.
        let grey = |p: &[u8]| {
            let [r, g, b] = [p[0], p[1], p[2]].map(|v| bright[usize::from(v)]);
            0.299 * r + 0.587 * g + 0.114 * b
        };
        let pixels = (photo.width * photo.height) as f64;
        let mean = photo.data.chunks_exact(3).map(grey).sum::<f64>() / pixels;
        let table: Vec<u8> =
            bright.iter().map(|v| (mean + (v - mean) * self.contrast).clamp(0.0, 255.0).round() as u8).collect();
        photo.data.iter_mut().for_each(|value| *value = table[usize::from(*value)]);
    }
}

/// The pixel that a mirror at the border shows, without repeating the border's own pixel.
fn reflect(position: isize, size: usize) -> usize {
    let last = size as isize - 1;
    if last == 0 {
        return 0;
    }
    let wrapped = position.rem_euclid(2 * last);
    (if wrapped > last { 2 * last - wrapped } else { wrapped }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::{Purpose, Seed};

    /// A photo with one white pixel.
    fn dot(width: usize, height: usize, x: usize, y: usize) -> Rgb {
        let mut data = vec![0; width * height * 3];
        data[(y * width + x) * 3..][..3].fill(255);
        Rgb { width, height, data }
    }

    fn brightest(photo: &Rgb) -> (usize, usize) {
        let best = (0..photo.data.len() / 3).max_by_key(|i| photo.data[i * 3]).unwrap();
        (best % photo.width, best / photo.width)
    }

    #[test]
    fn nothing_drawn_changes_nothing() {
        let photo = dot(7, 5, 2, 3);
        assert_eq!(Augmentation::NONE.apply(&photo), photo);
        let drawn = Augmentation::draw(&AugmentConfig::NONE, &mut Seed(1).stream(Purpose::Augment, 0, 0));
        assert_eq!(drawn, Augmentation::NONE);
    }

    #[test]
    fn a_flip_is_exact_and_a_turn_goes_counter_clockwise() {
        let flip = Augmentation { flip: true, ..Augmentation::NONE };
        assert_eq!(flip.apply(&dot(7, 5, 2, 3)), dot(7, 5, 4, 3));
        // From the right of the centre to above it.
        let turn = Augmentation { degrees: 90.0, ..Augmentation::NONE };
        assert_eq!(brightest(&turn.apply(&dot(21, 21, 18, 10))), (10, 2));
        let zoom = Augmentation { zoom: 2.0, ..Augmentation::NONE };
        assert_eq!(brightest(&zoom.apply(&dot(21, 21, 13, 10))), (16, 10));
    }

    #[test]
    fn the_border_is_reflected_not_black() {
        let grey = Rgb { width: 30, height: 20, data: vec![90; 30 * 20 * 3] };
        let turn = Augmentation { degrees: 37.0, ..Augmentation::NONE };
        assert_eq!(turn.apply(&grey), grey);
        assert_eq!([-2, -1, 0, 3, 4, 5, 6].map(|p| reflect(p, 4)), [2, 1, 0, 3, 2, 1, 0]);
    }

    /// ```python
    /// from torchvision.transforms import functional as F
    /// x = torch.tensor([[10, 100], [200, 50]], dtype=torch.uint8).expand(3, 2, 2)
    /// F.adjust_contrast(F.adjust_brightness(x, 1.2), 0.8)[0]
    /// ```
    #[test]
    fn light_is_torchvisions_within_a_grey_level() {
        let values = [10u8, 100, 200, 50];
        let photo = Rgb { width: 2, height: 2, data: values.iter().flat_map(|&v| [v; 3]).collect() };
        let light = Augmentation { brightness: 1.2, contrast: 0.8, ..Augmentation::NONE };
        let got = light.apply(&photo);
        for (got, expected) in got.data.chunks(3).zip([31u8, 117, 213, 69]) {
            assert!(got[0].abs_diff(expected) <= 1, "{got:?} {expected}");
        }
    }
}
