//! `petal predict`

use std::path::PathBuf;

use clap::Args;
use petal::config::Limits;
use petal::eval;
use petal::prelude::*;
use petal::train::trust;
use serde_json::json;

use crate::LimitOptions;
use crate::model::TestOptions;
use crate::output::{self, Output, lossy, shown};
use crate::progress::Bars;
use crate::trust::TrustOptions;

/// Which photos.
#[derive(Args)]
pub(crate) struct Options {
    /// The model file, a run's folder, or a run's name.
    #[arg(long)]
    model: PathBuf,
    /// Photos, or folders of photos.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Also write a row for each photo to this CSV file; - is the standard output.
    #[arg(long)]
    csv: Option<PathBuf>,
    #[command(flatten)]
    test: TestOptions,
    #[command(flatten)]
    trust: TrustOptions,
}

impl Options {
    /// One line a photo: probability, class (or several, or `unknown`), file. Files that cannot be read get a line on stderr, and exit status 1.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        let csv = crate::csv::Table::at(self.csv.as_deref())?;
        let (model, info) = crate::model::load(project, &self.model, &self.test)?;
        let how = self.trust.config()?;
        let asked = trust::asked(&model, &info, how)?;
        let eval::predict::Named { photos, hidden } = eval::predict::photos(&self.paths)?;
        let limits = limits.over(Limits::default());
        let (predictions, unreadable) =
            eval::predict::predict(&asked, &photos, &limits, &project.device, &mut Bars::default())?;
        let (mut text, mut rows) = (String::new(), Vec::new());
        for prediction in &predictions {
            let (class, probability) = prediction.best();
            let (said, path) = (self.trust.said(prediction, &info.classes), shown(&prediction.path));
            text += &format!("{:5.1} %  {said:<14} {path}\n", 100.0 * probability);
            rows.push(json!({
                "path": lossy(&prediction.path),
                "class": info.classes[class],
                "probability": probability,
                "probabilities": prediction.probabilities,
                "trust": crate::trust::json(prediction.judgement.as_ref(), &info.classes),
            }));
        }
        text += &crate::trust::note(&info, how);
        text += &csv.write(&info.classes, &predictions)?;
        let bad = output::unreadable(&unreadable);
        text += &output::hidden(&hidden);
        let hidden: Vec<String> = hidden.iter().map(lossy).collect();
        let json = json!({ "classes": info.classes, "predictions": rows, "unreadable": bad, "hidden": hidden });
        Ok(Output::done(text, json).aside(csv.is_standard()).but(&unreadable))
    }
}
