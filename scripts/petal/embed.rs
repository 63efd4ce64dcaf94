//! `petal embed`

use std::path::PathBuf;

use clap::Args;
use petal::learner::backbone_model;
use petal::nn::store;
use petal::prelude::*;
use petal::{eval, files};
use serde_json::json;

use crate::output::{self, Output, lossy, shown};
use crate::train::weights_from;

/// Which network and photos.
#[derive(Args)]
pub(crate) struct Options {
    /// The pretrained network.
    #[arg(long, value_parser = crate::parsed::<Backbone>)]
    backbone: Backbone,
    /// Its weights: hub, embedded (efficientnet-lite0 only), random, or a safetensors file.
    #[arg(long, default_value = "hub")]
    weights: String,
    /// Folder of photos.
    folder: PathBuf,
    /// The file to write: `features [N, D]` f32, and the file names as JSON in the metadata.
    #[arg(long)]
    out: PathBuf,
}

impl Options {
    /// Writes the features of every photo that can be read. The others get a line on stderr, and exit status 1.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        if !self.folder.is_dir() {
            return Err(Error::new(ErrorKind::Dataset, "there is no such folder").at(&self.folder));
        }
        let config = Config { backbone: self.backbone, weights: weights_from(&self.weights), ..Config::seed() };
        let (model, preprocess) = backbone_model(&config, project)?;
        let photos = eval::predict::photos(std::slice::from_ref(&self.folder))?;
        let (features, unreadable) = eval::predict::embed(&model, &preprocess, &photos, &project.device)?;
        let names: Vec<_> = features.paths.iter().map(|p| lossy(p.strip_prefix(&self.folder).unwrap_or(p))).collect();
        let dims = features.values.dims().to_vec();
        let metadata = json!({ "backbone": self.backbone.name(), "files": names }).to_string();
        store::write(&self.out, &[("features".to_string(), features.values)].into(), &metadata)?;
        let text = format!("features {dims:?} of {} photos: {}\n", names.len(), shown(&self.out));
        let sha256 = files::sha256_file(&self.out)?;
        let bad = output::unreadable(&unreadable);
        let json =
            json!({ "out": lossy(&self.out), "shape": dims, "sha256": sha256, "files": names, "unreadable": bad });
        Ok(Output::done(text, json).but(&unreadable))
    }
}
