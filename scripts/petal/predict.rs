//! `petal predict`

use std::path::PathBuf;

use clap::Args;
use petal::prelude::*;
use petal::{eval, models};
use serde_json::json;

use crate::output::{self, Output, lossy, shown};

/// Which photos.
#[derive(Args)]
pub(crate) struct Options {
    /// The model file.
    #[arg(long)]
    model: PathBuf,
    /// Photos, or folders of photos.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Also write a row for each photo to this CSV file.
    #[arg(long)]
    csv: Option<PathBuf>,
}

impl Options {
    /// One line a photo: probability, class, file. Files that cannot be read get a line on stderr, and exit status 1.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let (model, info) = models::load(&self.model, &project.device)?;
        let photos = eval::predict::photos(&self.paths)?;
        let (predictions, unreadable) = eval::predict::predict(&model, &info.preprocess, &photos, &project.device)?;
        let (mut text, mut rows) = (String::new(), Vec::new());
        for prediction in &predictions {
            let (class, probability) = prediction.best();
            let (name, path) = (&info.classes[class], shown(&prediction.path));
            text += &format!("{:5.1} %  {name:<14} {path}\n", 100.0 * probability);
            rows.push(json!({
                "path": lossy(&prediction.path),
                "class": name,
                "probability": probability,
                "probabilities": prediction.probabilities,
            }));
        }
        if let Some(path) = &self.csv {
            eval::evaluation::write_predictions(path, &info.classes, &predictions)?;
        }
        let bad = output::unreadable(&unreadable);
        let json = json!({ "classes": info.classes, "predictions": rows, "unreadable": bad });
        Ok(Output::done(text, json).but(&unreadable))
    }
}
