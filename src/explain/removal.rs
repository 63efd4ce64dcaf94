//! Photos that lose, or get, their pixels in the order of a map (RISE: Petsiuk, Das & Saenko 2018, arXiv:1806.07421).

use super::heat_map::HeatMap;

/// Parts in which a photo's pixels go or come.
pub const STEPS: usize = 20;

/// The pixels of a square of this side, the warmest of the map first. Where the map says nothing of two pixels, the other map decides: maps have wide areas of 0, and
/// an order row by row would be none.
pub fn order(heat: &HeatMap, otherwise: &HeatMap, side: usize) -> Vec<usize> {
    let at = |map: &HeatMap, pixel: usize| {
        map.at(
            (pixel % side) as f32 / side as f32 + 0.5 / side as f32,
            (pixel / side) as f32 / side as f32 + 0.5 / side as f32,
        )
    };
    let keys: Vec<(f32, f32)> = (0..side * side).map(|pixel| (at(heat, pixel), at(otherwise, pixel))).collect();
    let mut order: Vec<usize> = (0..side * side).collect();
    order.sort_by(|&a, &b| keys[b].0.total_cmp(&keys[a].0).then(keys[b].1.total_cmp(&keys[a].1)));
    order
}

/// A photo step by step, `[STEPS + 1][H, W, 3]` in one row: at first as `from`, in the end as `to`, the pixels of this order changing first.
pub fn steps(from: &[f32], to: &[f32], order: &[usize]) -> Vec<f32> {
    let mut now = from.to_vec();
    let mut all = now.clone();
    for step in 0..STEPS {
        let part = |step: usize| step * order.len() / STEPS;
        for &pixel in &order[part(step)..part(step + 1)] {
            now[3 * pixel..][..3].copy_from_slice(&to[3 * pixel..][..3]);
        }
        all.extend_from_slice(&now);
    }
    all
}

/// The area below a curve over 0 to 1, by trapezoids.
///
/// ```
/// use petal::explain::removal::area;
///
/// // RISE's auc(numpy.array([1, .5, 0]))
/// assert_eq!(area(&[1.0, 0.5, 0.0]), 0.5);
/// ```
pub fn area(curve: &[f64]) -> f64 {
    let ends = (curve.first().unwrap_or(&0.0) + curve.last().unwrap_or(&0.0)) / 2.0;
    (curve.iter().sum::<f64>() - ends) / (curve.len().max(2) - 1) as f64
}

/// A photo `[side, side, 3]` blurred as in RISE: by the kernel that `gkern(11, 5)` there makes for 224 pixels, larger for larger photos, zeros around the photo.
pub fn blurred(photo: &[f32], side: usize) -> Vec<f32> {
    let kernel = kernel(side);
    let radius = kernel.len() / 2;
    // First along rows, then along columns: the same loop over another distance.
    let pass = |values: &[f32], step: usize, place: &dyn Fn(usize) -> usize| -> Vec<f32> {
        let one = |index: usize| {
            let here = place(index / 3);
            let mut sum = 0.0;
            for (k, weight) in kernel.iter().enumerate() {
                if (radius..side + radius).contains(&(here + k)) {
                    sum += weight * f64::from(values[index + k * step - radius * step]);
                }
            }
            sum as f32
        };
        (0..values.len()).map(one).collect()
    };
    let rows = pass(photo, 3, &|pixel| pixel % side);
    pass(&rows, 3 * side, &|pixel| pixel / side)
}

/// `scipy.ndimage.gaussian_filter` of a single 1 in the middle of 11 zeros, with σ 5 and what lies beyond the ends folded back; both in proportion to the side.
fn kernel(side: usize) -> Vec<f64> {
    let length = (side * 11 / 224).max(1) / 2 * 2 + 1;
    let sigma = 5.0 * length as f64 / 11.0;
    let reach = (4.0 * sigma + 0.5) as i64;
    let weight = |distance: i64| (-(distance as f64).powi(2) / (2.0 * sigma * sigma)).exp();
    let sum: f64 = (-reach..=reach).map(weight).sum();
    let (length, middle) = (length as i64, length as i64 / 2);
    let folded = |place: i64| {
        let place = place.rem_euclid(2 * length);
        if place < length { place } else { 2 * length - 1 - place }
    };
    let at = |place: i64| (-reach..=reach).filter(|d| folded(place + d) == middle).map(weight).sum::<f64>() / sum;
    (0..length).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_go_the_warmest_first_and_where_a_map_is_silent_as_the_other_says() {
        let heat = HeatMap { width: 2, height: 2, values: vec![0.0, 0.0, 3.0, 0.0], class: 0 };
        let other = HeatMap { width: 2, height: 2, values: vec![1.0, 2.0, 9.0, 3.0], class: 0 };
        assert_eq!(order(&heat, &other, 2), [2, 3, 1, 0]);
        let seen = steps(&[1.0; 12], &[0.0; 12], &[2, 3, 1, 0]);
        assert_eq!(seen.len(), 12 * (STEPS + 1));
        let left: Vec<f32> = seen.chunks_exact(12).map(|photo| photo.iter().sum::<f32>() / 3.0).collect();
        assert_eq!((left[0], left[5], left[10], left[STEPS]), (4.0, 3.0, 2.0, 0.0));
        assert_eq!(seen[12 * 5..][..12], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    }

    /// ```python
    /// inp = numpy.zeros((11, 11)); inp[5, 5] = 1
    /// k = scipy.ndimage.gaussian_filter(inp, 5)             # RISE's gkern(11, 5)
    /// print(k.sum(0)[:6])                                    # it is the product of this with itself
    /// ```
    #[test]
    fn the_blur_is_rises() {
        let got = kernel(224);
        let expected = [0.08795815, 0.08889612, 0.0904742, 0.09219112, 0.09348939, 0.09398206];
        assert_eq!(got.len(), 11);
        for (i, expected) in expected.into_iter().enumerate() {
            assert!((got[i] - expected).abs() < 1e-6 && (got[10 - i] - expected).abs() < 1e-6, "{got:?}");
        }
        // One bright pixel becomes the kernel; at a corner, the rest of it is lost.
        let mut photo = vec![0.0; 224 * 224 * 3];
        photo[(100 * 224 + 50) * 3 + 1] = 1.0;
        photo[2] = 1.0;
        let seen = blurred(&photo, 224);
        assert!((f64::from(seen[(98 * 224 + 51) * 3 + 1]) - got[3] * got[6]).abs() < 1e-7);
        assert!((f64::from(seen[2]) - got[5] * got[5]).abs() < 1e-7 && seen[(98 * 224 + 51) * 3] == 0.0);
        let sum: f32 = seen.iter().skip(1).step_by(3).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
    }
}
