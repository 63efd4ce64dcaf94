//! Classes that look the same to heads that have not learned from the photos.

use super::labels::most_probable;
use crate::eval::Interval;
use crate::eval::metrics::wilson;

/// Two classes whose photos are mixed up in a larger share than this, at the lower end of the interval, look alike. Where nothing tells them, it is half.
pub const BOUND: f64 = 0.2;

/// How often two classes are mixed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alike {
    /// The one class.
    pub one: usize,
    /// The other, a later one.
    pub other: usize,
    /// Photos of either that were told as the other.
    pub mixed: usize,
    /// Photos of either that were told as one of the two.
    pub photos: usize,
    /// The share, with Wilson's 95 % interval.
    pub share: Interval,
}

impl Alike {
    /// Whether they look alike: the interval's lower end is above [`BOUND`].
    pub fn is_shown(&self) -> bool {
        self.share.low > BOUND
    }
}

/// All pairs of classes that were mixed up at least once, those that surely look most alike first.
///
/// ```
/// use petal::eval::audit::alike;
///
/// let told = [vec![0.9, 0.1], vec![0.4, 0.6], vec![0.2, 0.8], vec![0.7, 0.3]];
/// let pairs = alike(&told, &[0, 0, 1, 1], 2);
/// assert_eq!((pairs[0].mixed, pairs[0].photos, pairs[0].share.value), (2, 4, 0.5));
/// assert!(!pairs[0].is_shown(), "four photos do not show it");
/// ```
pub fn alike(told: &[Vec<f64>], targets: &[usize], classes: usize) -> Vec<Alike> {
    let mut counts = vec![vec![0usize; classes]; classes];
    told.iter().zip(targets).for_each(|(p, &target)| counts[target][most_probable(p)] += 1);
    let mut pairs = Vec::new();
    for one in 0..classes {
        for other in one + 1..classes {
            let mixed = counts[one][other] + counts[other][one];
            let photos = mixed + counts[one][one] + counts[other][other];
            if mixed > 0 {
                pairs.push(Alike { one, other, mixed, photos, share: wilson(mixed, photos) });
            }
        }
    }
    pairs.sort_by(|a, b| b.share.low.total_cmp(&a.share.low).then((a.one, a.other).cmp(&(b.one, b.other))));
    pairs
}
