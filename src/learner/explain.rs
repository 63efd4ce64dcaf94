//! A learner shows where it looked: pictures, a page of a folder, and whether they can be trusted.

use std::path::{Path, PathBuf};

use super::Learner;
use crate::base::error::Result;
use crate::base::seed::Seed;
use crate::eval::{Prediction, by_folder};
use crate::explain::{self, CamCheck, GradCam, Method};
use crate::export::ModelInfo;
use crate::report::{self, Bar, ExplainedPage, Figure, ToExplain};

impl Learner {
    /// Grad-CAM of these predictions, for the predicted classes: photo and overlay side by side. Also written to
    /// `visualizations/gradcam_example.png`.
    pub fn grad_cam(&self, predictions: &[Prediction]) -> Result<Figure> {
        self.cam(&GradCam, predictions)
    }

    /// The same for the class of this name, whatever was predicted.
    pub fn grad_cam_of(&self, class: &str, predictions: &[Prediction]) -> Result<Figure> {
        self.cam_of(&GradCam, class, predictions)
    }

    /// The same by another [method](crate::explain::methods). Also written to `visualizations/<its name>_example.png`.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(learner: &Learner) -> Result<()> {
    /// let result = learner.evaluate(Split::Test)?;
    /// learner.cam(&explain::HiResCam, &result.examples(6))?;
    /// # Ok(()) }
    /// ```
    pub fn cam(&self, method: &dyn Method, predictions: &[Prediction]) -> Result<Figure> {
        self.cam_for(method, predictions, None)
    }

    /// The same for the class of this name, whatever was predicted.
    pub fn cam_of(&self, method: &dyn Method, class: &str, predictions: &[Prediction]) -> Result<Figure> {
        self.cam_for(method, predictions, Some(self.info.class(class)?))
    }

    fn cam_for(&self, method: &dyn Method, predictions: &[Prediction], class: Option<usize>) -> Result<Figure> {
        self.project.check_origin()?;
        let model = self.trained()?;
        let ModelInfo { preprocess, classes, .. } = &self.info;
        let figure = report::cam(method, &model, preprocess, classes, predictions, class)?;
        figure.save(self.project.visualizations.join(format!("{}_example.png", method.name())))
    }

    /// Whether a method's maps can be trusted for this network, on so many of these photos at most, spread evenly over them: do they change where what was
    /// learned is forgotten, and does the class go and come sooner by them than by chance? 24 photos take 14 seconds of processor time
    /// with EfficientNet-Lite0 at 224 pixels.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(learner: &Learner) -> Result<()> {
    /// let result = learner.evaluate(Split::Test)?;
    /// learner.check_cam(&explain::GradCam, &result.predictions, 24)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`explain::check::check`].
    pub fn check_cam(&self, method: &dyn Method, predictions: &[Prediction], photos: usize) -> Result<CamCheck> {
        self.project.check_origin()?;
        let model = self.trained()?;
        let paths: Vec<PathBuf> = predictions.iter().map(|prediction| prediction.path.clone()).collect();
        let seed = Seed(self.config.seed);
        explain::check::check(method, &model, &self.info.preprocess, (&paths, photos), seed, &mut Bar::new())
    }

    /// Predicts photos, as [`Learner::predict_all`] does, and writes them with their heat maps on one page, wrong and unsure ones first:
    /// [`explained`](crate::report::explained()).
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(learner: &Learner) -> Result<()> {
    /// learner.explain(&explain::GradCam, &["new_photos"], "new_photos.html")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Learner::predict_all`], and of writing the page: a file there that is no such page stays.
    pub fn explain<P: AsRef<Path>>(
        &self,
        method: &dyn Method,
        paths: &[P],
        page: impl AsRef<Path>,
    ) -> Result<ExplainedPage> {
        self.project.check_origin()?;
        ExplainedPage::check_free(page.as_ref())?;
        let model = self.trained()?;
        let mut found = self.predict_all(paths)?;
        let named: Vec<PathBuf> = paths.iter().map(|path| path.as_ref().to_path_buf()).collect();
        by_folder(&named, &self.info.classes, &mut found.predictions);
        let what = ToExplain {
            method,
            model: &model,
            info: &self.info,
            predictions: &found.predictions,
            unreadable: &found.unreadable,
            hidden: found.hidden.len(),
            class: None,
            check: None,
        };
        report::explained(&what, &mut Bar::new())?.save(page)
    }
}
