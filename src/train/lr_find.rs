//! Which learning rate to take: a mock training in which it grows from step to step.
//!
//! The learning-rate range test of Smith 2015 (arXiv:1506.01186, section 3.3), as fastai runs it: the rate grows by the same
//! factor each step, the loss is smoothed, and the test ends where the loss has grown to four times its lowest value. Nothing of it
//! stays: the weights are put back, and the run's folder is not touched.

use std::ops::ControlFlow;

use super::cache::folder::Room;
use super::event::Event;
use super::job::Job;
use super::recipes::GrowingRate;
use super::step::Steps;
use super::sweep::{LrFind, LrStep, Sweep, SweepEnd};
use super::values::{set, snapshot};
use crate::base::error::{ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};

/// What an observer of the test is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sweeping {
    /// The frozen part is going to compute what will be kept: how large that will be, and what made room for it.
    Room(Room),
    /// The frozen part computes what the steps, and any later training, start from.
    Caching {
        /// Photos done.
        done: usize,
        /// Photos in all.
        total: usize,
    },
    /// A step was taken.
    Step {
        /// Steps so far.
        done: usize,
        /// Most steps there will be.
        total: usize,
        /// The step.
        step: LrStep,
    },
}

/// Runs the test for one phase. `observe` is told of the frozen layers' work and of the steps, and may stop it.
///
/// Starts from the values that the model has now; whatever happens, it has them again afterwards, to the bit.
///
/// # Errors
/// [`ErrorKind::Config`] for a sweep that does not grow; what reading photos can give. A loss that is not finite is no error here: it
/// ends the test.
pub fn lr_find(job: &Job, sweep: &Sweep, observe: &mut dyn FnMut(Sweeping) -> ControlFlow<()>) -> Result<LrFind> {
    sweep.check()?;
    let before = snapshot(&job.model.trainable_vars(job.phase.cut)?)?;
    let found = run(job, sweep, observe);
    set(job.model, &before)?;
    found
}

/// Without putting the weights back.
fn run(job: &Job, sweep: &Sweep, observe: &mut dyn FnMut(Sweeping) -> ControlFlow<()>) -> Result<LrFind> {
    let mut found = LrFind {
        phase: job.phase.name.clone(),
        current: job.phase.learning_rate,
        planned: sweep.steps,
        steps: Vec::new(),
        ended: SweepEnd::AllSteps,
    };
    let mut stop = false;
    let mut caching = |event: &Event| match event {
        Event::Room(room) => observe(Sweeping::Room(*room)),
        Event::Caching { done, total } => observe(Sweeping::Caching { done: *done, total: *total }),
        _ => ControlFlow::Continue(()),
    };
    let (train, _) = match job.inputs(0..job.phase.epochs.max(1), &mut stop, &mut caching) {
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            return Ok(LrFind { ended: SweepEnd::Stopped, ..found });
        }
        other => other?,
    };
    let seed = Seed(job.config.seed);
    let test = GrowingRate { sweep: *sweep, of: &*job.phase.recipe };
    let mut steps = Steps::by(&test, job.model, job.phase, seed, sweep.steps)?;
    let (mut mean, mut lowest) = (0.0, f64::INFINITY);
    // Small data sets are gone through more than once.
    for epoch in 0.. {
        let mut order: Vec<usize> = (0..train.len()).collect();
        seed.stream(Purpose::LrFind, epoch, 0).shuffle(&mut order);
        for (place, batch) in train.batches(&order, job.view(epoch))?.enumerate() {
            let step = steps.taken();
            if stop || step == sweep.steps {
                found.ended = if stop { SweepEnd::Stopped } else { SweepEnd::AllSteps };
                return Ok(found);
            }
            let mut dropout = seed.stream(Purpose::LrFind, step as u64, 1);
            let ahead = steps.forward(&steps.at(epoch, place), batch?, &mut dropout)?;
            if !ahead.loss.is_finite() {
                found.ended = SweepEnd::NotFinite;
                return Ok(found);
            }
            mean = BETA * mean + (1.0 - BETA) * ahead.loss;
            let smoothed = mean / (1.0 - BETA.powi(step as i32 + 1));
            let taken = LrStep { learning_rate: ahead.learning_rate, loss: ahead.loss, smoothed };
            found.steps.push(taken);
            lowest = smoothed.min(lowest);
            if smoothed > TOO_MUCH * lowest {
                found.ended = SweepEnd::Grew;
                return Ok(found);
            }
            steps.apply(ahead)?;
            let event = Sweeping::Step { done: step + 1, total: sweep.steps, step: taken };
            stop |= observe(event).is_break();
        }
    }
    Ok(found)
}

/// Weight of the past in the smoothed loss.
const BETA: f64 = 0.98;
/// The test ends where the smoothed loss is more than so many times its lowest value.
const TOO_MUCH: f64 = 4.0;
