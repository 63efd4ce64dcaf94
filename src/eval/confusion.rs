//! Which class was taken for which.

/// Counts of photos: rows are the true classes, columns the predicted ones.
///
/// ```
/// use petal::eval::Confusion;
///
/// // sklearn.metrics.confusion_matrix([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0])
/// let confusion = Confusion::new(3, [(0, 0), (0, 0), (0, 1), (1, 1), (1, 1), (2, 0)]);
/// assert_eq!(confusion.rows(), [[2, 1, 0], [0, 2, 0], [1, 0, 0]]);
/// assert_eq!((confusion.total(), confusion.most_confused()), (6, vec![(0, 1, 1), (2, 0, 1)]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    rows: Vec<Vec<usize>>,
}

impl Confusion {
    /// From (true, predicted) of each photo, all below `classes`.
    pub fn new(classes: usize, answers: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut rows = vec![vec![0; classes]; classes];
        for (target, predicted) in answers {
            rows[target][predicted] += 1;
        }
        Self { rows }
    }

    /// The counts: `rows()[true][predicted]`.
    pub fn rows(&self) -> &[Vec<usize>] {
        &self.rows
    }

    /// All photos.
    pub fn total(&self) -> usize {
        self.rows.iter().flatten().sum()
    }

    /// Pairs (true, predicted, photos) that were mixed up, the most frequent first.
    pub fn most_confused(&self) -> Vec<(usize, usize, usize)> {
        let cells = self.rows.iter().enumerate().flat_map(|(target, row)| {
            row.iter().enumerate().map(move |(predicted, count)| (target, predicted, *count))
        });
        let mut mixed: Vec<_> = cells.filter(|(target, predicted, count)| target != predicted && *count > 0).collect();
        mixed.sort_by_key(|(target, predicted, count)| (std::cmp::Reverse(*count), *target, *predicted));
        mixed
    }
}
