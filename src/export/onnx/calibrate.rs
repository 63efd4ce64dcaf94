//! Between which numbers a network's maps lie, on photos like those that it will see: what 8 bits are spread over.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{asked, merged, normalised};
use crate::base::config::Limits;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::work::{Progress, Unit, Work};
use crate::data::photo;
use crate::export::ModelInfo;
use crate::models::Model;
use crate::nn::onnx::{Graph, Pixels, Ranges, Stored};
use crate::pixels::Preprocess;

/// How many photos are looked at, evenly spread over those that are given.
pub const PHOTOS: usize = 64;

/// Photos that go through the network together.
const BATCH: usize = 4;

/// The least and the greatest number of each map of the network, over [`PHOTOS`] of these photos. Give it photos that it was trained on: nothing may be
/// chosen by those that it is tested with.
///
/// # Errors
/// [`ErrorKind::Config`] where there are no photos; what reading one gives, with its path; [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn ranges(
    model: &Model,
    info: &ModelInfo,
    photos: &[PathBuf],
    limits: &Limits,
    progress: &mut dyn Progress,
) -> Result<Ranges> {
    let preprocess = asked(model, info)?;
    let count = photos.len().min(PHOTOS);
    let photos: Vec<&PathBuf> = (0..count).map(|place| &photos[place * photos.len() / count]).collect();
    if photos.is_empty() {
        let what = "there are no photos to calibrate 8 bits by";
        return Err(Error::new(ErrorKind::Config, what).mend("give photos that the model was trained on"));
    }
    let mut work = Work::new("measuring ranges", Unit::Photos, photos.len() as u64);
    let mut all = Ranges::new();
    for (number, batch) in photos.chunks(BATCH).enumerate() {
        work.at((number * BATCH) as u64, progress)?;
        let read: Vec<Vec<f32>> =
            batch.par_iter().map(|path| read(path, &preprocess, limits)).collect::<Result<_>>()?;
        let shape = (batch.len(), preprocess.size, preprocess.size, 3);
        let sample = Tensor::from_vec(read.concat(), shape, &Device::Cpu)?.permute((0, 3, 1, 2))?.contiguous()?;
        let mut graph = Graph::new(Stored::F32);
        let images = graph.input("images", vec![3, preprocess.size, preprocess.size], Pixels::F32);
        let images = normalised(&mut graph, images, &preprocess, Pixels::F32, Some(sample))?;
        model.onnx(&mut graph, images)?;
        all = merged(all, graph.into_ranges());
    }
    work.end(progress)?;
    Ok(all)
}

fn read(path: &Path, preprocess: &Preprocess, limits: &Limits) -> Result<Vec<f32>> {
    let square = preprocess.square(&photo::read(path, limits)?).map_err(|error| error.at(path))?;
    Ok(preprocess.normalize(&square))
}
