//! `petal download-dataset`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use petal::data::Dataset;
use petal::prelude::*;
use petal::{Progress, Unit, Work};
use serde_json::json;

use crate::output::{Output, lossy};
use crate::progress::Bars;

/// Which photos.
#[derive(Args)]
pub(crate) struct Options {
    /// The TF Flowers photos (229 MB), or drawn flowers.
    #[arg(long, value_enum, default_value = "tf-flowers")]
    source: Which,
    /// Unpack this archive instead of downloading one.
    #[arg(long, conflicts_with = "source")]
    archive: Option<PathBuf>,
    /// Drawn flowers a class.
    #[arg(long, default_value_t = 200)]
    per_class: usize,
    /// Seed of the drawn flowers.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Put an archive in the place of another that was unpacked before.
    #[arg(long, requires = "archive")]
    replace: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Which {
    TfFlowers,
    Synthetic,
}

impl Options {
    /// Fetches, verifies and unpacks; a second run finds everything there.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let mut bars = Bars::default();
        let mut downloaded = 0;
        let mut progress = |work: &Work| {
            if work.unit == Unit::Bytes {
                downloaded = work.done;
            }
            bars.tell(work)
        };
        let dataset = if let Some(archive) = &self.archive {
            Dataset::from_archive_with(project, archive, self.replace, &mut progress)?
        } else {
            let source = match self.source {
                Which::TfFlowers => Source::TfFlowers,
                Which::Synthetic => Source::Synthetic { per_class: self.per_class },
            };
            let config = Config { source, seed: self.seed, ..Config::seed() };
            config.check()?;
            Dataset::fetch_with(project, &config, &mut progress)?
        };
        drop(bars);
        let json = json!({
            "root": lossy(&dataset.root),
            "photos": dataset.samples.len(),
            "classes": dataset.counts(),
            "downloaded_bytes": downloaded,
            "left_out": dataset.left_out,
        });
        let from = if downloaded == 0 { "nothing was downloaded: the photos come from this machine\n" } else { "" };
        Ok(Output::done(format!("{from}{}", dataset.view().without_hints().text()), json))
    }
}
