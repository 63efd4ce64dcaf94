//! Parts of a picture that are drawn: one that is shown alone, one that is covered.

use super::rgb::Rgb;
use crate::base::seed::Stream;

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Pixels to its left.
    pub left: usize,
    /// Pixels above it.
    pub top: usize,
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Region {
    /// torchvision's `RandomResizedCrop`: an area from `least` (above 0) to all of the picture's, sides from 3:4 to 4:3 (even on a logarithmic
    /// scale), anywhere. After ten draws that do not fit, the middle.
    pub fn draw(least: f64, (width, height): (usize, usize), stream: &mut Stream) -> Self {
        let ratios = (3.0 / 4.0, 4.0 / 3.0);
        for _ in 0..10 {
            if let Some(found) = Self::drawn((least, 1.0), ratios, (width, height), stream) {
                return found;
            }
        }
        let ratio = width as f64 / height as f64;
        let (width, height, whole) = if ratio < ratios.0 {
            (width, (width as f64 / ratios.0).round() as usize, (width, height))
        } else if ratio > ratios.1 {
            ((height as f64 * ratios.1).round() as usize, height, (width, height))
        } else {
            (width, height, (width, height))
        };
        Self { left: (whole.0 - width) / 2, top: (whole.1 - height) / 2, width, height }
    }

    /// torchvision's `RandomErasing`: with this probability 0.02 to 0.33 of the picture's area, sides from 0.3 to 3.3.
    pub fn to_cover(chance: f64, size: (usize, usize), stream: &mut Stream) -> Option<Self> {
        if !stream.chance(chance) {
            return None;
        }
        (0..10).find_map(|_| Self::drawn((0.02, 0.33), (0.3, 3.3), size, stream))
    }

    /// One draw, of four numbers where it fits and two where it does not.
    fn drawn(areas: (f64, f64), ratios: (f64, f64), size: (usize, usize), stream: &mut Stream) -> Option<Self> {
        let area = stream.range(areas.0, areas.1) * (size.0 * size.1) as f64;
        let ratio = stream.range(ratios.0.ln(), ratios.1.ln()).exp();
        let (width, height) = sides(area, ratio);
        let fits = (1..=size.0).contains(&width) && (1..=size.1).contains(&height);
        fits.then(|| {
            let (top, left) = (stream.below(size.1 - height + 1), stream.below(size.0 - width + 1));
            Self { left, top, width, height }
        })
    }

    /// Covers it with one colour.
    pub fn cover(&self, picture: &mut Rgb, colour: [u8; 3]) {
        for row in picture.data.chunks_exact_mut(picture.width * 3).skip(self.top).take(self.height) {
            row[self.left * 3..][..self.width * 3].chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&colour));
        }
    }
}

/// Width and height of an area whose width is so many times its height.
fn sides(area: f64, ratio: f64) -> (usize, usize) {
    ((area * ratio).sqrt().round_ties_even() as usize, (area / ratio).sqrt().round_ties_even() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::{Purpose, Seed};

    /// ```python
    /// # RandomResizedCrop.get_params of 500 × 400 with torch.empty(1).uniform_ giving the area 0.3, then log 1.2
    /// # int(round(math.sqrt(0.3 * 200000 * 1.2))), int(round(math.sqrt(0.3 * 200000 / 1.2)))
    /// ```
    #[test]
    fn sides_are_torchvisions() {
        assert_eq!(sides(0.3 * 200_000.0, 1.2), (268, 224));
    }

    #[test]
    fn what_is_drawn_lies_within_and_has_its_area() {
        for draw in 0..500 {
            let mut stream = Seed(draw).stream(Purpose::Augment, 0, 0);
            let size = [(500, 400), (30, 900), (1, 1), (900, 7)][draw as usize % 4];
            let Region { left, top, width, height } = Region::draw(0.3, size, &mut stream);
            assert!(width > 0 && height > 0 && left + width <= size.0 && top + height <= size.1, "{size:?}");
            if size == (500, 400) {
                assert!((0.295..=1.0).contains(&((width * height) as f64 / 200_000.0)));
                assert!((0.73..1.36).contains(&(width as f64 / height as f64)), "{width} {height}");
            }
            if let Some(hidden) = Region::to_cover(0.5, size, &mut stream) {
                let mut picture = Rgb { width: size.0, height: size.1, data: vec![0; size.0 * size.1 * 3] };
                hidden.cover(&mut picture, [1, 1, 1]);
                let covered = picture.data.iter().filter(|value| **value == 1).count();
                assert_eq!(covered, 3 * hidden.width * hidden.height);
            }
        }
    }

    #[test]
    fn covering_happens_as_often_as_asked() {
        let covered = |chance: f64| {
            let one = |draw: &u64| {
                Region::to_cover(chance, (224, 224), &mut Seed(*draw).stream(Purpose::Augment, 0, 0)).is_some()
            };
            (0..1000u64).filter(one).count()
        };
        assert_eq!((covered(0.0), covered(1.0)), (0, 1000));
        assert!(covered(0.25).abs_diff(250) < 60);
    }
}
