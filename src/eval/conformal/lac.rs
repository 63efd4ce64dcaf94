//! The least ambiguous sets: all classes above one probability (Sadinle, Lei & Wasserman 2019, arXiv:1609.00451).

/// How little a photo's probabilities speak for its true class: 1 − its probability.
pub fn score(probabilities: &[f32], target: usize) -> f32 {
    1.0 - probabilities[target]
}

/// The classes that score no more than their threshold, in the order of the classes; all of them where there is none. It can be empty.
///
/// ```
/// use petal::eval::conformal::lac::set;
///
/// assert_eq!(set(&[0.6, 0.3, 0.1], &[Some(0.75); 3]), [0, 1]);
/// assert_eq!(set(&[0.6, 0.3, 0.1], &[Some(0.3), Some(0.3), None]), [2]);
/// ```
pub fn set(probabilities: &[f32], thresholds: &[Option<f32>]) -> Vec<usize> {
    let likely = |&class: &usize| thresholds[class].is_none_or(|threshold| score(probabilities, class) <= threshold);
    (0..probabilities.len()).filter(likely).collect()
}
