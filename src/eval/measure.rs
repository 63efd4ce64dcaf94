//! What is measured when a training ends, on photos that the model did not learn from.

use super::calibration::temperature;
use super::conformal::{aps, lac};
use super::told::Told;
use super::unknown::neighbours::{self, K};
use crate::base::seed::{Purpose, Seed};
use crate::models::{Bank, Kept, Trust};

/// Validation photos of a class whose scores are kept, of so many classes.
fn kept_of_class(classes: usize) -> usize {
    (4_000 / classes.max(1)).clamp(50, 1_000)
}

/// What can be measured on photos that the model did not learn from: all of [`Trust`] but what it belongs to. `told` and `targets` are those of the
/// validation photos.
pub fn measure(told: &[Told], targets: &[usize], classes: usize, bank: Option<Bank>) -> Trust {
    let logits: Vec<Vec<f32>> = told.iter().map(|told| told.logits.clone()).collect();
    let temperature = temperature::fit(&logits, targets);
    let probabilities: Vec<Vec<f32>> =
        logits.iter().map(|logits| temperature::tempered(logits, temperature.value)).collect();
    let kept = |score: &dyn Fn(usize) -> f32| -> Vec<Kept> {
        let of_class = |class: usize| {
            let own = (0..told.len()).filter(|&photo| targets[photo] == class);
            Kept::of(own.map(score).collect(), kept_of_class(classes))
        };
        (0..classes).map(of_class).collect()
    };
    // The same for the same photos, whatever the training's seed is.
    let part = |photo: usize| Seed(0).stream(Purpose::Conformal, 0, photo as u64).uniform();
    let features: Option<Vec<Vec<f32>>> = told.iter().map(|told| told.features.clone()).collect();
    let bank = bank.filter(|_| features.is_some());
    let distances = bank.as_ref().zip(features).map(|(bank, features)| neighbours::distances(bank, &features, K));
    Trust {
        weights: String::new(),
        described: String::new(),
        test: Default::default(),
        temperature,
        lac: kept(&|photo| lac::score(&probabilities[photo], targets[photo])),
        aps: kept(&|photo| aps::score(&probabilities[photo], targets[photo], part(photo))),
        distances: distances.map(|distances| Kept::of(distances, 2_000)),
        energies: Kept::of(told.iter().map(|told| told.energy).collect(), 2_000),
        bank,
    }
}
