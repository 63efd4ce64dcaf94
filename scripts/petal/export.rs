//! `petal export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use petal::config::Limits;
use petal::eval;
use petal::export::onnx::{self, Options as How, Pixels, Weights};
use petal::files::{self, output};
use petal::nn::codec;
use petal::prelude::*;
use serde_json::json;

use crate::LimitOptions;
use crate::model::TestOptions;
use crate::output::{Output, lossy};
use crate::progress::Bars;

/// Which model, and as what.
#[derive(Args)]
pub(crate) struct Options {
    /// The model file, a run's folder, or a run's name.
    #[arg(long)]
    model: PathBuf,
    /// Write an ONNX file here, and a reference beside it; docs/ONNX.md says what is in them. - is the standard output, without the reference.
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
    /// In what numbers it takes pictures, 0 to 255: u8 or f32.
    #[arg(long, default_value = "u8", value_parser = crate::parsed::<Pixels>)]
    input: Pixels,
    /// How its weights are stored.
    #[arg(long, value_enum, default_value = "f32")]
    precision: Precision,
    /// For int8: photos, or folders of photos, that the model was trained on; 64 of them tell between which numbers its maps lie. Default: the photos of data/train.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    calibrate: Vec<PathBuf>,
    #[command(flatten)]
    test: TestOptions,
}

/// How weights are stored.
#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    /// As petal has them.
    F32,
    /// Rounded to 16 bits; everything is computed in f32.
    F16,
    /// Rounded to 8 bits, maps too, for programs that compute in whole numbers.
    Int8,
}

impl Options {
    /// Writes the file.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        let file = crate::model::file(project, &self.model)?;
        let (model, info) = crate::model::load(project, &self.model, &self.test)?;
        let weights = match self.precision {
            Precision::F32 => Weights::F32,
            Precision::F16 => Weights::F16,
            Precision::Int8 => {
                let given = if self.calibrate.is_empty() { vec![project.data.join("train")] } else { self.calibrate };
                let photos = eval::predict::photos(&given)?.photos;
                let limits = limits.over(Limits::default());
                Weights::Int8(onnx::ranges(&model, &info, &photos, &limits, &mut Bars::default())?)
            }
        };
        let sha256 = files::sha256(&codec::read_bytes(&file)?);
        let written = onnx::write(&model, &info, &sha256, &How { input: self.input, weights }, &self.onnx)?;
        let json = json!({
            "onnx": lossy(&written.path),
            "reference": written.reference.as_ref().map(lossy),
            "bytes": written.bytes,
            "sha256": written.sha256,
            "model": lossy(&file),
            "model_sha256": sha256,
            "network": info.name(),
            "input": self.input.name(),
            "precision": written.words.split(' ').next(),
        });
        Ok(Output::done(written.text(), json).aside(output::is_standard(&self.onnx)))
    }
}
