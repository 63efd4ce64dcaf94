//! How far a trained network can be trusted: measured when a phase ends, and used wherever it is asked.

use std::ops::ControlFlow;

use super::event::Event;
use super::inputs::Inputs;
use super::job::Job;
use crate::base::config::{TestConfig, TrustConfig};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Seed;
use crate::base::work::{Progress, Unit, Work};
use crate::data::{Loader, Subset};
use crate::eval::unknown::bank::{self, MOST_FEATURES, MOST_IN_BANK};
use crate::eval::unknown::energy::energy;
use crate::eval::{self, Asked, Judge, Told};
use crate::export::{self, ModelInfo};
use crate::models::{Cut, Model, Trust};

/// Measures how far a network can be trusted: its temperature and its scores on the validation photos, which it did not learn from, and, with `bank`, the
/// features of training photos as they are, not varied. It is asked as [`ModelInfo::test`] says.
///
/// # Errors
/// What reading photos can give; [`ErrorKind::Diverged`] if it tells numbers that are not finite; [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn measure(
    model: &Model,
    info: &ModelInfo,
    (train, val): (&Loader, &Loader),
    bank: bool,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Trust> {
    let asked = Asked::new(model, &info.preprocess, &info.test)?.with_features(model)?;
    let as_asked = |of: &Loader| Loader::new(of.subset(), *asked.preprocess(), of.batch_size(), of.device());
    let (train, val) = (as_asked(train), as_asked(val));
    let told = |of: &Loader, order: &[usize], tick: &mut Tick| {
        let mut found = Vec::with_capacity(order.len());
        for batch in of.batches_of(order, 0) {
            tick(found.len())?;
            found.extend(asked.told(&batch?.images)?);
        }
        Ok(found)
    };
    let tell =
        Tell { of_val: &|order, tick| told(&val, order, tick), of_train: &|order, tick| told(&train, order, tick) };
    let kept = if bank && asked.has_features() { kept(&train, seed) } else { Vec::new() };
    found(model, info, val.subset(), &kept, &tell, progress)
}

/// The same for the network of a phase that has ended. What the phase reads may already be the features that are asked for.
pub(super) fn of_phase(
    job: &Job,
    (train, val): (&Inputs, &Inputs),
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<Trust> {
    let mut stop_file = Ok(false);
    let mut progress = |work: &Work| {
        stop_file = job.run.take_stop_request();
        let is_asked = observe(&Event::Measuring { done: work.done as usize, total: work.total as usize }).is_break();
        if is_asked || !matches!(stop_file, Ok(false)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let Job { model, info, config, phase, .. } = *job;
    let (bank, seed) = (config.trust.bank, Seed(config.seed));
    // Photos as they are, at the cut where features are.
    let is_read =
        phase.recipe.is_instant() && phase.cut == Cut::Features && info.test.is_plain() && model.has_features();
    let trust = if is_read && job.train.preprocess() == job.val.preprocess() {
        let tell = Tell {
            of_val: &|order, tick| told_of_features(model, val, order, tick),
            of_train: &|order, tick| told_of_features(model, train, order, tick),
        };
        let kept = if bank && model.features() <= MOST_FEATURES { kept(job.train, seed) } else { Vec::new() };
        found(model, info, val.subset(), &kept, &tell, &mut progress)
    } else {
        measure(model, info, (job.train, job.val), bank, seed, &mut progress)
    };
    stop_file.and(trust)
}

/// Told how many photos are done.
type Tick<'a> = dyn FnMut(usize) -> Result<()> + 'a;
/// What a network tells of these photos of a part.
type TellOf<'a> = &'a dyn Fn(&[usize], &mut Tick) -> Result<Vec<Told>>;

/// What a network tells of photos.
struct Tell<'a> {
    of_val: TellOf<'a>,
    of_train: TellOf<'a>,
}

fn told_of_features(model: &Model, inputs: &Inputs, order: &[usize], tick: &mut Tick) -> Result<Vec<Told>> {
    let inference = model.inference(Cut::Features, &[model.features()])?;
    let mut found = Vec::with_capacity(order.len());
    for batch in inputs.batches(order, 0)? {
        tick(found.len())?;
        let values = batch?.values;
        let (logits, features): (Vec<Vec<f32>>, Vec<Vec<f32>>) =
            (inference.logits(&values)?.to_vec2()?, values.to_vec2()?);
        let one =
            |(logits, features): (Vec<f32>, _)| Told { energy: energy(&logits), logits, features: Some(features) };
        found.extend(logits.into_iter().zip(features).map(one));
    }
    Ok(found)
}

/// Which training photos' features are kept.
fn kept(train: &Loader, seed: Seed) -> Vec<usize> {
    bank::kept_in_bank(&targets(train.subset()), MOST_IN_BANK, seed)
}

fn targets(of: &Subset) -> Vec<usize> {
    of.samples.iter().map(|sample| sample.target).collect()
}

fn found(
    model: &Model,
    info: &ModelInfo,
    val: &Subset,
    kept: &[usize],
    tell: &Tell,
    progress: &mut dyn Progress,
) -> Result<Trust> {
    let photos = val.samples.len();
    let mut work = Work::new("measuring how far to trust it", Unit::Photos, (photos + kept.len()) as u64);
    let order: Vec<usize> = (0..photos).collect();
    let of_val = (tell.of_val)(&order, &mut |done| work.at(done as u64, progress))?;
    let of_train = (tell.of_train)(kept, &mut |done| work.at((photos + done) as u64, progress))?;
    work.end(progress)?;
    if of_val.iter().chain(&of_train).any(|told| !told.energy.is_finite()) {
        let what = "the network tells numbers of its photos that are not finite";
        return Err(Error::new(ErrorKind::Diverged, what).mend("train it anew with a lower learning rate"));
    }
    let features: Vec<Vec<f32>> = of_train.into_iter().filter_map(|told| told.features).collect();
    let trust = eval::measure(&of_val, &targets(val), info.classes.len(), bank::bank(&features));
    export::trust::belonging(trust, model, info)
}

/// A network, to be asked as its description and these settings say: calibrated, and with more said of each photo, where what is known of it
/// was measured in the same way; else for its raw probabilities, and [`why_raw`] says why.
///
/// # Errors
/// Those of [`Asked::new`].
pub fn asked<'a>(model: &'a Model, info: &'a ModelInfo, how: TrustConfig) -> Result<Asked<'a>> {
    let asked = Asked::new(model, &info.preprocess, &info.test)?;
    match (&info.trust, why_raw(info, how)) {
        (Some(trust), None) => asked.judged(model, Judge::new(trust, how)),
        _ => Ok(asked),
    }
}

/// Why a network is asked for its raw probabilities; none where it isn't.
pub fn why_raw(info: &ModelInfo, how: TrustConfig) -> Option<&'static str> {
    // The size that it was trained with has two names.
    let way = |test: TestConfig| (if test.size == 0 { info.preprocess.size } else { test.size }, test.views);
    match &info.trust {
        _ if how.raw => Some("as they were asked for"),
        None => Some(
            "this model carries no calibration (an earlier petal made it); petal calibrate, or learner.calibrate(), measures one",
        ),
        Some(trust) if way(trust.test) != way(info.test) => {
            Some("the calibration was measured with another size or other views")
        }
        Some(trust) if !export::trust::fits(trust, info) => {
            Some("the calibration was measured with other class names or another preprocessing")
        }
        Some(_) => None,
    }
}
