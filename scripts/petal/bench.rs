//! `petal bench`

use std::path::PathBuf;
use std::time::Instant;

use candle_core::{Device, Tensor};
use clap::Args;
use petal::config::Precision;
use petal::learner::backbone_model;
use petal::models::{Architecture, Cut, Model};
use petal::prelude::*;
use petal::train::AtCut;
use petal::{Purpose, files, pixels};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::output::Output;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// The pretrained network.
    #[arg(long, value_parser = crate::parsed::<Backbone>, default_value = "resnet50")]
    backbone: Backbone,
    /// Its weights; the numbers do not matter for speed.
    #[arg(long, default_value = "random", value_parser = crate::parsed::<WeightsFrom>)]
    weights: WeightsFrom,
    /// In what numbers the networks multiply: f32 or bf16.
    #[arg(long, value_parser = crate::parsed::<Precision>, default_value = "f32")]
    precision: Precision,
    /// Photos a step.
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Folder of photos to decode; without one, decoding is not measured.
    #[arg(long)]
    photos: Option<PathBuf>,
    /// Measure only what has this in its name: "forward", "phase-2", "all-layers", "baseline", …
    #[arg(long, default_value = "")]
    only: String,
    /// Repetitions of each measurement; the median counts.
    #[arg(long, default_value_t = 5)]
    times: usize,
}

impl Options {
    /// Measures each rate in photos a second: the median of the repetitions after one that is not counted.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let config = Config {
            backbone: self.backbone,
            weights: self.weights.clone(),
            precision: self.precision,
            ..Config::seed()
        };
        let (model, preprocess) = backbone_model(&config, project)?;
        let side = preprocess.size;
        let images = images(self.batch, side, &project.device)?;
        let targets: Vec<u32> = (0..self.batch as u32).map(|i| i % 5).collect();
        let targets = Tensor::from_vec(targets, self.batch, &project.device)?;
        let mut rates: Vec<(&str, f64)> = Vec::new();
        let mut names = Vec::new();
        let mut measure = |name: &'static str, work: &mut dyn FnMut() -> Result<f64>| -> Result<()> {
            names.push(name);
            if name.contains(&self.only) {
                rates.push((name, work()?));
            }
            Ok(())
        };
        if let Some(folder) = &self.photos {
            measure("decode", &mut || decode_rate(folder, &preprocess, self.times))?;
        }
        measure("forward", &mut || {
            let frozen = model.frozen(Cut::Features, side, side)?;
            rate(self.batch, self.times, || frozen.run(&images).map(drop))
        })?;
        let mut step = |name, model: &Model, cut, cached| -> Result<()> {
            measure(name, &mut || step_rate(model, &images, &targets, cut, cached, self.times))
        };
        step("phase-1 step", &model, Cut::Features, false)?;
        step("phase-1 step, cached", &model, Cut::Features, true)?;
        if model.frozen(Cut::Upper, side, side).is_ok() {
            step("phase-2 step", &model, Cut::Upper, false)?;
            step("phase-2 step, cached", &model, Cut::Upper, true)?;
            step("all-layers step", &model, Cut::Images, true)?;
        }
        let architecture = Architecture::Baseline { classes: 5, image_size: side };
        step(
            "baseline step",
            &Model::new(&architecture, Seed(0), &project.device)?.in_precision(self.precision)?,
            Cut::Images,
            true,
        )?;
        if rates.is_empty() {
            let mut known = names;
            if self.photos.is_none() {
                known.insert(0, "decode (with --photos)");
            }
            return Err(Error::unknown("only", &self.only, &known));
        }

        let mut text = format!(
            "{}, {}, batch {}, {} threads\n",
            self.backbone,
            self.precision.name(),
            self.batch,
            project.machine.threads
        );
        for (name, rate) in &rates {
            text += &format!("{name:<22} {rate:8.1} img/s\n");
        }
        text += &format!("peak memory            {:8.0} MB\n", petal::project::peak_memory().unwrap_or(0) as f64 / 1e6);
        if self.precision.is_f32() && petal::kernels::has_bf16() {
            text += "this processor has instructions for bf16: see --precision bf16\n";
        }
        let rates: serde_json::Map<String, Value> = rates.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        let json = json!({
            "backbone": self.backbone.name(),
            "precision": self.precision.name(),
            "batch": self.batch,
            "threads": project.machine.threads,
            "images_per_second": rates,
            "peak_memory_bytes": petal::project::peak_memory(),
        });
        Ok(Output::done(text, json))
    }
}

/// Photos a second of a network with random weights, at its own size: forward, and through a training step of all layers.
pub(crate) fn speeds(backbone: Backbone, precision: Precision, project: &Project) -> Result<[f64; 2]> {
    const BATCH: usize = 16;
    let config = Config { backbone, weights: WeightsFrom::Random, precision, ..Config::seed() };
    let (model, preprocess) = backbone_model(&config, project)?;
    let side = preprocess.size;
    let images = images(BATCH, side, &project.device)?;
    let targets = Tensor::from_vec((0..BATCH as u32).map(|i| i % 5).collect::<Vec<_>>(), BATCH, &project.device)?;
    let frozen = model.frozen(Cut::Features, side, side)?;
    let forward = rate(BATCH, 3, || frozen.run(&images).map(drop))?;
    Ok([forward, step_rate(&model, &images, &targets, Cut::Images, true, 3)?])
}

fn images(batch: usize, side: usize, device: &Device) -> Result<Tensor> {
    let mut stream = Seed(0).stream(Purpose::Examples, 0, 0);
    let values: Vec<f32> = (0..batch * side * side * 3).map(|_| stream.range(-2.0, 2.0) as f32).collect();
    Ok(Tensor::from_vec(values, (batch, side, side, 3), device)?.permute((0, 3, 1, 2))?)
}

/// A training step from the images on, or from what a cache would hold.
fn step_rate(model: &Model, images: &Tensor, targets: &Tensor, cut: Cut, cached: bool, times: usize) -> Result<f64> {
    // The recipe's fine-tuning rate. A much smaller one would make numbers so small that the processor slows down.
    let phase = Phase::new("bench", cut, PhaseConfig::new(1, 1, 1e-5));
    let mut steps = Steps::new(model, &phase, Seed(0), times + 1)?;
    let (_, _, height, width) = images.dims4()?;
    let frozen = (cut != Cut::Images).then(|| model.frozen(cut, height, width)).transpose()?;
    let compute = || frozen.as_ref().map_or_else(|| Ok(images.clone()), |frozen| frozen.run(images));
    let kept = compute()?;
    let photos = targets.dim(0)?;
    rate(photos, times, || {
        let values = if cached { kept.clone() } else { compute()? };
        let batch = AtCut::new(values, targets.clone(), (0..photos).collect());
        steps.take(0, 0, batch).map(drop)
    })
}

fn decode_rate(folder: &std::path::Path, preprocess: &pixels::Preprocess, times: usize) -> Result<f64> {
    let mut photos = petal::eval::predict::photos(&[folder.to_path_buf()])?.photos;
    photos.truncate(256);
    rate(photos.len(), times, || {
        let read = photos.par_iter().filter(|path| {
            let photo = files::read(path).and_then(|bytes| pixels::decode(&bytes, &pixels::Limits::default()));
            photo.and_then(|photo| preprocess.square(&photo)).map(|cropped| preprocess.normalize(&cropped)).is_ok()
        });
        match read.count() {
            0 => Err(Error::new(ErrorKind::Image, "no photo can be read").at(folder)),
            _ => Ok(()),
        }
    })
}

fn rate(photos: usize, times: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut seconds = Vec::with_capacity(times);
    for _ in 0..times.max(1) {
        let started = Instant::now();
        work()?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(photos as f64 / seconds[seconds.len() / 2])
}
