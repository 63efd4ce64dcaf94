//! Runs side by side on the same photos.

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::project::Project;
use crate::data::{Loader, Split, Splits};
use crate::eval::{self, Comparison, Evaluation, OverSeeds};
use crate::export::{self, ModelInfo};
use crate::report::Bar;
use crate::train::{RunRecord, Runs, trust};

/// Compares runs on the photos of a part of the project's split, each with the first: accuracies, on how many photos only one of two is right with
/// McNemar's exact test, the difference with an interval that is paired by photo, and how long each was trained. What was measured on the best
/// epoch before is read from the runs' folders; the rest is measured now.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project) -> Result<()> {
/// compare_runs(project, &["efficientnet-lite0-1a2b3c4d", "efficientnet-lite0-5e6f7a8b"], Split::Val)?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] for a name that no run has, or fewer than two; [`ErrorKind::Dataset`] if they were not trained for the same classes, or
/// measured on other photos.
pub fn compare_runs<S: AsRef<str>>(project: &Project, names: &[S], part: Split) -> Result<Comparison> {
    if names.len() < 2 {
        return Err(Error::config("the number of runs to compare", names.len(), "at least 2")
            .mend("`petal runs` lists the runs"));
    }
    let (runs, splits) = (Runs::open(project)?, Splits::open(&project.data)?);
    let records = names.iter().map(|name| runs.get(name.as_ref())).collect::<Result<Vec<&RunRecord>>>()?;
    let found = records.iter().map(|record| evaluation(project, &splits, record, part));
    let evaluations: Vec<Evaluation> = found.collect::<Result<_>>()?;
    let mut comparison = eval::compare(&evaluations.iter().collect::<Vec<_>>())?;
    comparison.seconds = records.iter().map(|record| Some(record.seconds())).collect();
    Ok(comparison)
}

/// Compares two ways to train, each with several seeds: the runs of one after the other, in the same order of seeds, each pair on the photos of a part
/// of the project's split. What differs from seed to seed is in the interval, too.
///
/// # Errors
/// Those of [`compare_runs`]; [`ErrorKind::Config`] if there are not as many runs of both ways, or fewer than two.
pub fn compare_over_seeds<S: AsRef<str>>(
    project: &Project,
    first: &[S],
    other: &[S],
    part: Split,
) -> Result<OverSeeds> {
    if first.len() != other.len() || first.len() < 2 {
        let got = format_args!("{} and {}", first.len(), other.len());
        return Err(Error::config("the number of runs of each", got, "as many of both, at least 2"));
    }
    let (runs, splits) = (Runs::open(project)?, Splits::open(&project.data)?);
    let measured = |names: &[S]| -> Result<Vec<Evaluation>> {
        names.iter().map(|name| evaluation(project, &splits, runs.get(name.as_ref())?, part)).collect()
    };
    let (first, other) = (measured(first)?, measured(other)?);
    OverSeeds::new(&first.iter().zip(&other).collect::<Vec<_>>())
}

/// What a run says of the photos of a part, under the run's name.
fn evaluation(project: &Project, splits: &Splits, record: &RunRecord, part: Split) -> Result<Evaluation> {
    let subset = splits.get(part);
    let kept = record.predictions(part.name());
    if record.measured(part.name()).is_some() && kept.exists() {
        let read = eval::read_predictions(&kept, &record.name)?;
        let paths = read.predictions.iter().map(|prediction| &prediction.path);
        if paths.eq(subset.samples.iter().map(|sample| &sample.path)) {
            return Ok(read);
        }
    }
    let file = record.folder.join("best.safetensors");
    if !file.exists() {
        return Err(Error::new(ErrorKind::Config, format!("run {} has not finished a phase yet", record.name))
            .at(&record.folder)
            .mend("train it to its end first"));
    }
    let (model, info) = export::load(&file, &project.device)?;
    if splits.classes.as_ref() != info.classes.as_slice() {
        let (known, photos) = (info.classes.join(", "), splits.classes.join(", "));
        let what = format!("run {} knows the classes {known}; the photos have {photos}", record.name);
        return Err(Error::new(ErrorKind::Dataset, what).at(&file).mend("use the photos it was trained for"));
    }
    let info = ModelInfo { test: record.config.test, ..info };
    let asked = trust::asked(&model, &info, record.config.trust)?;
    let loader = Loader::new(subset, *asked.preprocess(), 32, &project.device);
    eval::evaluate(&asked, &loader, &record.name, &mut Bar::new())
}
