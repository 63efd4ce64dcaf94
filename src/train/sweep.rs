//! What the learning-rate range test is asked for, and what it has found.

use crate::base::error::{Error, Result};

/// How the learning rate grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sweep {
    /// The first step's. Default 1e-7.
    pub from: f64,
    /// The last step's. Default 10.
    pub to: f64,
    /// Steps in all, at least 20. Default 100.
    pub steps: usize,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { from: 1e-7, to: 10.0, steps: 100 }
    }
}

/// One step of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrStep {
    /// The step was taken with it.
    pub learning_rate: f64,
    /// Cross-entropy of the batch before the step, in nats.
    pub loss: f64,
    /// Mean of the losses so far, the later the heavier: β 0.98, corrected for the short past.
    pub smoothed: f64,
}

/// Why the test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepEnd {
    /// All steps were taken: the loss never grew much.
    AllSteps,
    /// The smoothed loss had grown to four times its lowest value.
    Grew,
    /// A loss was not finite.
    NotFinite,
    /// A stop was asked for.
    Stopped,
}

/// What the test has found.
#[derive(Clone, Debug, PartialEq)]
pub struct LrFind {
    /// The phase whose layers were trained.
    pub phase: String,
    /// The learning rate that the phase would have taken.
    pub current: f64,
    /// How many steps there were to be.
    pub planned: usize,
    /// The steps that were taken; all losses are finite.
    pub steps: Vec<LrStep>,
    /// Why it ended.
    pub ended: SweepEnd,
}

/// Learning rates that the curve speaks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suggestion {
    /// In the middle of the longest fall of the loss (fastai's `valley`, its default). The one to take.
    pub valley: f64,
    /// Where the loss falls most steeply (fastai's `steep`).
    pub steepest: f64,
    /// A tenth of where the loss is lowest (fastai's `minimum`).
    pub tenth_of_lowest: f64,
}

impl Sweep {
    /// The learning rate of a step, counted from 0: a geometric series from `from` to `to`.
    pub(super) fn at(&self, step: usize) -> f64 {
        self.from * (self.to / self.from).powf(step as f64 / (self.steps - 1) as f64)
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(self.from > 0.0 && self.from < self.to && self.to.is_finite()) {
            let got = format_args!("from {} to {}", self.from, self.to);
            return Err(Error::config("the learning rate's sweep", got, "a growing range above 0"));
        }
        if self.steps < 20 {
            return Err(Error::config("the learning rate's sweep, steps", self.steps, "at least 20"));
        }
        Ok(())
    }
}

impl LrFind {
    /// Learning rates that the curve speaks for; none where the test was stopped too early to tell.
    pub fn suggestion(&self) -> Option<Suggestion> {
        let used = self.used();
        let losses: Vec<f64> = used.iter().map(|step| step.smoothed).collect();
        Some(Suggestion {
            valley: used.get(valley(&losses)?)?.learning_rate,
            steepest: used.get(steepest(used)?)?.learning_rate,
            tenth_of_lowest: used.iter().min_by(|a, b| a.smoothed.total_cmp(&b.smoothed))?.learning_rate / 10.0,
        })
    }

    /// By which part of itself the smoothed loss falls: from its median before the suggestion to its lowest value after it. A curve that
    /// hardly falls there says little.
    pub fn fall(&self) -> f64 {
        let losses: Vec<f64> = self.used().iter().map(|step| step.smoothed).collect();
        let Some(at) = valley(&losses) else { return 0.0 };
        let (mut before, after) = (losses[..=at].to_vec(), &losses[at..]);
        before.sort_by(f64::total_cmp);
        let median = before[before.len() / 2].max(f64::MIN_POSITIVE);
        1.0 - after.iter().copied().fold(f64::INFINITY, f64::min) / median
    }

    /// The steps that count, as in fastai: not the first tenth, where the mean has no past, and not the last five, where the loss grows.
    fn used(&self) -> &[LrStep] {
        let (from, to) = (self.planned / 10, self.steps.len().saturating_sub(5));
        if to > from + 5 { &self.steps[from..to] } else { &[] }
    }
}

/// The middle of the longest fall: the longest run of losses, not necessarily neighbours, of which each is lower than the one before.
/// As fastai, the fall is taken to begin as many steps before its end as it has members.
fn valley(losses: &[f64]) -> Option<usize> {
    let mut lengths = vec![1usize; losses.len()];
    let mut end = 0;
    for i in 1..losses.len() {
        for j in 0..i {
            if losses[i] < losses[j] {
                lengths[i] = lengths[i].max(lengths[j] + 1);
            }
        }
        if lengths[i] > lengths[end] {
            end = i;
        }
    }
    let length = *lengths.get(end)?;
    let third = length as f64 / 3.0;
    // Of three equal parts of the fall, the middle of the second one.
    Some((end + third as usize + (third / 2.0) as usize).saturating_sub(length))
}

/// Where the loss falls most by the logarithm of the learning rate.
fn steepest(steps: &[LrStep]) -> Option<usize> {
    let slope =
        |pair: &[LrStep]| (pair[1].smoothed - pair[0].smoothed) / (pair[1].learning_rate / pair[0].learning_rate).ln();
    let slopes: Vec<f64> = steps.windows(2).map(slope).collect();
    (0..slopes.len()).min_by(|&a, &b| slopes[a].total_cmp(&slopes[b]))
}
