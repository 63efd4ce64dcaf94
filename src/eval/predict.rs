//! Predictions and features for any photos, with a clear line for each that cannot be read.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::Prediction;
use crate::data::photo;
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::models::{Cut, Model};
use crate::pixels::Preprocess;

/// A photo that could not be read, and why.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: Error,
}

/// The photos that paths name: a file as it is, a folder as all files in it and below (sorted by path, hidden ones left
/// out). What is not a picture is not left out here: it gets its line.
pub fn photos(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() { walk(path, &mut found)? } else { found.push(path.clone()) }
    }
    Ok(found)
}

/// Class probabilities of each photo, in order; in a second list those that cannot be read.
pub fn predict(
    model: &Model,
    preprocess: &Preprocess,
    photos: &[PathBuf],
    device: &Device,
) -> Result<(Vec<Prediction>, Vec<Unreadable>)> {
    let inference = model.inference(Cut::Images, &[3, preprocess.size, preprocess.size])?;
    let mut predictions = Vec::with_capacity(photos.len());
    let unreadable = in_batches(preprocess, photos, device, |paths, images| {
        let probabilities = inference.probabilities(images)?;
        predictions.extend(paths.into_iter().zip(probabilities).map(|(path, probabilities)| Prediction {
            path,
            target: None,
            probabilities,
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
/// [`ErrorKind::Image`] if no photo can be read at all.
pub fn embed(
    model: &Model,
    preprocess: &Preprocess,
    photos: &[PathBuf],
    device: &Device,
) -> Result<(Features, Vec<Unreadable>)> {
    let frozen = model.frozen(Cut::Features, preprocess.size, preprocess.size)?;
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    let unreadable = in_batches(preprocess, photos, device, |paths, images| {
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
    device: &Device,
    mut each: impl FnMut(Vec<PathBuf>, &Tensor) -> Result<()>,
) -> Result<Vec<Unreadable>> {
    let mut unreadable = Vec::new();
    for batch in photos.chunks(BATCH) {
        let read: Vec<Result<Vec<f32>>> = batch.par_iter().map(|path| read(path, preprocess)).collect();
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
    Ok(unreadable)
}

fn read(path: &Path, preprocess: &Preprocess) -> Result<Vec<f32>> {
    let cropped = preprocess.crop(&photo::read(path)?).map_err(|error| error.at(path))?;
    Ok(preprocess.normalize(&cropped))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for path in files::sorted_dir(folder)? {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // A link to a folder could lead round in a circle.
        let is_link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        if hidden || (path.is_dir() && is_link) {
            continue;
        }
        if path.is_dir() { walk(&path, found)? } else { found.push(path) }
    }
    Ok(())
}
