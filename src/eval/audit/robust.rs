//! How far numbers lie from the middle of their set, measured by what half of them do.

/// Of which side of the middle is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below it.
    Low,
    /// Above it.
    High,
}

/// A normal distribution's standard deviation over its median absolute deviation, and over its mean absolute deviation.
const OF_MEDIAN: f64 = 1.482_602_218_505_602;
const OF_MEAN: f64 = 1.253_314_137_315_5;

/// How many standard deviations each value lies beyond the median on this side; below 0 on the other one. The deviation is that of a normal distribution
/// with the side's median absolute deviation: a tail on the other side counts nothing, and neither do outliers, up to half of all. Where more than half of
/// the side are equal to the median, the mean absolute deviation takes its place (Iglewicz & Hoaglin 1993); where all are, nothing is far.
///
/// ```
/// use petal::eval::audit::{Side, deviations};
///
/// // x = np.array([1, 2, 3, 4, 100.]); (x - 3) / scipy.stats.median_abs_deviation(x[x >= 3] , center=lambda x, axis: 3, scale="normal")
/// let found = deviations(&[1.0, 2.0, 3.0, 4.0, 100.0], Side::High);
/// assert!((found[4] - 65.425_506).abs() < 1e-5 && found[0] < 0.0);
/// assert_eq!(deviations(&[7.0; 5], Side::Low), [0.0; 5]);
/// ```
pub fn deviations(values: &[f64], side: Side) -> Vec<f64> {
    let sign = if side == Side::High { 1.0 } else { -1.0 };
    let middle = median(values.to_vec());
    let beyond: Vec<f64> = values.iter().map(|value| sign * (value - middle)).collect();
    let own: Vec<f64> = beyond.iter().copied().filter(|off| *off >= 0.0).collect();
    let mean = own.iter().sum::<f64>() / own.len().max(1) as f64;
    let spread = match OF_MEDIAN * median(own) {
        spread if spread > 0.0 => spread,
        _ => OF_MEAN * mean,
    };
    beyond.into_iter().map(|off| if spread > 0.0 { off / spread } else { 0.0 }).collect()
}

/// The middle value; the mean of the two middle ones. 0 of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[half],
        _ => (values[half - 1] + values[half]) / 2.0,
    }
}
