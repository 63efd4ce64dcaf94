//! The Brier score: how far probabilities are from what came true.

/// The Brier score (Brier 1950) of predictions over several classes: the mean over photos of the sum over classes of (probability − truth)², 0 to 2.
/// scikit-learn's `brier_score_loss(…, scale_by_half=False)`. Takes the probabilities and the true class of each photo.
///
/// ```
/// use petal::eval::calibration::brier::brier;
///
/// // brier_score_loss([0, 1, 2], [[.7, .2, .1], [.5, .4, .1], [.1, .1, .8]], scale_by_half=False)
/// let photos = [(&[0.7, 0.2, 0.1][..], 0), (&[0.5, 0.4, 0.1], 1), (&[0.1, 0.1, 0.8], 2)];
/// assert!((brier(photos) - 0.273_333_333).abs() < 1e-6);
/// ```
pub fn brier<'a>(photos: impl IntoIterator<Item = (&'a [f32], usize)>) -> f64 {
    let (mut sum, mut count) = (0.0, 0usize);
    for (probabilities, target) in photos {
        let off = |(class, &p): (usize, &f32)| (f64::from(p) - f64::from(u8::from(class == target))).powi(2);
        sum += probabilities.iter().enumerate().map(off).sum::<f64>();
        count += 1;
    }
    sum / count.max(1) as f64
}
