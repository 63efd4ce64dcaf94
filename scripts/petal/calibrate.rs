//! `petal calibrate`

use std::path::PathBuf;

use clap::Args;
use petal::data::{Loader, Split, Splits};
use petal::export::{self, ModelInfo};
use petal::files::{self, output};
use petal::prelude::*;
use petal::train::{run, trust};
use serde_json::json;

use crate::output::{Output, lossy, shown};
use crate::progress::Bars;

/// Which model.
#[derive(Args)]
pub(crate) struct Options {
    /// The model file, a run's folder, or a run's name.
    #[arg(long)]
    model: PathBuf,
    /// The file to write; without it, the model file itself is written anew.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure on the validation photos of another split than the model was trained with: only where it has learned from none of them.
    #[arg(long)]
    other_photos: bool,
    /// Leave the features of training photos out of the file: unknown photos are told by their energy then.
    #[arg(long)]
    without_bank: bool,
    /// The seed by which the training photos are drawn whose features are kept, where they are many.
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

impl Options {
    /// Measures on the validation photos how far the model can be trusted, and writes it into the file.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let from = crate::model::file(project, &self.model)?;
        let to = self.out.as_ref().unwrap_or(&from);
        output::check_free(to, export::MODEL_FILE)?;
        let (model, info) = export::load_untrusted(&from, &project.device)?;
        let splits = Splits::open(&project.data)?;
        crate::evaluate::check_classes(&splits, &info, &from)?;
        let run = crate::model::record(project, &from, &info)?;
        if !self.other_photos && run.is_some_and(|run| crate::model::has_other_photos(&run, &splits)) {
            let what = "this split is not the one that the model was trained with: it may have learned from its validation photos";
            return Err(Error::new(ErrorKind::Dataset, what).at(&from).mend(
                "name the folder of the split that it was trained with (--data), or --other-photos where it has learned from none of these",
            ));
        }
        let loader = |part: Split| Loader::new(splits.get(part), info.preprocess, 32, &project.device);
        let (train, val) = (loader(Split::Train), loader(Split::Val));
        let found =
            trust::measure(&model, &info, (&train, &val), !self.without_bank, Seed(self.seed), &mut Bars::default())?;
        let bank = found.bank.as_ref().map_or(0, |bank| bank.bytes());
        let temperature = found.temperature;
        let mut text = format!("{}\nmodel file {}\n", found.view().without_hints().text(), shown(to));
        let info = ModelInfo { trust: Some(found), ..info };
        let bytes = export::to_bytes(&model, &info)?;
        output::write(to, export::MODEL_FILE, &bytes)?;
        run::record::note_model(to)?;
        // A card names its model by hash.
        if let Some(run) = crate::model::record(project, to, &info)?.filter(|_| to.is_file()) {
            let is_own = to.parent() == Some(run.folder.as_path());
            let card = if is_own { run.write_card()? } else { run.write_card_beside(to, &files::sha256(&bytes))? };
            text += &format!("its model card {}\n", card.words());
        }
        let json =
            json!({ "model": lossy(to), "temperature": temperature, "bank_bytes": bank, "file_bytes": bytes.len() });
        Ok(Output::done(text, json))
    }
}
