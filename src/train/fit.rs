//! A phase from its beginning, or its last checkpoint, to its end.

use std::ops::ControlFlow;
use std::time::Instant;

use candle_core::Var;

use super::balance;
use super::batch::AtCut;
use super::event::{Ended, Event};
use super::inputs::Inputs;
use super::instant::instant;
use super::job::Job;
use super::phase::Phase;
use super::preflight;
use super::recipes::At;
use super::run::checkpoint::Checkpoint;
use super::run::history::Epoch;
use super::run::place;
use super::run::progress::{Begun, Progress, Standing};
use super::step::{Steps, Taken, count_correct};
use super::trust;
use super::values::{Best, Values, misfit, set, snapshot};
use crate::base::config::{Balance, Watch};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::seed::Seed;
use crate::export::{self, ModelInfo};
use crate::models::weights;
use crate::nn::loss;

/// Trains one phase, going on from the run's checkpoint, and saves after each epoch.
///
/// The loop is the plain one: shuffle, and [`Steps`] as the phase's recipe has them. `observe` is told what
/// happens and may answer [`ControlFlow::Break`] to stop after the current step.
///
/// # Errors
/// What [`preflight::check`] finds, before anything is written. [`ErrorKind::Diverged`] if a loss is not finite: the step is
/// not applied, and the error names the photos of its batch. [`ErrorKind::Checkpoint`] if the run was made with other
/// settings. After any of them the run can be gone on with from its last checkpoint.
pub fn fit(job: &Job, observe: &mut dyn FnMut(&Event) -> ControlFlow<()>) -> Result<Ended> {
    job.phase.check()?;
    let standing = job.run.progress()?.standing(job.phase);
    if standing == Standing::Done {
        set(job.model, &job.run.load(job.train.device())?.best)?;
        return Ok(Ended::Before);
    }
    if job.phase.epochs == 0 {
        return Ok(Ended::Finished("no epochs were asked for".into()));
    }
    if let Some(error) = place::refused(job.run, job.phase, &standing) {
        return Err(error);
    }
    preflight::check(job)?;
    let _lock = job.run.lock()?;
    // A request that is older than this call was meant for an earlier one.
    job.run.take_stop_request()?;

    let Checkpoint { mut progress, model, best, moments, recipe } = job.run.load(job.train.device())?;
    let goes_on = standing == Standing::GoesOn;
    // What earlier phases have trained is kept, too, where this one trains less.
    let widest = progress.phases.iter().map(|begun| begun.cut).chain([job.phase.cut]).min().unwrap_or(job.phase.cut);
    let kept = job.model.trainable_vars(widest)?;
    let mut steps = Steps::new(job.model, job.phase, Seed(job.config.seed), job.phase.epochs * job.steps())?;
    if goes_on {
        let wanted = kept.iter().map(|(name, var)| (name.clone(), var.dims().to_vec())).collect();
        for values in [&model, &best] {
            weights::check(values, &wanted).map_err(|error| misfit(&error))?;
        }
    }
    // A new phase starts from the best of the phases before it.
    set(job.model, if goes_on { &model } else { &best })?;
    let mut best = Best { model: job.model, values: if goes_on { best } else { snapshot(&kept)? } };
    if goes_on {
        steps.restore(&moments, recipe, progress.adam_steps)?;
        // It may have ended before, with fewer epochs or less patience.
        progress.history.ended.retain(|(phase, _)| *phase != job.phase.name);
    } else {
        if let Some(last) = progress.phases.len().checked_sub(1) {
            // Another phase may start from here later.
            files::copy(&job.run.last(), &job.run.end_of(last))?;
        }
        // With a fresh Adam; it keeps the best value seen.
        progress = Progress { adam_steps: 0, step: 0, loss_sum: 0.0, correct: 0, ..progress };
        progress.phases.push(Begun::new(job.phase));
        progress.monitor.begin_phase();
        // Whether a checkpoint can be written is known before the first epoch, not after it.
        save(job, &progress, &kept, &best, &steps)?;
    }
    drop((model, moments));

    let mut stop = observe(&Event::Begin {
        phase: job.phase,
        epochs: epochs_of(&progress),
        steps: progress.step,
        history: &progress.history,
    })
    .is_break();
    let first = progress.history.epochs.len();
    let epochs = first..first + job.phase.epochs.saturating_sub(epochs_of(&progress));
    let (train, val) = match job.inputs(epochs, &mut stop, observe) {
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Ended::Stopped),
        other => other?,
    };

    let mut solved = None;
    let reason = loop {
        if stop {
            return Ok(Ended::Stopped);
        }
        if progress.monitor.exhausted(job.phase.patience) {
            let watched = match steps.recipe().watch() {
                Watch::Loss => "loss",
                Watch::Accuracy => "accuracy",
            };
            break format!("no better validation {watched} in {} epochs", job.phase.patience);
        }
        if epochs_of(&progress) >= job.phase.epochs {
            break solved.unwrap_or_else(|| format!("all {} epochs done", job.phase.epochs));
        }
        let started = Instant::now();
        let whole = if steps.recipe().is_instant() {
            let found = instant(job.model, &train, &val, job.config.balance, Seed(job.config.seed))?;
            (progress.loss_sum, progress.correct) = (found.loss * train.len() as f64, found.correct);
            solved = Some(found.text());
            true
        } else {
            epoch_of_training(job, &train, &mut progress, &mut steps, &mut stop, observe)?
        };
        if whole {
            let number = progress.history.epochs.len() + 1;
            // A recipe may measure and keep other values than those that go on training.
            let measured = steps.recipe().measured(steps.state())?;
            let training = measured.is_some().then(|| snapshot(&kept)).transpose()?;
            measured.iter().try_for_each(|values| set(job.model, values))?;
            let Some((val_loss, val_accuracy)) = validate(job, &val, observe)? else {
                training.iter().try_for_each(|values| set(job.model, values))?;
                save(job, &progress, &kept, &best, &steps)?;
                return Ok(Ended::Stopped);
            };
            if !val_loss.is_finite() {
                // The checkpoint of the epoch before stays.
                return Err(diverged(job, &format!("the validation loss is {val_loss} after epoch {number}"), &[]));
            }
            let (watch, best_so_far) = (steps.recipe().watch(), progress.history.best());
            let is_best = progress.monitor.observe_by(watch, number, val_loss, val_accuracy, best_so_far);
            if is_best {
                best.values = snapshot(&kept)?;
            }
            training.iter().try_for_each(|values| set(job.model, values))?;
            let photos = train.len() as f64;
            progress.history.epochs.push(Epoch {
                phase: job.phase.name.clone(),
                epoch: number,
                learning_rate: last_rate(&steps, number as u64 - 1, progress.step),
                train_loss: progress.loss_sum / photos,
                train_accuracy: progress.correct as f64 / photos,
                val_loss,
                val_accuracy,
                best: is_best,
                seconds: started.elapsed().as_secs_f64(),
            });
            progress.phases.last_mut().into_iter().for_each(|begun| begun.epochs += 1);
            progress = Progress { step: 0, loss_sum: 0.0, correct: 0, ..progress };
        }
        save(job, &progress, &kept, &best, &steps)?;
        if let (true, Some(epoch)) = (whole, progress.history.epochs.last()) {
            stop |= observe(&Event::Epoch { phase: job.phase, epoch }).is_break();
        }
    };

    let last = snapshot(&kept)?;
    set(job.model, &best.values)?;
    // Before the checkpoint says that the phase is finished: killed between the two, the next call writes it again.
    match trust::of_phase(job, (&train, &val), observe) {
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Ended::Stopped),
        trust => export::save(job.model, &ModelInfo { trust: Some(trust?), ..job.info.clone() }, &job.run.best())?,
    }
    progress.history.ended.push((job.phase.name.clone(), reason.clone()));
    // With all of its state: with more epochs or more patience, it goes on from here.
    job.run.save(&checkpoint_of(&progress, last, &best, &steps)?)?;
    Ok(Ended::Finished(reason))
}

/// One pass over the training photos; false if a stop was asked for on the way.
fn epoch_of_training(
    job: &Job,
    inputs: &Inputs,
    progress: &mut Progress,
    steps: &mut Steps,
    stop: &mut bool,
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<bool> {
    let epoch = progress.history.epochs.len() as u64;
    let (subset, balance) = (job.train.subset(), job.config.balance);
    let order = balance::order(balance, subset, Seed(job.config.seed), epoch);
    let weights = (balance == Balance::Weights).then(|| balance::weights(&balance::counts(subset)));
    let done = (progress.step * job.train.batch_size()).min(order.len());
    for batch in inputs.batches(&order[done..], job.view(epoch))? {
        if *stop {
            return Ok(false);
        }
        let batch = match &weights {
            Some(weights) => batch?.weighted(weights)?,
            None => batch?,
        };
        let indices = batch.indices.clone();
        let Taken { loss, correct, photos } =
            steps.take(epoch, progress.step, batch).map_err(|error| match error.kind() {
                ErrorKind::Diverged => diverged(job, error.what(), &indices),
                _ => error,
            })?;
        progress.step += 1;
        progress.adam_steps = steps.taken();
        progress.loss_sum += loss * photos as f64;
        progress.correct += correct;
        let seen = (progress.step * job.train.batch_size()).min(order.len());
        let event = Event::Step {
            epoch: epochs_of(progress) + 1,
            done: seen,
            total: order.len(),
            loss: progress.loss_sum / seen as f64,
            accuracy: progress.correct as f64 / seen as f64,
        };
        *stop |= observe(&event).is_break() || job.run.take_stop_request()?;
    }
    Ok(true)
}

/// The learning rate of an epoch's last step, after so many of them.
fn last_rate(steps: &Steps, epoch: u64, count: usize) -> f64 {
    let next = steps.at(epoch, count);
    steps.recipe().learning_rate(&At { step: count.saturating_sub(1), taken: next.taken.saturating_sub(1), ..next })
}

/// Mean loss and accuracy over the validation photos; none if a stop was asked for on the way.
fn validate(
    job: &Job,
    inputs: &Inputs,
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<Option<(f64, f64)>> {
    let order: Vec<usize> = (0..inputs.len()).collect();
    let (mut loss_sum, mut correct, mut done) = (0.0, 0, 0);
    let mut inference = None;
    for batch in inputs.batches(&order, 0)? {
        let AtCut { values, targets, indices, .. } = batch?;
        let inference = match &mut inference {
            Some(ready) => ready,
            none => none.insert(job.model.inference(job.phase.cut, &values.dims()[1..])?),
        };
        let logits = inference.logits(&values)?;
        loss_sum += f64::from(loss::cross_entropy(&logits, &targets)?.to_scalar::<f32>()?) * indices.len() as f64;
        correct += count_correct(&logits, &targets)?;
        done += indices.len();
        if observe(&Event::Validating { done, total: inputs.len() }).is_break() || job.run.take_stop_request()? {
            return Ok(None);
        }
    }
    let photos = inputs.len() as f64;
    Ok(Some((loss_sum / photos, correct as f64 / photos)))
}

/// Whole epochs of the phase under way.
fn epochs_of(progress: &Progress) -> usize {
    progress.phase().map_or(0, |begun| begun.epochs)
}

fn save(job: &Job, progress: &Progress, kept: &[(String, Var)], best: &Best, steps: &Steps) -> Result<()> {
    let model = kept.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    job.run.save(&checkpoint_of(progress, model, best, steps)?)
}

fn checkpoint_of(progress: &Progress, model: Values, best: &Best, steps: &Steps) -> Result<Checkpoint> {
    let (progress, best) = (progress.clone(), best.values.clone());
    Ok(Checkpoint { progress, model, best, moments: steps.moments()?, recipe: steps.state().clone() })
}

fn diverged(job: &Job, what: &str, batch: &[usize]) -> Error {
    let Phase { name, learning_rate, .. } = job.phase;
    let names = batch.iter().map(|&i| {
        let path = &job.train.subset().samples[i].path;
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    });
    let photos = names.collect::<Vec<_>>().join(", ");
    let of = if photos.is_empty() { String::new() } else { format!("; photos of the batch: {photos}") };
    Error::new(ErrorKind::Diverged, format!("{what}, phase {name}, learning rate {learning_rate}{of}"))
        .at(&job.run.folder)
        .mend("lower the learning rate, or look at these photos; the best epoch so far is kept")
}
