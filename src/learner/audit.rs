//! A look at the photos before any training, with a pretrained network.

use super::backbone_model;
use crate::base::config::{Backbone, Config, WeightsFrom};
use crate::base::error::Result;
use crate::base::project::Project;
use crate::base::work::Progress;
use crate::data::Dataset;
use crate::eval::Audit;
use crate::report::Bar;

impl Dataset {
    /// A look at all photos before any training, by the features of EfficientNet-Lite0, whose weights petal brings along: no network is needed, and no project.
    /// [`Dataset::audit_with`] takes another network. Shown in a notebook's cell while it is done.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells() -> Result<()> {
    /// Dataset::folder("my_photos")?.audit()?
    /// # ; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Audit::new`].
    pub fn audit(&self) -> Result<Audit> {
        let config = Config { backbone: Backbone::EfficientnetLite0, weights: WeightsFrom::Embedded, ..Config::seed() };
        self.audit_with(&Project::open(".")?, &config, &mut Bar::new())
    }

    /// The same with the network, the seed and the settings of duplicates that the settings name.
    ///
    /// # Errors
    /// Those of [`Audit::new`]; what loading the weights can give.
    pub fn audit_with(&self, project: &Project, config: &Config, progress: &mut dyn Progress) -> Result<Audit> {
        config.check()?;
        let (model, preprocess) = backbone_model(config, project)?;
        Audit::new(self, (&model, &preprocess), config, progress)
    }
}
