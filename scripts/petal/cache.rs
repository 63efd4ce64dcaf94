//! `petal cache`

use clap::Args;
use petal::prelude::*;
use serde_json::{Value, json};

use crate::output::{Output, lossy};

/// What to do with it.
#[derive(Args)]
pub(crate) struct Options {
    /// Remove all files that no training is reading. They are computed again when they are needed.
    #[arg(long)]
    clear: bool,
}

impl Options {
    /// Shows what frozen layers have computed for the models folder; with `--clear`, what is left of it.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let evicted = if self.clear { Cache::open(project)?.clear()? } else { Default::default() };
        let cache = Cache::open(project)?;
        let files = cache.files.iter().map(|file| {
            json!({
                "path": lossy(&file.path),
                "bytes": file.bytes,
                "made_by": file.made_by,
                "photos": file.photos,
                "in_use": file.in_use,
            })
        });
        let json = json!({
            "folder": lossy(&cache.folder),
            "bytes": cache.bytes(),
            "files": files.collect::<Vec<Value>>(),
            "removed": { "files": evicted.files, "bytes": evicted.bytes },
        });
        let removed = if self.clear { format!("{}\n", evicted.text()) } else { String::new() };
        Ok(Output::done(format!("{removed}{}", cache.view().without_hints().text()), json))
    }
}
