//! How far a training gets in a given time: the first steps are measured, and epochs planned from that.

use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use super::job::Job;
use super::step::Steps;
use super::values::{set, snapshot};
use crate::base::config::Layers;
use crate::base::error::Result;
use crate::base::seed::Seed;
use crate::models::Cut;

/// What was planned for a phase within a budget of time. It is kept in the run's folder, `plan.json`, and taken again when the run goes on: so what
/// a training computes does not depend on how fast the machine is that day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// SHA-256 over what it was planned for: settings, photos, weights, the budget.
    pub of: String,
    /// The budget, in minutes.
    pub minutes: f64,
    /// Seconds of it that were spent before.
    pub spent: f64,
    /// Which layers are to train beside the head.
    pub layers: Layers,
    /// Epochs that fit into the rest. With 0, the head alone is all that there is time for.
    pub epochs: usize,
    /// What that was planned to cost, in seconds.
    pub planned: f64,
}

/// What a phase costs, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Before the first epoch: what the frozen layers compute once.
    pub once: f64,
    /// An epoch, with its validation.
    pub epoch: f64,
}

/// The most epochs that are planned, however much time there is, unless the settings have more: beyond these they bring little.
pub const MOST_EPOCHS: usize = 24;
/// Fewer epochs of all layers than this are worth less than more of the upper ones.
const FEWEST_OF_ALL: usize = 2;
/// By how much of the budget a plan may be beyond it: measuring is not exact, and the last epoch may not quite fit.
const BEYOND: f64 = 0.03;
/// Steps that are measured, after one that is not counted.
const MEASURED: usize = 6;

/// Which layers for how many epochs, `most` at most, fit into a budget of so many seconds, of which some are spent or set aside; and what that costs.
///
/// ```
/// use petal::config::Layers;
/// use petal::train::budget::{Cost, fit_in};
///
/// let (all, upper) = (Cost { once: 0.0, epoch: 20.0 }, Cost { once: 30.0, epoch: 4.0 });
/// assert_eq!(fit_in(240.0, 60.0, all, upper, 24), (Layers::All, 9, 180.0));
/// assert_eq!(fit_in(60.0, 22.0, all, upper, 24), (Layers::Upper, 2, 38.0));
/// assert_eq!(fit_in(60.0, 50.0, all, upper, 24), (Layers::Upper, 0, 0.0));
/// ```
pub fn fit_in(budget: f64, spent: f64, all: Cost, upper: Cost, most: usize) -> (Layers, usize, f64) {
    let rest = budget * (1.0 + BEYOND) - spent;
    let fits = |cost: Cost| {
        let epochs = ((rest - cost.once) / cost.epoch.max(1e-6)).floor();
        if epochs >= 1.0 { (epochs as usize).min(most) } else { 0 }
    };
    let told = |layers, cost: Cost, epochs: usize| {
        let planned = if epochs == 0 { 0.0 } else { cost.once + cost.epoch * epochs as f64 };
        (layers, epochs, planned)
    };
    match fits(all) {
        epochs if epochs >= FEWEST_OF_ALL => told(Layers::All, all, epochs),
        one if fits(upper) == 0 && one > 0 => told(Layers::All, all, one),
        _ => told(Layers::Upper, upper, fits(upper)),
    }
}

/// What a phase costs: a few of its steps are taken, and some validation photos predicted. Nothing of it stays in the model.
///
/// # Errors
/// What reading photos can give. A loss that is not finite is none: it is not looked at.
pub fn measure(job: &Job) -> Result<Cost> {
    let before = snapshot(&job.model.trainable_vars(job.phase.cut)?)?;
    let cost = measured(job);
    set(job.model, &before)?;
    cost
}

fn measured(job: &Job) -> Result<Cost> {
    let cut = job.phase.cut;
    let (train, val) = (Inputs::direct(job.model, cut, job.train)?, Inputs::direct(job.model, cut, job.val)?);
    let seed = Seed(job.config.seed);
    let mut steps = Steps::new(job.model, job.phase, seed, job.steps())?;
    let mut order = train.shuffled(seed, 0);
    order.truncate((MEASURED + 1) * job.train.batch_size());
    let (mut reading, mut learning, mut photos) = (0.0, 0.0, 0usize);
    let mut batches = train.batches(&order, 0)?;
    for step in 0.. {
        let started = Instant::now();
        let Some(batch) = batches.next() else { break };
        let batch = batch?;
        let read = started.elapsed().as_secs_f64();
        let count = batch.indices.len();
        let at = steps.at(0, step);
        let ahead = steps.forward(&at, batch, &mut at.dropout())?;
        if ahead.loss.is_finite() {
            steps.apply(ahead)?;
        }
        // The first step makes everything ready; of few photos, it is all there is.
        if step > 0 || train.len() <= job.train.batch_size() {
            reading += read;
            learning += started.elapsed().as_secs_f64() - read;
            photos += count;
        }
    }
    let order: Vec<usize> = (0..val.len().min(3 * job.val.batch_size())).collect();
    let (mut inference, mut validating, mut validated) = (None, 0.0, 0usize);
    let started = Instant::now();
    let mut begun = 0.0;
    for batch in val.batches(&order, 0)? {
        let batch = batch?;
        let inference = match &mut inference {
            Some(ready) => ready,
            none => none.insert(job.model.inference(cut, &batch.values.dims()[1..])?),
        };
        inference.logits(&batch.values)?;
        if validated == 0 && order.len() > batch.indices.len() {
            begun = started.elapsed().as_secs_f64();
        } else {
            validating += batch.indices.len() as f64;
        }
        validated += batch.indices.len();
    }
    let a_val_photo = (started.elapsed().as_secs_f64() - begun) / validating.max(1.0);
    let (read, learned) = (reading / photos.max(1) as f64, learning / photos.max(1) as f64);
    let (all, val) = (train.len() as f64, val.len() as f64);
    Ok(if cut == Cut::Images {
        Cost { once: 0.0, epoch: all * (read + learned) + val * a_val_photo }
    } else {
        // What is before the cut is kept; validation photos go through it once, too.
        let views = job.config.views.min(MOST_EPOCHS) as f64;
        Cost { once: views * all * read + val * a_val_photo, epoch: (all + val) * learned }
    })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minutes, spent, layers, epochs, planned, .. } = self;
        let layers = match layers {
            Layers::All => "all layers",
            Layers::Upper => "the upper layers",
        };
        let what = match epochs {
            0 => "there is time for the head alone".to_string(),
            _ => format!("{epochs} epochs of {layers}, about {planned:.0} s"),
        };
        write!(f, "planned for {minutes} minutes, of which {spent:.0} s were spent: {what}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_within_its_budget_by_an_epoch_and_a_thirtieth() {
        for budget in [60.0, 100.0, 240.0, 300.0] {
            for epoch in [3.0, 7.0, 19.0, 31.0] {
                let (all, upper) = (Cost { once: 0.0, epoch }, Cost { once: 2.0 * epoch, epoch: epoch / 5.0 });
                let (layers, epochs, planned) = fit_in(budget, 20.0, all, upper, MOST_EPOCHS);
                assert!(20.0 + planned <= 1.03 * budget + 1e-9, "{budget} {epoch}: {layers:?} {planned}");
                let more = if layers == Layers::All { epoch } else { epoch / 5.0 };
                assert!(
                    epochs > 0 && (epochs == MOST_EPOCHS || 20.0 + planned + more > budget),
                    "{budget} {epoch}: {planned}"
                );
            }
        }
        let free = Cost { once: 0.0, epoch: 0.0 };
        assert_eq!(fit_in(60.0, 0.0, free, free, MOST_EPOCHS).1, MOST_EPOCHS);
        assert_eq!(fit_in(60.0, 600.0, free, free, MOST_EPOCHS).1, 0);
    }
}
