//! What a network tells of a photo before anything is made of it.

/// What a network tells of a photo before anything is made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// One a class; of several views, the logarithm of their mean probability.
    pub logits: Vec<f32>,
    /// [`energy`](super::unknown::energy::energy); of several views, their mean.
    pub energy: f32,
    /// The backbone's pooled output, where it is asked for; of several views, their mean.
    pub features: Option<Vec<f32>>,
}

/// What several views tell together, photo by photo; `views` is one or more lists of the same photos.
pub(super) fn mean_of_views(mut views: Vec<Vec<Told>>) -> Vec<Told> {
    if views.len() < 2 {
        return views.pop().unwrap_or_default();
    }
    let count = views.len() as f64;
    let mean = |photo: usize, number: &dyn Fn(&Told) -> f64| {
        (views.iter().map(|view| number(&view[photo])).sum::<f64>() / count) as f32
    };
    let one = |photo: usize| {
        let first = &views[0][photo];
        // The logit less the logarithm of the exponentials' sum is the logarithm of the probability.
        let probability = |told: &Told, class: usize| (f64::from(told.logits[class]) + f64::from(told.energy)).exp();
        let logits = (0..first.logits.len()).map(|class| {
            let mean = views.iter().map(|view| probability(&view[photo], class)).sum::<f64>() / count;
            mean.max(f64::MIN_POSITIVE).ln() as f32
        });
        let width = first.features.as_ref().map_or(0, Vec::len);
        let feature = |told: &Told, at: usize| told.features.as_ref().map_or(0.0, |features| f64::from(features[at]));
        let features =
            first.features.as_ref().map(|_| (0..width).map(|at| mean(photo, &|told| feature(told, at))).collect());
        Told { logits: logits.collect(), energy: mean(photo, &|told| f64::from(told.energy)), features }
    };
    (0..views[0].len()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::calibration::temperature::tempered;
    use crate::eval::unknown::energy::energy;

    #[test]
    fn two_views_have_their_mean_probability() {
        let view = |logits: [f32; 2], features: [f32; 2]| {
            vec![Told { energy: energy(&logits), logits: logits.to_vec(), features: Some(features.to_vec()) }]
        };
        let told = mean_of_views(vec![view([2.0, 0.0], [1.0, 0.0]), view([0.0, 1.0], [0.0, 1.0])]);
        let expected = (tempered(&[2.0, 0.0], 1.0)[0] + tempered(&[0.0, 1.0], 1.0)[0]) / 2.0;
        assert!((tempered(&told[0].logits, 1.0)[0] - expected).abs() < 1e-6);
        assert_eq!(told[0].features, Some(vec![0.5, 0.5]));
    }
}
