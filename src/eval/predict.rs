//! Predictions and features for any photos, with a clear line for each that cannot be read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::Prediction;
use super::asked::Asked;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, Identity};
use crate::base::work::{Progress, Unit, Work};
use crate::data::{is_hidden, photo};
use crate::models::{Cut, Model};
use crate::pixels::{Limits, Preprocess};

/// A photo that could not be read, and why.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: Error,
}

/// The photos that paths name.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// A file as it is, a folder as all files in it and below, sorted by path. What is not a picture is among them: it gets its line.
    pub photos: Vec<PathBuf>,
    /// Hidden files and folders in these folders, which are not looked into.
    pub hidden: Vec<PathBuf>,
}

/// The photos that paths name. Linked folders are searched, too, each folder once: links in a circle end.
///
/// # Errors
/// [`ErrorKind::Io`] for a folder that cannot be listed.
pub fn photos(paths: &[PathBuf]) -> Result<Named> {
    let mut named = Named::default();
    for path in paths {
        if path.is_dir() { walk(path, &mut named, &mut BTreeSet::new())? } else { named.photos.push(path.clone()) }
    }
    Ok(named)
}

/// Class probabilities of each photo, in order; in a second list those that cannot be read.
///
/// # Errors
/// [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn predict(
    asked: &Asked,
    photos: &[PathBuf],
    limits: &Limits,
    device: &Device,
    progress: &mut dyn Progress,
) -> Result<(Vec<Prediction>, Vec<Unreadable>)> {
    let mut predictions = Vec::with_capacity(photos.len());
    let work = Work::new("predicting", Unit::Photos, photos.len() as u64);
    let unreadable = in_batches(asked.preprocess(), photos, limits, device, (work, progress), |paths, images| {
        let answers = paths.into_iter().zip(asked.answers(images)?);
        predictions.extend(answers.map(|(path, (probabilities, judgement))| Prediction {
            judgement,
            ..Prediction::new(path, None, probabilities)
        }));
        Ok(())
    })?;
    Ok((predictions, unreadable))
}

/// Features of photos: the backbone's pooled output.
#[derive(Clone, Debug)]
pub struct Features {
    /// The files that could be read, in order.
    pub paths: Vec<PathBuf>,
    /// `[N, D]`.
    pub values: Tensor,
}

/// The backbone's pooled output for each photo, in order; in a second value those that cannot be read.
///
/// # Errors
/// [`ErrorKind::Image`] if no photo can be read at all; [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn embed(
    model: &Model,
    preprocess: &Preprocess,
    photos: &[PathBuf],
    limits: &Limits,
    device: &Device,
    progress: &mut dyn Progress,
) -> Result<(Features, Vec<Unreadable>)> {
    let frozen = model.frozen(Cut::Features, preprocess.size, preprocess.size)?;
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    let work = Work::new("computing features", Unit::Photos, photos.len() as u64);
    let unreadable = in_batches(preprocess, photos, limits, device, (work, progress), |paths, images| {
        rows.push(frozen.run(images)?.to_device(&Device::Cpu)?);
        names.extend(paths);
        Ok(())
    })?;
    if rows.is_empty() {
        let why = unreadable.first().map_or("there are none".into(), |first| first.error.to_string());
        return Err(Error::new(ErrorKind::Image, format!("no photo can be read: {why}")));
    }
    Ok((Features { paths: names, values: Tensor::cat(&rows, 0)? }, unreadable))
}

const BATCH: usize = 32;

fn in_batches(
    preprocess: &Preprocess,
    photos: &[PathBuf],
    limits: &Limits,
    device: &Device,
    (mut work, progress): (Work, &mut dyn Progress),
    mut each: impl FnMut(Vec<PathBuf>, &Tensor) -> Result<()>,
) -> Result<Vec<Unreadable>> {
    let mut unreadable = Vec::new();
    for (number, batch) in photos.chunks(BATCH).enumerate() {
        work.at((number * BATCH) as u64, progress)?;
        let read: Vec<Result<Vec<f32>>> = batch.par_iter().map(|path| read(path, preprocess, limits)).collect();
        let (mut paths, mut values) = (Vec::new(), Vec::new());
        for (path, photo) in batch.iter().zip(read) {
            match photo {
                Ok(photo) => {
                    paths.push(path.clone());
                    values.extend(photo);
                }
                Err(error) => unreadable.push(Unreadable { path: path.clone(), error }),
            }
        }
        if !paths.is_empty() {
            let shape = (paths.len(), preprocess.size, preprocess.size, 3);
            let images = Tensor::from_vec(values, shape, device)?.permute((0, 3, 1, 2))?;
            each(paths, &images)?;
        }
    }
    work.end(progress)?;
    Ok(unreadable)
}

fn read(path: &Path, preprocess: &Preprocess, limits: &Limits) -> Result<Vec<f32>> {
    let cropped = preprocess.square(&photo::read(path, limits)?).map_err(|error| error.at(path))?;
    Ok(preprocess.normalize(&cropped))
}

fn walk(folder: &Path, named: &mut Named, seen: &mut BTreeSet<Identity>) -> Result<()> {
    if Identity::of(folder).is_ok_and(|identity| !seen.insert(identity)) {
        return Ok(());
    }
    for path in files::sorted_dir(folder)? {
        match path.is_dir() {
            _ if is_hidden(&path) => named.hidden.push(path),
            true => walk(&path, named, seen)?,
            false => named.photos.push(path),
        }
    }
    Ok(())
}
