//! Adaptive sets: the most probable classes until their sum is enough (Romano, Sesia & Candès 2020, arXiv:2006.02544).
//!
//! As in MAPIE with `include_last_label=True`: the paper's random number is in the scores of the validation photos, but no other photo's set hangs on one:
//! the class that reaches the threshold is always in it. So a photo always gets the same set, and it errs on the safe side.

/// The probability of all classes down to the true one, from the most probable on, less a part of the true one's own, 0 to 1, that is drawn for each
/// photo; of equals the first class comes first.
///
/// ```
/// use petal::eval::conformal::aps::score;
///
/// assert_eq!([0, 1, 2].map(|target| score(&[0.25, 0.5, 0.25], target, 0.0)), [0.75, 0.5, 1.0]);
/// assert_eq!(score(&[0.25, 0.5, 0.25], 1, 0.5), 0.25);
/// ```
pub fn score(probabilities: &[f32], target: usize, part: f64) -> f32 {
    let down_to = sums(probabilities).into_iter().find(|(class, _)| *class == target).map_or(1.0, |(_, sum)| sum);
    (f64::from(down_to) - part * f64::from(probabilities[target])) as f32
}

/// The most probable classes down to the one whose sum reaches the threshold, in that order; all of them where there is none.
pub fn set(probabilities: &[f32], threshold: Option<f32>) -> Vec<usize> {
    let sums = sums(probabilities);
    let last = threshold.and_then(|threshold| sums.iter().position(|(_, sum)| *sum >= threshold));
    let many = last.map_or(sums.len(), |last| last + 1);
    sums.into_iter().take(many).map(|(class, _)| class).collect()
}

/// The classes, the most probable first, with the sum of the probabilities down to each.
fn sums(probabilities: &[f32]) -> Vec<(usize, f32)> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let mut sum = 0.0;
    let mut down_to = |class: usize| {
        sum += f64::from(probabilities[class]);
        (class, sum as f32)
    };
    order.into_iter().map(&mut down_to).collect()
}
