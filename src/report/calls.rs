//! The long calls on photos as a cell makes them: with a bar, and with Jupyter's Stop.

use std::path::Path;

use super::bar::Bar;
use crate::base::config::Config;
use crate::base::error::Result;
use crate::base::project::Project;
use crate::data::{Dataset, Splits, Verification};

impl Dataset {
    /// [`Dataset::fetch_with`], shown in a notebook's cell.
    ///
    /// # Errors
    /// Those of [`Dataset::fetch_with`].
    pub fn fetch(project: &Project, config: &Config) -> Result<Self> {
        Self::fetch_with(project, config, &mut Bar::new())
    }

    /// [`Dataset::from_archive_with`], shown in a notebook's cell.
    ///
    /// # Errors
    /// Those of [`Dataset::from_archive_with`].
    pub fn from_archive(project: &Project, path: &Path, replace: bool) -> Result<Self> {
        Self::from_archive_with(project, path, replace, &mut Bar::new())
    }

    /// [`Dataset::verify_with`], shown in a notebook's cell.
    ///
    /// # Errors
    /// Those of [`Dataset::verify_with`].
    pub fn verify(&self) -> Result<Verification> {
        self.verify_with(&mut Bar::new())
    }

    /// [`Dataset::split_with`], shown in a notebook's cell.
    ///
    /// # Errors
    /// Those of [`Dataset::split_with`].
    pub fn split(&self, project: &Project, config: &Config) -> Result<Splits> {
        self.split_with(project, config, &mut Bar::new())
    }

    /// [`Dataset::resplit_with`], shown in a notebook's cell.
    ///
    /// # Errors
    /// Those of [`Dataset::resplit_with`].
    pub fn resplit(&self, project: &Project, config: &Config) -> Result<Splits> {
        self.resplit_with(project, config, &mut Bar::new())
    }
}

impl Splits {
    /// [`Splits::redraw_with`], shown in a notebook's cell.
    ///
    /// # Errors
    /// Those of [`Splits::redraw_with`].
    pub fn redraw(&self, project: &Project, config: &Config) -> Result<Self> {
        self.redraw_with(project, config, &mut Bar::new())
    }
}
