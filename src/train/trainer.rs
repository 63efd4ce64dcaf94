//! The training loop.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Tensor, Var};

use super::checkpoint::{Checkpoint, Run};
use super::event::Event;
use super::history::Epoch;
use super::inputs::{self, AtCut, Inputs};
use super::phase::Phase;
use super::progress::{Begun, Progress, Standing};
use super::{place, preflight};
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::seed::{Purpose, Seed};
use crate::data::Loader;
use crate::models::{self, Cut, Model, ModelInfo, weights};
use crate::nn::loss;
use crate::nn::optim::Adam;

/// Everything that one phase of training needs.
pub struct Job<'a> {
    /// The network. Its trainable part is changed; when [`fit`] returns, however it ended, it has the best epoch's values.
    pub model: &'a Model,
    /// What the model file of the best epoch says beside its weights.
    pub info: &'a ModelInfo,
    /// Photos to learn from, augmented.
    pub train: &'a Loader,
    /// Photos that decide which epoch is best.
    pub val: &'a Loader,
    /// Which layers, how long, how fast.
    pub phase: &'a Phase,
    /// Seed, views, cache.
    pub config: &'a Config,
    /// Where to go on from, and to save to.
    pub run: &'a Run,
    /// Folder of the cache files.
    pub cache: &'a Path,
}

/// How a call of [`fit`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// This phase had been finished before; nothing was trained.
    Before,
    /// All epochs were trained, or patience ran out: the reason.
    Finished(String),
    /// A stop was asked for. The state is saved, and the next call goes on.
    Stopped,
}

/// Trains one phase, going on from the run's checkpoint, and saves after each epoch.
///
/// The loop is the plain one: shuffle, forward from the cut, cross-entropy, backward, Adam. `observe` is told what
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
        set(job.model, &job.run.load(job.train.device())?.under("best."))?;
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

    let checkpoint = job.run.load(job.train.device())?;
    let mut progress = checkpoint.progress.clone();
    let goes_on = standing == Standing::GoesOn;
    let vars = job.model.trainable_vars(job.phase.cut)?;
    // What earlier phases have trained is kept, too, where this one trains less.
    let widest = progress.phases.iter().map(|begun| begun.cut).chain([job.phase.cut]).min().unwrap_or(job.phase.cut);
    let kept = job.model.trainable_vars(widest)?;
    let mut adam = Adam::new(vars, job.phase.learning_rate)?;
    // A new phase starts from the best of the phases before it.
    let start = checkpoint.under(if goes_on { "model." } else { "best." });
    let best = checkpoint.under("best.");
    if goes_on {
        let wanted = kept.iter().map(|(name, var)| (name.clone(), var.dims().to_vec())).collect();
        for values in [&start, &best] {
            weights::check(values, &wanted).map_err(|error| misfit(&error))?;
        }
    }
    set(job.model, &start)?;
    let mut best = Best { model: job.model, values: if goes_on { best } else { snapshot(&kept)? } };
    if goes_on {
        adam.restore(&checkpoint.under("adam."), progress.adam_steps)?;
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
        save(job.run, &progress, &kept, &best, &adam)?;
    }
    drop(checkpoint);

    let mut stop = observe(&Event::Begin {
        phase: job.phase,
        epochs: epochs_of(&progress),
        steps: progress.step,
        history: &progress.history,
    })
    .is_break();
    let first = progress.history.epochs.len();
    let epochs = first..first + job.phase.epochs.saturating_sub(epochs_of(&progress));
    let (train, val) = match prepare(job, epochs, &mut stop, observe) {
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Ended::Stopped),
        other => other?,
    };

    let reason = loop {
        if stop {
            return Ok(Ended::Stopped);
        }
        if progress.monitor.exhausted(job.phase.patience) {
            break format!("no better validation loss in {} epochs", job.phase.patience);
        }
        if epochs_of(&progress) >= job.phase.epochs {
            break format!("all {} epochs done", job.phase.epochs);
        }
        let started = Instant::now();
        let whole = epoch_of_training(job, &train, &mut progress, &mut adam, &mut stop, observe)?;
        if whole {
            let (val_loss, val_accuracy) = validate(job, &val)?;
            let number = progress.history.epochs.len() + 1;
            if !val_loss.is_finite() {
                // The checkpoint of the epoch before stays.
                return Err(diverged(job, &format!("the validation loss is {val_loss} after epoch {number}"), &[]));
            }
            let is_best = progress.monitor.observe(number, val_loss);
            if is_best {
                best.values = snapshot(&kept)?;
            }
            let photos = train.len() as f64;
            progress.history.epochs.push(Epoch {
                phase: job.phase.name.clone(),
                epoch: number,
                learning_rate: job.phase.learning_rate,
                train_loss: progress.loss_sum / photos,
                train_accuracy: progress.correct as f64 / photos,
                val_loss,
                val_accuracy,
                best: is_best,
                seconds: started.elapsed().as_secs_f64(),
            });
            progress.phases.last_mut().into_iter().for_each(|begun| begun.epochs += 1);
            progress = Progress { step: 0, loss_sum: 0.0, correct: 0, adam_steps: adam.steps(), ..progress };
        }
        save(job.run, &progress, &kept, &best, &adam)?;
        if let (true, Some(epoch)) = (whole, progress.history.epochs.last()) {
            stop |= observe(&Event::Epoch { phase: job.phase, epoch }).is_break();
        }
    };

    let last = snapshot(&kept)?;
    set(job.model, &best.values)?;
    // Before the checkpoint says that the phase is finished: killed between the two, the next call writes it again.
    models::save(job.model, job.info, &job.run.best())?;
    progress.history.ended.push((job.phase.name.clone(), reason.clone()));
    // With all of its state: with more epochs or more patience, it goes on from here.
    let tensors = tensors_of(last, &best, &adam)?;
    job.run.save(&Checkpoint { progress, tensors })?;
    Ok(Ended::Finished(reason))
}

/// The best epoch's values. They go into the model when the phase ends, however it ends: stopped, failed, or in a panic of the
/// observer. What is measured or saved afterwards is the best, and never what the last step left.
struct Best<'a> {
    model: &'a Model,
    values: BTreeMap<String, Tensor>,
}

impl Drop for Best<'_> {
    fn drop(&mut self) {
        // They came from this very model, so they fit.
        let _ = set(self.model, &self.values);
    }
}

/// What training and validation read in these epochs, which are counted over all phases.
pub(super) fn prepare<'a>(
    job: &Job<'a>,
    epochs: Range<usize>,
    stop: &mut bool,
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<(Inputs<'a>, Inputs<'a>)> {
    let cut = job.phase.cut;
    if cut == Cut::Images || !job.config.cache {
        return Ok((Inputs::direct(job.model, cut, job.train)?, Inputs::direct(job.model, cut, job.val)?));
    }
    let views = epochs.take(job.config.views).map(|epoch| (epoch % job.config.views) as u64).collect();
    let mut tell = |event: &Event| -> Result<()> {
        *stop |= observe(event).is_break() || job.run.take_stop_request()?;
        if *stop { Err(Error::new(ErrorKind::Interrupted, "stopped")) } else { Ok(()) }
    };
    let parts = [(job.train, views), (job.val, vec![0])];
    inputs::cached(job.model, cut, parts, job.cache, job.config.cache_bytes(), &mut tell)
        .map(|[train, val]| (train, val))
}

/// One pass over the training photos; false if a stop was asked for on the way.
fn epoch_of_training(
    job: &Job,
    inputs: &Inputs,
    progress: &mut Progress,
    adam: &mut Adam,
    stop: &mut bool,
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<bool> {
    let seed = Seed(job.config.seed);
    let epoch = progress.history.epochs.len() as u64;
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    seed.stream(Purpose::Shuffle, epoch, 0).shuffle(&mut order);
    // The baseline computes everything anew each epoch, so every epoch may as well see a new view.
    let view = if job.phase.cut == Cut::Images { epoch } else { epoch % job.config.views as u64 };
    let done = (progress.step * job.train.batch_size()).min(order.len());
    for batch in inputs.batches(&order[done..], view)? {
        if *stop {
            return Ok(false);
        }
        let AtCut { values, targets, indices } = batch?;
        let mut dropout = seed.stream(Purpose::Dropout, epoch, progress.step as u64);
        let logits = job.model.after(&values, job.phase.cut, Some(&mut dropout))?;
        let loss = loss::cross_entropy(&logits, &targets)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        if !value.is_finite() {
            let what = format!("the training loss is {value} in step {} of epoch {}", progress.step + 1, epoch + 1);
            return Err(diverged(job, &what, &indices));
        }
        adam.step(&job.model.backward(&loss)?)?;
        progress.step += 1;
        progress.adam_steps = adam.steps();
        progress.loss_sum += value * indices.len() as f64;
        progress.correct += count_correct(&logits, &targets)?;
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

/// Mean loss and accuracy over the validation photos.
fn validate(job: &Job, inputs: &Inputs) -> Result<(f64, f64)> {
    let order: Vec<usize> = (0..inputs.len()).collect();
    let (mut loss_sum, mut correct) = (0.0, 0);
    let mut inference = None;
    for batch in inputs.batches(&order, 0)? {
        let AtCut { values, targets, indices } = batch?;
        let inference = match &mut inference {
            Some(ready) => ready,
            none => none.insert(job.model.inference(job.phase.cut, &values.dims()[1..])?),
        };
        let logits = inference.logits(&values)?;
        loss_sum += f64::from(loss::cross_entropy(&logits, &targets)?.to_scalar::<f32>()?) * indices.len() as f64;
        correct += count_correct(&logits, &targets)?;
    }
    let photos = inputs.len() as f64;
    Ok((loss_sum / photos, correct as f64 / photos))
}

fn count_correct(logits: &Tensor, targets: &Tensor) -> Result<usize> {
    let hits = logits.argmax(1)?.eq(targets)?.to_dtype(DType::U32)?.sum_all()?;
    Ok(hits.to_scalar::<u32>()? as usize)
}

/// Sets what a checkpoint holds. All of it is checked first.
pub(super) fn set(model: &Model, values: &BTreeMap<String, Tensor>) -> Result<()> {
    model.params().set_all(values).map_err(|error| misfit(&error))
}

fn misfit(error: &Error) -> Error {
    Error::new(ErrorKind::Checkpoint, format!("this checkpoint does not fit the network: {}", error.what()))
        .mend("delete the run's folder to train anew, or give the run another name (--run)")
}

pub(super) fn snapshot(vars: &[(String, Var)]) -> Result<BTreeMap<String, Tensor>> {
    vars.iter().map(|(name, var)| Ok((name.clone(), var.as_tensor().copy()?))).collect()
}

/// Whole epochs of the phase under way.
fn epochs_of(progress: &Progress) -> usize {
    progress.phase().map_or(0, |begun| begun.epochs)
}

fn save(run: &Run, progress: &Progress, kept: &[(String, Var)], best: &Best, adam: &Adam) -> Result<()> {
    let model = kept.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
    run.save(&Checkpoint { progress: progress.clone(), tensors: tensors_of(model, best, adam)? })
}

fn tensors_of(
    model: impl IntoIterator<Item = (String, Tensor)>,
    best: &Best,
    adam: &Adam,
) -> Result<BTreeMap<String, Tensor>> {
    let model = model.into_iter().map(|(name, t)| (format!("model.{name}"), t));
    let best = best.values.iter().map(|(name, t)| (format!("best.{name}"), t.clone()));
    let moments = adam.state()?.into_iter().map(|(name, t)| (format!("adam.{name}"), t));
    Ok(model.chain(best).chain(moments).collect())
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
