//! `petal embed`

use std::path::PathBuf;

use clap::Args;
use petal::config::Fit;
use petal::eval;
use petal::files::{self, output};
use petal::learner::backbone_model;
use petal::nn::codec;
use petal::prelude::*;
use serde_json::json;

use crate::LimitOptions;
use crate::output::{Output, lossy, shown, unreadable as unreadable_json};
use crate::progress::Bars;

/// Which network and photos.
#[derive(Args)]
pub(crate) struct Options {
    /// The pretrained network, or a repository of timm's with weights of one: hf:owner/name.
    #[arg(long, value_parser = crate::named)]
    backbone: String,
    /// Its weights: hub, embedded (efficientnet-lite0 only), random, hf:owner/name, or a safetensors file.
    #[arg(long, default_value = "hub", value_parser = crate::parsed::<WeightsFrom>)]
    weights: WeightsFrom,
    /// How a photo becomes the square that the network sees: crop, squash or pad.
    #[arg(long, default_value = "crop", value_parser = crate::parsed::<Fit>)]
    fit: Fit,
    /// Folder of photos.
    folder: PathBuf,
    /// The file to write: `features [N, D]` f32, and the file names as JSON in the metadata.
    #[arg(long)]
    out: PathBuf,
}

impl Options {
    /// Writes the features of every photo that can be read. The others get a line on stderr, and exit status 1.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        if !self.folder.is_dir() {
            return Err(Error::new(ErrorKind::Dataset, "there is no such folder").at(&self.folder));
        }
        output::check_free(&self.out, FEATURES)?;
        let config = Config { weights: self.weights, fit: self.fit, ..Config::seed() };
        let config = config.with_network(&self.backbone, project)?;
        let (model, preprocess) = backbone_model(&config, project)?;
        let eval::predict::Named { photos, hidden } = eval::predict::photos(std::slice::from_ref(&self.folder))?;
        let (features, unreadable) = eval::predict::embed(
            &model,
            &preprocess,
            &photos,
            &limits.over(config.limits),
            &project.device,
            &mut Bars::default(),
        )?;
        let names: Vec<_> = features.paths.iter().map(|p| lossy(p.strip_prefix(&self.folder).unwrap_or(p))).collect();
        let dims = features.values.dims().to_vec();
        let metadata = json!({ "backbone": config.backbone.name(), "files": names }).to_string();
        let bytes = codec::to_bytes(&[("features".to_string(), features.values)].into(), &metadata)?;
        output::write(&self.out, FEATURES, &bytes)?;
        let mut text = format!("features {dims:?} of {} photos: {}\n", names.len(), shown(&self.out));
        text += &crate::output::hidden(&hidden);
        let sha256 = files::sha256(&bytes);
        let bad = unreadable_json(&unreadable);
        let hidden: Vec<String> = hidden.iter().map(lossy).collect();
        let json = json!({ "hidden": hidden, "out": lossy(&self.out), "shape": dims, "sha256": sha256, "files": names, "unreadable": bad });
        Ok(Output::done(text, json).aside(output::is_standard(&self.out)).but(&unreadable))
    }
}

/// A file of features, so that an earlier one is told from other files: petal's own description comes first, and says of which network.
const FEATURES: output::Kind = output::Kind {
    name: "a file of features",
    is: |bytes| bytes.get(8..).is_some_and(|header| header.starts_with(br#"{"__metadata__":{"petal":"{\"backbone\""#)),
};
