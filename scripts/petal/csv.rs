//! The table of predictions that a command was asked for.

use std::path::Path;

use petal::eval::{Prediction, stored};
use petal::files::{cells, output};
use petal::prelude::*;

/// A table of predictions at a path, or none.
pub(crate) struct Table<'a>(Option<&'a Path>);

impl<'a> Table<'a> {
    /// Looks before any work whether it can be written there.
    pub(crate) fn at(path: Option<&'a Path>) -> Result<Self> {
        path.map(|path| output::check_free(path, stored::PREDICTIONS)).transpose()?;
        Ok(Self(path))
    }

    /// Whether it goes to the standard output.
    pub(crate) fn is_standard(&self) -> bool {
        self.0.is_some_and(output::is_standard)
    }

    /// Writes it; says what a reader has to know of it.
    pub(crate) fn write(&self, classes: &[String], predictions: &[Prediction]) -> Result<String> {
        let Some(path) = self.0 else { return Ok(String::new()) };
        stored::write_predictions(path, classes, predictions)?;
        let is_marked = stored::has_marked_cells(classes, predictions);
        Ok(if is_marked { format!("in the table, {}\n", cells::NOTE) } else { String::new() })
    }
}
