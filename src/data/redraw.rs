//! Draws a split anew from the photos that it holds.

use super::{Dataset, Sample, Splits};
use crate::base::config::Config;
use crate::base::error::Result;
use crate::base::project::Project;
use crate::base::work::Progress;

impl Splits {
    /// Draws the split anew, from the photos that it holds: those that they came from may be gone. No photo is lost, whenever this is stopped.
    /// What `data/decisions.csv` says is honoured, but for photos that were dropped before: those are not in the split.
    ///
    /// # Errors
    /// Those of [`Dataset::split_with`].
    pub fn redraw_with(&self, project: &Project, config: &Config, progress: &mut dyn Progress) -> Result<Self> {
        config.check()?;
        let parts = [&self.train, &self.val, &self.test];
        let mut samples: Vec<Sample> = parts.iter().flat_map(|part| part.samples.iter().cloned()).collect();
        samples.iter_mut().for_each(|sample| sample.part = None);
        samples.sort_by(|a, b| (a.target, &a.name).cmp(&(b.target, &b.name)));
        let dataset = Dataset {
            root: self.made_with.root.clone().unwrap_or_else(|| self.root.clone()),
            classes: self.classes.clone(),
            samples,
            left_out: self.made_with.left_out.clone(),
            source: self.source(),
            licence: self.made_with.licence.clone(),
            limits: config.limits,
        };
        dataset.resplit_with(project, config, progress)
    }
}
