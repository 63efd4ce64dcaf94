//! `petal runs`

use clap::Args;
use petal::prelude::*;
use serde_json::{Value, json};

use crate::output::{Output, lossy};

/// Which runs.
#[derive(Args)]
pub(crate) struct Options {
    /// Show this run alone, with all of its epochs.
    name: Option<String>,
}

impl Options {
    /// Lists all trainings of the models folder, or shows one.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let runs = Runs::open(project)?;
        if let Some(name) = &self.name {
            let run = runs.get(name)?;
            let text =
                format!("{}\n\n{}\n", run.view().without_hints().text(), run.history.view().without_hints().text());
            return Ok(Output::done(text, told(run)));
        }
        let unreadable =
            runs.unreadable.iter().map(|(path, error)| json!({ "path": lossy(path), "error": error.what() }));
        let json = json!({
            "folder": lossy(&runs.folder),
            "best": runs.best().map(|run| run.name.clone()),
            "runs": runs.runs.iter().map(told).collect::<Vec<Value>>(),
            "unreadable": unreadable.collect::<Vec<Value>>(),
        });
        let hint = if runs.runs.is_empty() { "next: petal train\n" } else { "one of them: petal runs NAME\n" };
        Ok(Output::done(format!("{}\n{hint}", runs.view().without_hints().text().trim_end()), json))
    }
}

/// A run for machines.
fn told(run: &RunRecord) -> Value {
    json!({
        "name": run.name,
        "folder": lossy(&run.folder),
        "model": run.made_by.model,
        "model_file": lossy(run.folder.join("best.safetensors")),
        "page": lossy(run.report()),
        "finished": run.is_finished(),
        "epochs": run.history.epochs,
        "ended": run.made_by.ended,
        "metrics": run.metrics,
        "seconds": run.seconds(),
    })
}
