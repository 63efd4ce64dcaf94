//! One pass over all photos: each is read and decoded once, for all that is asked of it.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::base::error::Result;
use crate::base::work::{Progress, Unit, Work};
use crate::data::verify::Checked;
use crate::data::{Dataset, Facts, LeftOut, Sample, photo};
use crate::models::{Cut, Model};
use crate::nn::convex::Rows;
use crate::pixels::{Limits, Preprocess};

/// Photos that go through the network at once, and between two safe points.
const AT_ONCE: usize = 64;

/// What the pass has found, photo by photo.
pub(super) struct Pass {
    pub(super) checked: Vec<Checked>,
    pub(super) facts: Vec<Facts>,
    pub(super) features: Rows,
    pub(super) bad: BTreeMap<String, LeftOut>,
}

/// Looks at every photo of a set, in its order. What cannot be read is listed.
pub(super) fn at_all(
    photos: &Dataset,
    model: &Model,
    preprocess: &Preprocess,
    progress: &mut dyn Progress,
) -> Result<Pass> {
    let (size, device) = (preprocess.size, model.device());
    let frozen = model.frozen(Cut::Features, size, size)?;
    let features = Rows { width: model.features(), values: Vec::new() };
    let mut pass = Pass { checked: Vec::new(), facts: Vec::new(), features, bad: BTreeMap::new() };
    let mut work = Work::new("looking at every photo", Unit::Photos, photos.samples.len() as u64);
    for (number, samples) in photos.samples.chunks(AT_ONCE).enumerate() {
        work.at((number * AT_ONCE) as u64, progress)?;
        let looked: Vec<_> = samples.par_iter().map(|sample| one(sample, preprocess, &photos.limits)).collect();
        let mut pixels = Vec::new();
        for (sample, found) in samples.iter().zip(looked) {
            match found {
                Ok((checked, facts, own)) => {
                    pass.checked.push(checked);
                    pass.facts.push(facts);
                    pixels.push(own);
                }
                Err(error) => {
                    let bytes = photo::size_of(&sample.path);
                    pass.bad.insert(sample.name.clone(), LeftOut::after(&error).of(bytes));
                }
            }
        }
        if !pixels.is_empty() {
            let images =
                Tensor::from_vec(pixels.concat(), (pixels.len(), size, size, 3), &device)?.permute((0, 3, 1, 2))?;
            let values = frozen.run(&images)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
            pass.features.values.extend(values.into_iter().map(f64::from));
        }
    }
    work.end(progress)?;
    Ok(pass)
}

fn one(sample: &Sample, preprocess: &Preprocess, limits: &Limits) -> Result<(Checked, Facts, Vec<f32>)> {
    let bytes = photo::bytes(&sample.path, limits)?;
    let decoded = photo::decode(&sample.path, &bytes, limits)?;
    let checked = Checked::of(sample, &bytes, &decoded)?;
    let pixels = preprocess.normalize(&preprocess.square(&decoded.picture)?);
    let facts = Facts::of_picture(decoded.picture, &bytes).map_err(|error| error.at(&sample.path))?;
    Ok((checked, facts, pixels))
}
