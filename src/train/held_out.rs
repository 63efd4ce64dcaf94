//! What a new head says of photos that it has not learned from.
//!
//! A network that has learned from a photo in the wrong class knows it by heart, and its loss says nothing. So the photos are dealt into
//! parts, and each part is predicted by a head that was trained on the others: the out-of-sample probabilities of confident learning
//! (Northcutt et al. 2021, arXiv:1911.00068).

use std::path::Path;

use candle_core::Tensor;

use super::batch::AtCut;
use super::event::Event;
use super::inputs::{self, Inputs};
use super::phase::Phase;
use super::step::Steps;
use super::values::{Values, set, snapshot};
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};
use crate::base::work::{Progress, Unit, Work};
use crate::data::Loader;
use crate::models::{Cut, Model};

/// Parts that the photos are dealt into.
const FOLDS: usize = 5;

/// Class probabilities of every photo of a loader, in its order, each from a head that was trained on the features of four fifths of the
/// photos, without this one. The heads are trained as [`Config::head`] says, on photos without augmentation.
///
/// `model` has the pretrained backbone and a head of random numbers, which it has again afterwards.
///
/// # Errors
/// What reading photos can give; [`ErrorKind::Diverged`] if a loss is not finite; [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn held_out(
    model: &Model,
    loader: &Loader,
    config: &Config,
    cache: &Path,
    progress: &mut dyn Progress,
) -> Result<Vec<Vec<f32>>> {
    let fresh = snapshot(&model.trainable_vars(Cut::Features)?)?;
    let told = predict_all(model, loader, config, cache, &fresh, progress);
    set(model, &fresh)?;
    told
}

fn predict_all(
    model: &Model,
    loader: &Loader,
    config: &Config,
    cache: &Path,
    fresh: &Values,
    progress: &mut dyn Progress,
) -> Result<Vec<Vec<f32>>> {
    let seed = Seed(config.seed);
    let (features, targets) = features(model, loader, config, cache, progress)?;
    let mut dealt: Vec<usize> = (0..loader.len()).collect();
    seed.stream(Purpose::HeldOut, 0, 0).shuffle(&mut dealt);
    let phase = Phase { epochs: config.head.epochs.max(1), ..Phase::head(config) };
    let mut told = vec![Vec::new(); loader.len()];
    let folds = FOLDS.min(loader.len());
    let mut work =
        Work::new("training heads without the photos that they predict", Unit::Steps, (folds * phase.epochs) as u64);
    for fold in 0..folds {
        let of = |own: bool| -> Vec<usize> {
            let photos = dealt.iter().enumerate().filter(|(place, _)| (place % FOLDS == fold) == own);
            photos.map(|(_, photo)| *photo).collect()
        };
        let (held_out, mut others) = (of(true), of(false));
        set(model, fresh)?;
        let mut steps = Steps::new(model, &phase, seed, phase.epochs * others.len().div_ceil(config.batch_size))?;
        for epoch in 0..phase.epochs {
            work.at((fold * phase.epochs + epoch) as u64, progress)?;
            seed.stream(Purpose::HeldOut, fold as u64 + 1, epoch as u64).shuffle(&mut others);
            for (place, photos) in others.chunks(config.batch_size).enumerate() {
                let batch = AtCut::new(rows(&features, photos)?, rows(&targets, photos)?, photos.to_vec());
                let mut dropout = seed.stream(Purpose::HeldOut, 1 << 32 | fold as u64, steps.taken() as u64);
                let ahead = steps.forward(&steps.at(epoch as u64, place), batch, &mut dropout)?;
                if !ahead.loss.is_finite() {
                    let what = "the loss of a head that looks for wrong labels is not finite";
                    return Err(
                        Error::new(ErrorKind::Diverged, what).mend("lower the learning rate of the head's phase")
                    );
                }
                steps.apply(ahead)?;
            }
        }
        let inference = model.inference(Cut::Features, &features.dims()[1..])?;
        let probabilities = inference.probabilities(&rows(&features, &held_out)?)?;
        for (photo, probabilities) in held_out.into_iter().zip(probabilities) {
            told[photo] = probabilities;
        }
    }
    work.end(progress)?;
    Ok(told)
}

/// Features `[N, D]` and targets `[N]` of all photos, in order.
fn features(
    model: &Model,
    loader: &Loader,
    config: &Config,
    cache: &Path,
    progress: &mut dyn Progress,
) -> Result<(Tensor, Tensor)> {
    let inputs = if config.cache {
        // Features are few; older files of the cache make room for them only where the disk is full.
        let mut work = Work::new("computing features", Unit::Photos, loader.len() as u64);
        let mut tell = |event: &Event| match event {
            Event::Caching { done, .. } => work.at(*done as u64, progress),
            _ => Ok(()),
        };
        let [inputs] = inputs::cached(model, Cut::Features, [(loader, vec![0])], cache, u64::MAX, &mut tell)?;
        inputs
    } else {
        Inputs::direct(model, Cut::Features, loader)?
    };
    let order: Vec<usize> = (0..loader.len()).collect();
    let (mut values, mut targets) = (Vec::new(), Vec::new());
    for batch in inputs.batches(&order, 0)? {
        let batch = batch?;
        values.push(batch.values);
        targets.push(batch.targets);
    }
    Ok((Tensor::cat(&values, 0)?, Tensor::cat(&targets, 0)?))
}

fn rows(of: &Tensor, which: &[usize]) -> Result<Tensor> {
    let index: Vec<u32> = which.iter().map(|&row| row as u32).collect();
    Ok(of.index_select(&Tensor::from_vec(index, which.len(), of.device())?, 0)?)
}
