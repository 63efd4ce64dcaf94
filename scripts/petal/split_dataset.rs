//! `petal split-dataset`

use std::path::{Path, PathBuf};

use clap::Args;
use petal::data::Dataset;
use petal::{files, prelude::*};
use serde_json::json;

use crate::output::{Output, lossy};

/// How to split.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder with one folder of photos per class; without it, what `download-dataset` put into the data folder.
    #[arg(long)]
    photos: Option<PathBuf>,
    /// Seed of the split.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Replace a split that was made otherwise.
    #[arg(long)]
    replace: bool,
}

impl Options {
    /// Verifies every photo, then splits 80/10/10; a second run changes nothing.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let folder = match &self.photos {
            Some(folder) => folder.clone(),
            None => only_folder(&project.data.join("raw"))?,
        };
        let dataset = Dataset::folder(&folder)?;
        let config = Config { seed: self.seed, ..Config::seed() };
        let splits = if self.replace { dataset.resplit(project, &config)? } else { dataset.split(project, &config)? };
        let json = json!({
            "data": lossy(&splits.root),
            "classes": splits.classes.to_vec(),
            "train": splits.train.samples.len(),
            "val": splits.val.samples.len(),
            "test": splits.test.samples.len(),
            "duplicates": splits.duplicates,
            "conflicts": splits.conflicts,
            "left_out": splits.left_out,
            "decided": splits.decided,
        });
        Ok(Output::done(format!("{}\nnext: petal train\n", splits.view().without_hints().text().trim_end()), json))
    }
}

fn only_folder(raw: &Path) -> Result<PathBuf> {
    let mend = "run `petal download-dataset` first, or name your folder with --photos";
    if !raw.is_dir() {
        return Err(Error::new(ErrorKind::Dataset, "there are no photos yet").at(raw).mend(mend));
    }
    // A hidden folder is what a killed run left.
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let folders: Vec<_> = files::sorted_dir(raw)?.into_iter().filter(|path| path.is_dir() && !hidden(path)).collect();
    match folders.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Error::new(ErrorKind::Dataset, "there are no photos yet").at(raw).mend(mend)),
        several => {
            let names: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            let what = format!("there are several sets of photos: {}", names.join(", "));
            Err(Error::new(ErrorKind::Dataset, what).at(raw).mend("name one with --photos"))
        }
    }
}
