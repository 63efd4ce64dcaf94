//! Labels that are likely wrong, by confident learning: Northcutt, Jiang & Chuang 2021 (arXiv:1911.00068), as cleanlab 2.9 does it.

/// Probabilities that lie below a threshold by no more than this are at it, as in cleanlab.
const ROUNDING: f64 = 1e-6;

/// What confident learning says of labels, from probabilities by classifiers that have not learned from the photos.
#[derive(Clone, Debug, PartialEq)]
pub struct Confident {
    /// For each class, the mean probability of it among the photos that are labelled so; above 1 for a class without photos.
    pub thresholds: Vec<f64>,
    /// The confident joint: `joint[label][class]` photos of this label are above the threshold of this class (of several, the most probable); at least 1
    /// on the diagonal.
    pub joint: Vec<Vec<usize>>,
    /// Photos whose label is likely wrong, the least probable label first: counted beside the joint's diagonal, and most probably of another class.
    pub wrong: Vec<usize>,
}

/// Asks confident learning. `told[photo]` are the probabilities of each class, `targets[photo]` is the label.
///
/// As `cleanlab.filter.find_label_issues(filter_by="confident_learning", return_indices_ranked_by="self_confidence")`.
///
/// ```
/// use petal::eval::audit::confident;
///
/// let told = [vec![0.9, 0.1], vec![0.8, 0.2], vec![0.2, 0.8], vec![0.1, 0.9], vec![0.05, 0.95]];
/// let found = confident(&told, &[0, 0, 1, 1, 0], 2);
/// assert_eq!((found.wrong, found.joint), (vec![4], vec![vec![2, 1], vec![0, 1]]));
/// ```
pub fn confident(told: &[Vec<f64>], targets: &[usize], classes: usize) -> Confident {
    let threshold = |class: usize| {
        let own: Vec<f64> =
            told.iter().zip(targets).filter(|(_, target)| **target == class).map(|(p, _)| p[class]).collect();
        // No probability is above it.
        if own.is_empty() { 2.0 } else { (own.iter().sum::<f64>() / own.len() as f64).max(2.0 * ROUNDING) }
    };
    let thresholds: Vec<f64> = (0..classes).map(threshold).collect();
    let mut joint = vec![vec![0; classes]; classes];
    let mut wrong = Vec::new();
    for (photo, (p, &target)) in told.iter().zip(targets).enumerate() {
        let above: Vec<usize> = (0..classes).filter(|&class| p[class] >= thresholds[class] - ROUNDING).collect();
        let class = match above.as_slice() {
            [] => continue,
            [one] => *one,
            _ => most_probable(p),
        };
        joint[target][class] += 1;
        if class != target && most_probable(p) != target {
            wrong.push(photo);
        }
    }
    (0..classes).for_each(|class| joint[class][class] = joint[class][class].max(1));
    wrong.sort_by(|&a, &b| told[a][targets[a]].total_cmp(&told[b][targets[b]]).then(a.cmp(&b)));
    Confident { thresholds, joint, wrong }
}

/// The most probable class; the first of equals.
pub(super) fn most_probable(p: &[f64]) -> usize {
    (1..p.len()).fold(0, |best, class| if p[class] > p[best] { class } else { best })
}

/// All photos, the least probable label first: cleanlab's ranking by `self_confidence`, which is that by loss.
pub fn ranking(told: &[Vec<f64>], targets: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..told.len()).collect();
    order.sort_by(|&a, &b| told[a][targets[a]].total_cmp(&told[b][targets[b]]).then(a.cmp(&b)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// i, j = np.meshgrid(np.arange(60), np.arange(3), indexing="ij"); y = np.arange(60) * 7 % 3; y[::11] = (y[::11] + 1) % 3
    /// l = np.sin(i * (j + 1.7) + j) * 2 + 2.2 * (j == i * 7 % 3); p = np.exp(l); p /= p.sum(1, keepdims=True)
    /// print(cleanlab.count.get_confident_thresholds(y, p), cleanlab.count.compute_confident_joint(y, p, calibrate=False))
    /// print(cleanlab.filter.find_label_issues(y, p, filter_by="confident_learning", return_indices_ranked_by="self_confidence"))
    /// print(np.argsort(cleanlab.rank.get_label_quality_scores(y, p, method="self_confidence"))[:8])
    /// ```
    #[test]
    fn thresholds_joint_filter_and_ranking_are_cleanlabs() {
        let logit = |i: usize, j: usize| {
            let own = if j == i * 7 % 3 { 2.2 } else { 0.0 };
            2.0 * (i as f64 * (j as f64 + 1.7) + j as f64).sin() + own
        };
        let told: Vec<Vec<f64>> = (0..60)
            .map(|i| {
                let e = [0, 1, 2].map(|j| logit(i, j).exp());
                e.iter().map(|one| one / e.iter().sum::<f64>()).collect()
            })
            .collect();
        let targets: Vec<usize> = (0..60).map(|i| (i * 7 % 3 + usize::from(i % 11 == 0)) % 3).collect();
        let found = confident(&told, &targets, 3);
        for (got, expected) in found.thresholds.iter().zip(THRESHOLDS) {
            assert!((got - expected).abs() < 1e-8, "{got} {expected}");
        }
        assert_eq!(found.joint, JOINT);
        assert_eq!(found.wrong, WRONG);
        assert_eq!(ranking(&told, &targets)[..8], FIRST);
    }

    const THRESHOLDS: [f64; 3] = [0.627_185_004_005, 0.663_211_786_978, 0.629_778_564_3];
    const JOINT: [[usize; 3]; 3] = [[12, 1, 1], [1, 12, 0], [2, 1, 12]];
    const WRONG: [usize; 6] = [44, 55, 38, 23, 21, 1];
    const FIRST: [usize; 8] = [44, 55, 34, 38, 51, 23, 21, 26];

    #[test]
    fn a_class_without_photos_takes_none() {
        let found = confident(&[vec![0.2, 0.1, 0.7], vec![0.1, 0.8, 0.1]], &[0, 1], 3);
        assert_eq!((found.joint[2][2], found.wrong.len()), (1, 0));
        assert!(found.thresholds[2] > 1.0);
        assert_eq!(confident(&[], &[], 2).joint, [[1, 0], [0, 1]]);
    }
}
