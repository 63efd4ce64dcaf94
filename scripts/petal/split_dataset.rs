//! `petal split-dataset`

use std::path::{Path, PathBuf};

use clap::Args;
use petal::data::{Dataset, left_out};
use petal::{files, prelude::*};
use serde_json::{Value, json};

use crate::LimitOptions;
use crate::output::{Output, lossy};
use crate::photos::Photos;
use crate::progress::Bars;

/// How to split.
#[derive(Args)]
pub(crate) struct Options {
    /// Without --photos or --labels: what `download-dataset` put into the data folder.
    #[command(flatten)]
    photos: Photos,
    /// Seed of the split.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Draw the split anew from the photos that it holds: those that they came from may be gone.
    #[arg(long, conflicts_with_all = ["photos", "labels", "replace"])]
    redraw: bool,
}

impl Options {
    /// Verifies every photo, then splits 80/10/10; a second run changes nothing.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        let config = Config { seed: self.seed, ..Config::seed() };
        let config = self.photos.over(Config { limits: limits.over(config.limits), ..config });
        let splits = if self.redraw {
            Splits::open(&project.data)?.redraw_with(project, &config, &mut Bars::default())?
        } else {
            let photos = match self.photos.source() {
                Some(source) => {
                    Dataset::fetch_with(project, &Config { source, ..config.clone() }, &mut Bars::default())?
                }
                None => Dataset::fetched(project, &only_folder(&project.data.join("raw"))?, &config)?,
            };
            self.photos.split(project, &config, &photos)?
        };
        let text = format!("{}\nnext: petal train\n", splits.view().without_hints().text().trim_end());
        Ok(Output::done(text, told(&splits)))
    }
}

/// A split for machines.
pub(crate) fn told(splits: &Splits) -> Value {
    let made_with = &splits.made_with;
    let counts = left_out::grouped(&made_with.left_out).into_iter().map(|(why, names)| (why, names.len()));
    json!({
        "data": lossy(&splits.root),
        "source": made_with.source,
        "classes": splits.classes.to_vec(),
        "train": splits.train.samples.len(),
        "val": splits.val.samples.len(),
        "test": splits.test.samples.len(),
        "given": made_with.given,
        "drawn": made_with.drawn,
        "leaks": made_with.leaks,
        "duplicates": made_with.duplicates,
        "duplicates_are": made_with.duplicates_are,
        "duplicate_threshold": made_with.duplicate_threshold,
        "pairs": made_with.pairs,
        "split_up": made_with.split_up,
        "conflicts": made_with.conflicts,
        "left_out": made_with.left_out,
        "left_out_counts": counts.collect::<std::collections::BTreeMap<String, usize>>(),
        "decided": made_with.decided,
    })
}

/// The one folder of photos below the data folder's `raw`.
pub(crate) fn only_folder(raw: &Path) -> Result<PathBuf> {
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
