//! `petal push`

use std::path::PathBuf;

use clap::Args;
use petal::config::WeightsFrom;
use petal::export::hub::write_folder;
use petal::files::signed::{Standing, standing_at};
use petal::models::Hub;
use petal::models::hub::push::push;
use petal::prelude::*;
use serde_json::json;

use crate::model::TestOptions;
use crate::output::{Output, lossy, shown};
use crate::progress::Bars;

/// Which model, and where to.
#[derive(Args)]
pub(crate) struct Options {
    /// The model file, a run's folder, or a run's name.
    #[arg(long)]
    model: PathBuf,
    /// The repository on the hub, owner/name. Without it, the folder is written and nothing is sent.
    #[arg(long, value_parser = repository)]
    to: Option<String>,
    /// The folder that is written first: the model file, the same as ONNX, its card and config.json.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Make the repository a private one, where there is none yet.
    #[arg(long)]
    private: bool,
    #[command(flatten)]
    test: TestOptions,
}

/// Lets clap check a repository's name.
fn repository(text: &str) -> std::result::Result<String, String> {
    WeightsFrom::repository(text).map(|_| text.to_owned()).map_err(|error| error.in_a_line())
}

impl Options {
    /// Writes the folder, and sends it where that is asked for.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let (model, info) = crate::model::load(project, &self.model, &self.test)?;
        let file = crate::model::file(project, &self.model)?;
        // The run's own card, but for one that a person has written on.
        let record = crate::model::record(project, &file, &info)?;
        let written = match &record {
            Some(record) if matches!(standing_at(&record.card_file())?, Standing::Changed(_) | Standing::Foreign) => {
                Some(petal::files::read(&record.card_file())?)
            }
            _ => None,
        };
        let written = written.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let is_own = written.is_some();
        let made = write_folder(&model, &info, &self.folder, |name, sha256| {
            written.or_else(|| record.as_ref().map(|record| record.card_of(name, sha256)))
        })?;
        let names: Vec<&str> = made.files.iter().map(|file| file.name.as_str()).collect();
        let mut text = format!("folder {}: {}\n", shown(&made.folder), names.join(", "));
        if is_own {
            text += "its README.md is the run's card as somebody has changed it\n";
        }
        if record.is_none() {
            text +=
                "no README.md: the run that this model is from is not here, so nothing is known to write a card from\n";
        }
        if let Some(why) = &made.without_onnx {
            text += &format!("no model.onnx: {why}\n");
        }
        let mut json = json!({ "folder": lossy(&made.folder), "files": names, "model_sha256": made.sha256 });
        match &self.to {
            None => text += "nothing was sent; --to owner/name sends it, or by hand: hf upload owner/name FOLDER\n",
            Some(repository) => {
                let summary = format!("{} by petal {}", info.name(), env!("CARGO_PKG_VERSION"));
                let pushed =
                    push(&Hub::from_env()?, repository, &made.files, &summary, self.private, &mut Bars::default())?;
                text += &format!("sent to {}\n", pushed.url);
                text += &format!("to use it: petal predict --model hf:{repository} photo.jpg\n");
                json["url"] = pushed.url.into();
                json["commit"] = pushed.commit.into();
                json["sent_bytes"] = pushed.sent.into();
            }
        }
        Ok(Output::done(text, json))
    }
}
