//! The head, solved for at once: the best linear classifier of the frozen features.

use candle_core::Tensor;

use super::balance;
use super::inputs::Inputs;
use crate::base::config::Balance;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};
use crate::data::Subset;
use crate::models::Model;
use crate::nn::convex::{Rows, Solved, neighbours, solve};

/// Folds of the cross-validation that finds how strongly the weights are held back.
const FOLDS: usize = 5;
/// Neighbours that are asked for a check.
const NEIGHBOURS: usize = 10;

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Instant {
    /// The classifier, and what cross-validation on the training photos says of it.
    pub solved: Solved,
    /// Mean cross-entropy of the training photos, by the classifier that has learned from them.
    pub loss: f64,
    /// How many of the training photos are right.
    pub correct: usize,
    /// The fraction of the validation photos that their ten nearest neighbours among the training photos (by cosine) have right.
    pub neighbours: f64,
}

impl Instant {
    /// What a person should know of it.
    pub fn text(&self) -> String {
        let Solved { c, loss, accuracy, .. } = &self.solved;
        format!(
            "solved with C {c} by cross-validation on the training photos (loss {loss:.4}, {:.1} %); {NEIGHBOURS} nearest neighbours have {:.1} % of the validation photos right",
            100.0 * accuracy,
            100.0 * self.neighbours
        )
    }
}

/// Solves for the head of a network: multinomial logistic regression of the features of training photos as they are, by L-BFGS, with the `C` that
/// cross-validation on them finds ([`solve`]). The network's head is this classifier afterwards: two units of its hidden layer for each class carry
/// the logit and its negative through the ReLU.
///
/// # Errors
/// What reading photos can give; [`ErrorKind::Config`] if the head's hidden layer has fewer than two units a class.
pub fn instant(model: &Model, train: &Inputs, val: &Inputs, balance: Balance, seed: Seed) -> Result<Instant> {
    let (rows, targets) = features(train)?;
    let subset = train.subset();
    let classes = subset.classes.len();
    let weights = weights(balance, subset);
    let folds = dealt(&targets, seed);
    let solved = solve(&rows, &targets, &weights, classes, &folds);
    model.set_linear_head(&solved.linear.weights, &solved.linear.bias)?;
    let told = solved.linear.probabilities(&rows);
    let loss = told.iter().zip(&targets).map(|(p, &target)| -p[target].max(f64::MIN_POSITIVE).ln()).sum::<f64>();
    let correct = solved.linear.classes(&rows).iter().zip(&targets).filter(|(told, target)| told == target).count();
    let (asked, expected) = features(val)?;
    let answers = neighbours(&rows, &targets, &asked, NEIGHBOURS, classes);
    let right = answers.iter().zip(&expected).filter(|(told, target)| told == target).count();
    let neighbours = right as f64 / expected.len().max(1) as f64;
    Ok(Instant { solved, loss: loss / targets.len().max(1) as f64, correct, neighbours })
}

/// Features and classes of all photos, in order.
pub(super) fn features(inputs: &Inputs) -> Result<(Rows, Vec<usize>)> {
    let order: Vec<usize> = (0..inputs.len()).collect();
    let mut values: Vec<Tensor> = Vec::new();
    for batch in inputs.batches(&order, 0)? {
        values.push(batch?.values);
    }
    let what = || Error::new(ErrorKind::Dataset, "there are no photos to take features of");
    let width = values.first().ok_or_else(what)?.dim(1)?;
    let values = Tensor::cat(&values, 0)?.flatten_all()?.to_vec1::<f32>()?;
    let targets = inputs.subset().samples.iter().map(|sample| sample.target).collect();
    Ok((Rows::new(width, &values), targets))
}

/// How much each photo counts.
fn weights(balance: Balance, subset: &Subset) -> Vec<f64> {
    let by_class = balance::weights(&balance::counts(subset));
    let weight = |target: usize| if balance == Balance::None { 1.0 } else { f64::from(by_class[target]) };
    subset.samples.iter().map(|sample| weight(sample.target)).collect()
}

/// The fold of each photo: class by class in a drawn order, one fold after the other.
fn dealt(targets: &[usize], seed: Seed) -> Vec<usize> {
    let classes = targets.iter().max().map_or(0, |most| most + 1);
    let (mut dealt, mut next) = (vec![0; targets.len()], 0);
    for class in 0..classes {
        let mut own: Vec<usize> = (0..targets.len()).filter(|&photo| targets[photo] == class).collect();
        seed.stream(Purpose::Folds, 0, class as u64).shuffle(&mut own);
        for photo in own {
            dealt[photo] = next % FOLDS;
            next += 1;
        }
    }
    dealt
}
