//! Classes of uneven size, evened out: by weights in the loss, or by how often photos come.

use crate::base::config::Balance;
use crate::base::seed::{Purpose, Seed};
use crate::data::Subset;

/// How many photos of each class there are.
pub fn counts(subset: &Subset) -> Vec<usize> {
    let mut counts = vec![0; subset.classes.len()];
    for sample in subset.samples.iter() {
        counts.get_mut(sample.target).into_iter().for_each(|count: &mut usize| *count += 1);
    }
    counts
}

/// The weight of each class: photos / (classes · photos of the class), so that all classes together weigh alike; scikit-learn's `balanced`. A class
/// without photos has none.
///
/// ```
/// use petal::train::balance::weights;
///
/// // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
/// assert_eq!(weights(&[4, 2, 4]), [10.0 / 12.0, 10.0 / 6.0, 10.0 / 12.0]);
/// ```
pub fn weights(counts: &[usize]) -> Vec<f32> {
    let all: usize = counts.iter().sum();
    let weight = |&count: &usize| if count == 0 { 0.0 } else { all as f64 / (counts.len() * count) as f64 };
    counts.iter().map(|count| weight(count) as f32).collect()
}

/// The order in which an epoch of training sees the photos: all of them once, or, by [`Balance::Sampling`], as many of each class, within one photo. A
/// class that has fewer gives each of its photos as often as the next one, within once; one that has more leaves some out, others in the next epoch.
pub fn order(balance: Balance, subset: &Subset, seed: Seed, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..subset.samples.len()).collect();
    if balance == Balance::Sampling {
        let counts = counts(subset);
        let filled = counts.iter().filter(|count| **count > 0).count().max(1);
        let (each, mut more) = (order.len() / filled, order.len() % filled);
        order.clear();
        for class in (0..counts.len()).filter(|&class| counts[class] > 0) {
            let own = subset.samples.iter().enumerate().filter(|(_, sample)| sample.target == class);
            let mut own: Vec<usize> = own.map(|(photo, _)| photo).collect();
            seed.stream(Purpose::Balance, epoch, class as u64).shuffle(&mut own);
            let wanted = each + usize::from(more > 0);
            more = more.saturating_sub(1);
            order.extend(own.iter().cycle().take(wanted));
        }
    }
    seed.stream(Purpose::Shuffle, epoch, 0).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::{Sample, Split};

    fn sample(target: usize, photo: usize) -> Sample {
        let name = format!("{target}/{photo}.jpg");
        Sample { path: name.as_str().into(), name, target, part: None }
    }

    fn subset(sizes: &[usize]) -> Subset {
        let samples =
            sizes.iter().enumerate().flat_map(|(target, size)| (0..*size).map(move |photo| sample(target, photo)));
        let classes: Arc<[String]> = (0..sizes.len()).map(|class| class.to_string()).collect::<Vec<_>>().into();
        let samples: Arc<[Sample]> = samples.collect();
        let hashes = vec![String::new(); samples.len()].into();
        Subset { split: Split::Train, classes, samples, hashes, sha256: String::new() }
    }

    #[test]
    fn sampling_gives_each_class_its_share_and_uses_all_photos() {
        let subset = subset(&[30, 3, 7]);
        let mut seen = vec![0; 40];
        for epoch in 0..20 {
            let order = order(Balance::Sampling, &subset, Seed(1), epoch);
            assert_eq!(order.len(), 40);
            let of = |class: usize| order.iter().filter(|&&photo| subset.samples[photo].target == class).count();
            assert_eq!([of(0), of(1), of(2)], [14, 13, 13]);
            order.iter().for_each(|&photo| seen[photo] += 1);
            assert_eq!(
                order,
                super::order(Balance::Sampling, &subset, Seed(1), epoch),
                "it is drawn by the epoch alone"
            );
        }
        // Of the rare class, each photo came 20 · 13/3 times, within once an epoch.
        assert!(
            seen.iter().all(|&count| count > 0) && (30..33).all(|photo| (80..=100).contains(&seen[photo])),
            "{seen:?}"
        );
    }

    #[test]
    fn without_it_every_photo_comes_once_in_the_order_that_it_always_had() {
        let order = order(Balance::Weights, &subset(&[5, 2]), Seed(1), 3);
        let mut usual: Vec<usize> = (0..7).collect();
        Seed(1).stream(Purpose::Shuffle, 3, 0).shuffle(&mut usual);
        assert_eq!(order, usual);
    }
}
