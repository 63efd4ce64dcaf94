//! Whose photos a command works on.

use std::path::PathBuf;

use clap::Args;
use petal::data::Dataset;
use petal::prelude::*;

use crate::progress::Bars;

/// Photos of one's own.
#[derive(Args)]
pub(crate) struct Photos {
    /// Folder with one folder of photos per class, or with folders train, val and test that have them.
    #[arg(long)]
    photos: Option<PathBuf>,
    /// Table (CSV) with the columns path and label, and split where the parts are given; the paths begin in the folder of the photos, which is the
    /// table's own unless --photos names another.
    #[arg(long)]
    labels: Option<PathBuf>,
    /// Replace a split that was made otherwise.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Photos that show the same, also resized, recoloured, mirrored or cropped a little: in one part (together), only told (report), or not
    /// looked for (off). Without it, together.
    #[arg(long, value_parser = crate::parsed::<Duplicates>)]
    duplicates: Option<Duplicates>,
    /// How alike two photos are at least, where they differ most, to be taken for the same: 0 to 1. Without it, 0.75.
    #[arg(long, value_name = "LIKENESS")]
    duplicate_threshold: Option<f64>,
}

impl Photos {
    /// Where the photos come from; none where neither a folder nor a table is named.
    pub(crate) fn source(&self) -> Option<Source> {
        match (&self.labels, &self.photos) {
            (Some(table), photos) => {
                let beside =
                    || table.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(".".into(), PathBuf::from);
                Some(Source::Labels { table: table.clone(), photos: photos.clone().unwrap_or_else(beside) })
            }
            (None, Some(photos)) => Some(Source::Folder(photos.clone())),
            (None, None) => None,
        }
    }

    /// The settings with what was asked for.
    pub(crate) fn over(&self, mut config: Config) -> Config {
        let split = &mut config.split;
        split.duplicates = self.duplicates.unwrap_or(split.duplicates);
        split.duplicate_threshold = self.duplicate_threshold.unwrap_or(split.duplicate_threshold);
        config
    }

    /// The split that is there, where it was made as is asked for.
    pub(crate) fn open(&self, project: &Project, config: &Config) -> Result<Splits> {
        let splits = Splits::open(&project.data)?;
        if self.duplicates.is_some() || self.duplicate_threshold.is_some() {
            splits.made_with.check_duplicates(&config.split).map_err(|error| error.at(&splits.root))?;
        }
        Ok(splits)
    }

    /// The splits to work on: of the photos that are named, which the settings then say, too; else those that are in the data folder.
    pub(crate) fn splits(&self, project: &Project, config: &mut Config) -> Result<Splits> {
        let Some(source) = self.source() else { return self.open(project, config) };
        config.source = source;
        let photos = Dataset::fetch_with(project, config, &mut Bars::default())?;
        let splits = self.split(project, config, &photos)?;
        eprintln!("{}", splits.view().without_hints().text().trim_end());
        Ok(splits)
    }

    /// Splits these photos, or finds that it was done.
    pub(crate) fn split(&self, project: &Project, config: &Config, photos: &Dataset) -> Result<Splits> {
        let mut bars = Bars::default();
        if self.replace {
            photos.resplit_with(project, config, &mut bars)
        } else {
            photos.split_with(project, config, &mut bars)
        }
    }
}
