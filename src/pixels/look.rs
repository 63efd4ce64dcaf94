//! What a picture's pixels tell of it before any network sees it: how sharp it is, how light, how much there is in it, and what its border looks like.

use super::resize::shrink;
use super::rgb::Rgb;
use crate::base::error::Result;

/// Shorter side that a larger picture is shrunk to first, in pixels: what networks of 224 pixels see. What is lost there anyway is no fault.
pub const SIDE: usize = 256;
/// Fields a side in which sharpness is measured.
const FIELDS: usize = 8;
/// Which field counts, the sharpest being 0: a flower that is sharp before a ground that is not needs no more.
const NTH: usize = 3;
/// Width of the border, as a fraction of the shorter side.
const BORDER: f64 = 0.02;

/// What a picture's pixels tell of it.
///
/// ```
/// use petal::pixels::{Look, Rgb};
///
/// let grey = Look::of(Rgb { width: 40, height: 30, data: vec![128; 40 * 30 * 3] })?;
/// assert!(grey.sharpness < 1e-9 && grey.border_spread < 1e-9 && (grey.lightness - 128.0).abs() < 1e-9);
/// assert_eq!((grey.entropy, grey.border, grey.lightest), (0.0, [128.0; 3], 128.0));
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Variance of the greys' Laplacian (Pech-Pacheco et al. 2000) in the fourth sharpest of 8 × 8 fields, in squared grey levels; at a shorter side of at
    /// most 256 pixels.
    pub sharpness: f64,
    /// Mean grey level, 0 to 255.
    pub lightness: f64,
    /// The grey level that 1 % of the pixels are below.
    pub darkest: f64,
    /// The grey level that 1 % of the pixels are above.
    pub lightest: f64,
    /// Shannon's entropy of the 256 grey levels, 0 to 8 bits.
    pub entropy: f64,
    /// Mean red, green and blue of the border: the outermost 2 % of the shorter side.
    pub border: [f64; 3],
    /// Standard deviation of the border's greys: (nearly) 0 where it is a frame.
    pub border_spread: f64,
}

impl Look {
    /// Looks at a picture.
    ///
    /// # Errors
    /// [`ErrorKind::Image`](crate::ErrorKind::Image) if it cannot be shrunk.
    pub fn of(picture: Rgb) -> Result<Self> {
        let small = shrink(picture, SIDE)?;
        let greys: Vec<f64> = small.data.chunks_exact(3).map(grey).collect();
        let mut levels = [0usize; 256];
        greys.iter().for_each(|grey| levels[(grey.round() as usize).min(255)] += 1);
        let (border, border_spread) = border(&small, &greys);
        Ok(Self {
            sharpness: sharpness(&greys, small.width, small.height),
            lightness: greys.iter().sum::<f64>() / greys.len().max(1) as f64,
            darkest: level(&levels, 0.01),
            lightest: level(&levels, 0.99),
            entropy: entropy(&levels),
            border,
            border_spread,
        })
    }
}

/// A pixel's grey: ITU-R BT.601, as Pillow's and OpenCV's.
fn grey(pixel: &[u8]) -> f64 {
    0.299 * f64::from(pixel[0]) + 0.587 * f64::from(pixel[1]) + 0.114 * f64::from(pixel[2])
}

/// The Laplacian of greys by the four neighbours, where all of them are there: `(width − 2) × (height − 2)` values; OpenCV's `Laplacian(ksize=1)`.
fn laplacian(greys: &[f64], width: usize, height: usize) -> Vec<f64> {
    let mut values = Vec::with_capacity(width.saturating_sub(2) * height.saturating_sub(2));
    for y in 1..height.saturating_sub(1) {
        let [above, row, below] = [y - 1, y, y + 1].map(|y| &greys[y * width..][..width]);
        for x in 1..width.saturating_sub(1) {
            values.push(above[x] + below[x] + row[x - 1] + row[x + 1] - 4.0 * row[x]);
        }
    }
    values
}

fn sharpness(greys: &[f64], width: usize, height: usize) -> f64 {
    let values = laplacian(greys, width, height);
    let (width, height) = (width.saturating_sub(2), height.saturating_sub(2));
    // What is too small for fields is one.
    let fields = if width.min(height) < 2 * FIELDS { 1 } else { FIELDS };
    let span = |length: usize, field: usize| field * length / fields..(field + 1) * length / fields;
    let mut found: Vec<f64> = (0..fields * fields)
        .map(|field| {
            let (rows, columns) = (span(height, field / fields), span(width, field % fields));
            let inside: Vec<f64> = rows.flat_map(|y| values[y * width..][columns.clone()].iter().copied()).collect();
            variance(&inside)
        })
        .collect();
    found.sort_by(|a, b| b.total_cmp(a));
    found.get(NTH).or(found.first()).copied().unwrap_or(0.0)
}

/// The variance of values (over n).
fn variance(values: &[f64]) -> f64 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count
}

/// The lowest level that so large a share of all pixels is at or below.
fn level(levels: &[usize; 256], share: f64) -> f64 {
    let wanted = share * levels.iter().sum::<usize>() as f64;
    let mut below = 0;
    let found = levels.iter().position(|count| {
        below += count;
        below as f64 >= wanted && below > 0
    });
    found.unwrap_or(0) as f64
}

fn entropy(levels: &[usize; 256]) -> f64 {
    let all = levels.iter().sum::<usize>().max(1) as f64;
    let term = |count: &usize| {
        let share = *count as f64 / all;
        if *count == 0 { 0.0 } else { -share * share.log2() }
    };
    // Of one level alone, −0.
    levels.iter().map(term).sum::<f64>().max(0.0)
}

fn border(small: &Rgb, greys: &[f64]) -> ([f64; 3], f64) {
    let Rgb { width, height, data } = small;
    let band = ((BORDER * (*width).min(*height) as f64).round() as usize).max(1);
    let is_inside = |x: usize, y: usize| x >= band && y >= band && x + band < *width && y + band < *height;
    let (mut sums, mut own) = ([0.0; 3], Vec::new());
    for place in (0..width * height).filter(|place| !is_inside(place % width, place / width)) {
        (0..3).for_each(|colour| sums[colour] += f64::from(data[3 * place + colour]));
        own.push(greys[place]);
    }
    (sums.map(|sum| sum / own.len().max(1) as f64), variance(&own).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(width: usize, height: usize) -> Rgb {
        let value = |i: usize| ((i * i * 7 + i * 13) % 251) as u8;
        Rgb { width, height, data: (0..width * height * 3).map(value).collect() }
    }

    /// ```python
    /// i = np.arange(40 * 30 * 3); x = ((i * i * 7 + i * 13) % 251).reshape(30, 40, 3).astype(float)
    /// g = x @ [0.299, 0.587, 0.114]; l = cv2.Laplacian(g, cv2.CV_64F, ksize=1)[1:-1, 1:-1]; print(l.var(), scipy.ndimage.laplace(g)[1:-1, 1:-1].var())
    /// t = sorted(l[i * 28 // 8:(i + 1) * 28 // 8, j * 38 // 8:(j + 1) * 38 // 8].var() for i in range(8) for j in range(8)); print(t[-4])
    /// h = np.bincount(np.round(g).astype(int).ravel(), minlength=256); print(skimage.measure.shannon_entropy(np.round(g)), g.mean())
    /// b = np.ones((30, 40), bool); b[1:-1, 1:-1] = False; print(x[b].mean(0), g[b].std())
    /// ```
    #[test]
    fn the_look_is_opencvs_scipys_and_scikit_images() {
        let picture = example(40, 30);
        let greys: Vec<f64> = picture.data.chunks_exact(3).map(grey).collect();
        let close =
            |got: f64, expected: f64| assert!((got - expected).abs() < 1e-6 * expected.abs(), "{got} {expected}");
        close(variance(&laplacian(&greys, 40, 30)), EXPECTED[0]);
        let look = Look::of(picture).unwrap();
        let found = [
            look.sharpness,
            look.entropy,
            look.lightness,
            look.border[0],
            look.border[1],
            look.border[2],
            look.border_spread,
        ];
        found.into_iter().zip(&EXPECTED[1..]).for_each(|(got, expected)| close(got, *expected));
    }

    const EXPECTED: [f64; 8] = [
        48_173.275_780_344,
        81_867.097_347_738,
        6.944_050_140_540,
        119.606_975_833_333,
        113.933_823_529,
        122.5,
        121.073_529_412,
        49.610_335_919_467,
    ];

    #[test]
    fn what_is_small_narrow_or_empty_has_a_look_too() {
        for (width, height) in [(1, 1), (2, 2), (3, 1), (1, 300), (5, 5), (300, 17), (17, 18)] {
            let look = Look::of(example(width, height)).unwrap();
            let numbers =
                [look.sharpness, look.lightness, look.darkest, look.lightest, look.entropy, look.border_spread];
            assert!(numbers.iter().all(|number| number.is_finite()), "{width} × {height}: {look:?}");
            assert!(look.darkest <= look.lightness + 1.0 && look.lightness <= look.lightest + 1.0, "{look:?}");
        }
        let nothing = Look::of(Rgb { width: 0, height: 0, data: Vec::new() }).unwrap();
        assert_eq!((nothing.sharpness, nothing.entropy), (0.0, 0.0));
    }

    /// The same picture in twice the size has the same look, a blurred one has not.
    #[test]
    fn sharpness_hangs_on_blur_and_not_on_the_size() {
        let (width, height) = (512, 384);
        let value = |i: usize| if (i / 3 % width / 16 + i / 3 / width / 16).is_multiple_of(2) { 40 } else { 210 };
        let sharp = Rgb { width, height, data: (0..width * height * 3).map(value).collect() };
        let small = shrink(sharp.clone(), 256).unwrap();
        let blurred = shrink(sharp.clone(), 32).unwrap();
        let blurred = super::super::resize::fit(&blurred, 512).unwrap();
        let [sharp, small, blurred] = [sharp, small, blurred].map(|picture| Look::of(picture).unwrap().sharpness);
        assert!((sharp / small - 1.0).abs() < 0.05, "{sharp} {small}");
        assert!(blurred < sharp / 20.0, "{sharp} {blurred}");
    }
}
