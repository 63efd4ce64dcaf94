//! Which model file a person means.

use std::path::{Path, PathBuf};

use clap::Args;
use petal::config::TestViews;
use petal::export::{self, ModelInfo};
use petal::prelude::*;

use crate::progress::Bars;

/// How a model is asked.
#[derive(Args)]
pub(crate) struct TestOptions {
    /// Ask the model at this size, in pixels, instead of its own (setting test.size).
    #[arg(long, value_name = "PIXELS")]
    test_size: Option<usize>,
    /// Average over views of each photo: one, flip or crops (setting test.views).
    #[arg(long, value_parser = crate::parsed::<TestViews>)]
    test_views: Option<TestViews>,
}

/// The model that a person means, to be asked as its file says, but for what was given.
pub(crate) fn load(project: &Project, given: &Path, test: &TestOptions) -> Result<(Model, ModelInfo)> {
    let (model, mut info) = export::load(&file(project, given)?, &project.device)?;
    info.test.size = test.test_size.unwrap_or(info.test.size);
    info.test.views = test.test_views.unwrap_or(info.test.views);
    Ok((model, info))
}

/// The run that a model file is of, where it is in this project: the one whose folder it lies in, or that it names.
pub(crate) fn record(project: &Project, file: &Path, info: &ModelInfo) -> Result<Option<RunRecord>> {
    let is_of = |run: &RunRecord| {
        info.run.as_ref().is_some_and(|name| *name == run.name) || file.parent() == Some(run.folder.as_path())
    };
    Ok(Runs::open(project)?.runs.into_iter().find(is_of))
}

/// Whether a run was trained with other photos than those of this split: then some that it has learned from may be in any part.
pub(crate) fn has_other_photos(run: &RunRecord, splits: &Splits) -> bool {
    let other = |key: &str, now: &str| run.made_by.made_with.get(key).is_some_and(|then| then != now);
    other("photos.train", &splits.train.sha256) || other("photos.val", &splits.val.sha256)
}

/// The model file that a path or a run's name leads to: the file itself, the best model of a run's folder, the one that a folder of models keeps; for
/// `hf:owner/name`, that of a repository on the hub.
pub(crate) fn file(project: &Project, given: &Path) -> Result<PathBuf> {
    if let Some(repository) = given.to_str().and_then(|given| given.strip_prefix("hf:")) {
        WeightsFrom::repository(repository)?;
        let records = project.models.join("cache/weights");
        let hub = petal::models::Hub::from_env()?;
        return Ok(hub.fetch(repository, "main", "model.safetensors", &records, &mut Bars::default())?.path);
    }
    let run = project.models.join("runs").join(given);
    let folder = match given {
        path if path.is_file() => return Ok(path.to_path_buf()),
        path if path.is_dir() => path.to_path_buf(),
        path if path.iter().count() == 1 && run.is_dir() => run,
        path => {
            let runs = Runs::open(project)?;
            let names: Vec<&str> = runs.runs.iter().map(|run| run.name.as_str()).collect();
            let error = Error::new(ErrorKind::Io, "there is no such model file, folder of a run, or run").at(path);
            return Err(match petal::error::nearest(&path.to_string_lossy(), &names) {
                Some(name) => error.mend(format!("did you mean the run {name}?")),
                None => error.mend("`petal runs` lists the runs; `petal train` makes one"),
            });
        }
    };
    let known = ["best.safetensors", "best_model.safetensors"].map(|name| folder.join(name));
    known.into_iter().find(|file| file.is_file()).ok_or_else(|| {
        let what = "this folder holds no model: expected best.safetensors (a run's) or best_model.safetensors";
        Error::new(ErrorKind::Io, what).at(&folder).mend("a run has one once a phase of it is finished")
    })
}
