//! A learner predicts photos, one or many.

use std::path::{Path, PathBuf};

use super::Learner;
use super::held::Trained;
use crate::base::error::{Error, ErrorKind, Result};
use crate::eval::predict::Unreadable;
use crate::eval::{self, Prediction};
use crate::report::{self, Bar, View, shows};
use crate::train::trust;

/// Predictions for many photos, with the names of the classes.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// One a photo that could be read, in the order asked for; a folder's by path.
    pub predictions: Vec<Prediction>,
    /// Photos that could not be read, and why.
    pub unreadable: Vec<Unreadable>,
    /// Hidden files and folders, which were not looked into.
    pub hidden: Vec<PathBuf>,
    /// Class names, in the order of the probabilities.
    pub classes: Vec<String>,
}

shows!(Predictions, Labelled);

impl Learner {
    /// Predicts one photo.
    pub fn predict(&self, path: impl AsRef<Path>) -> Result<Labelled> {
        let model = self.trained()?;
        check_there(path.as_ref())?;
        let (mut found, mut unreadable) = self.told(&model, &[path.as_ref().to_path_buf()])?;
        match (found.pop(), unreadable.pop()) {
            (Some(prediction), _) => Ok(Labelled { prediction, classes: self.info.classes.clone() }),
            (None, Some(unreadable)) => Err(unreadable.error),
            (None, None) => Err(Error::new(ErrorKind::Image, "nothing came back for this photo").at(path.as_ref())),
        }
    }

    /// Predicts photos: files as they are, folders with all that is in them and below. A file that cannot be read is no error: it stands in
    /// [`Predictions::unreadable`].
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(learner: &Learner) -> Result<()> {
    /// let found = learner.predict_all(&["new_photos"])?;
    /// found.write_csv("predictions.csv")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`] for a path that is not there; [`ErrorKind::Config`] if this run has not finished a phase yet.
    pub fn predict_all<P: AsRef<Path>>(&self, paths: &[P]) -> Result<Predictions> {
        let model = self.trained()?;
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.as_ref().to_path_buf()).collect();
        paths.iter().try_for_each(|path| check_there(path))?;
        let eval::predict::Named { photos, hidden } = eval::predict::photos(&paths)?;
        let (predictions, unreadable) = self.told(&model, &photos)?;
        Ok(Predictions { predictions, unreadable, hidden, classes: self.info.classes.clone() })
    }

    /// What the network says of these photos, asked as [`Config::test`](crate::Config::test) and [`Config::trust`](crate::Config::trust) say; and those that cannot be read.
    fn told(&self, model: &Trained, photos: &[PathBuf]) -> Result<(Vec<Prediction>, Vec<Unreadable>)> {
        let asked = trust::asked(model, model.info(), self.config.trust)?;
        eval::predict(&asked, photos, &self.config.limits, &self.project.device, &mut Bar::new())
    }
}

/// Whether a path leads anywhere.
fn check_there(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let from = match std::env::current_dir() {
        Ok(folder) if path.is_relative() => format!("; this path starts at {}", folder.display()),
        _ => String::new(),
    };
    Err(Error::new(ErrorKind::Io, "there is no such file or folder").at(path).mend(format!("check the path{from}")))
}

impl Predictions {
    /// How many of which class, the least sure ones, what could not be read.
    pub fn view(&self) -> View {
        let view = report::all_predicted(&self.predictions, &self.unreadable, &self.classes);
        match self.hidden.len() {
            0 => view,
            count => view.line(format!("not looked into, because hidden: {count} files and folders")),
        }
    }

    /// Writes a row a photo: path, true class (empty), predicted class, the probability of each class.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        eval::stored::write_predictions(path.as_ref(), &self.classes, &self.predictions)
    }
}
/// A prediction with the names of its classes.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The prediction.
    pub prediction: Prediction,
    /// Class names, in the order of its probabilities.
    pub classes: Vec<String>,
}

impl Labelled {
    /// The most probable class.
    pub fn class(&self) -> &str {
        self.classes.get(self.prediction.best().0).map_or("", String::as_str)
    }

    /// The photo and the probability of each class.
    pub fn view(&self) -> View {
        report::predicted(&self.prediction, &self.classes)
    }
}
