//! The whole road in one call.

use crate::base::config::Config;
use crate::base::error::Result;
use crate::base::project::Project;
use crate::data::Splits;
use crate::learner::Learner;

/// Trains a new head on the pretrained network, then the head and the upper layers, with a line an epoch on the standard output; the best
/// epoch of both is kept. [`Learner::fine_tune`] of a new learner.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells() -> Result<()> {
/// let (project, config) = (Project::open(".")?, Config::demo());
/// let splits = Dataset::fetch(&project, &config)?.split(&project, &config)?;
/// let learner = fine_tune(&project, &splits, &config)?;
/// println!("{}", learner.evaluate(Split::Test)?.text());
/// # Ok(()) }
/// ```
pub fn fine_tune(project: &Project, splits: &Splits, config: &Config) -> Result<Learner> {
    let mut learner = Learner::new(project, splits, config)?;
    learner.fine_tune()?;
    Ok(learner)
}

/// Trains the small network from scratch, with a line an epoch on the standard output, and gives its learner.
pub fn train_baseline(project: &Project, splits: &Splits, config: &Config) -> Result<Learner> {
    let mut learner = Learner::baseline(project, splits, config)?;
    learner.fit_all()?;
    Ok(learner)
}
