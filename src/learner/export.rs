//! A learner writes its model for other programs.

use std::path::Path;

use super::Learner;
use crate::base::error::Result;
use crate::base::files;
use crate::export;
use crate::export::onnx::{self, Exported, Options, Ranges};
use crate::report::Bar;

impl Learner {
    /// Writes the model as an ONNX file, for other programs, as [`Options::default`] says: it takes RGB from 0 to 255 as bytes, and gives probabilities
    /// (docs/ONNX.md). Beside it, with `.json` behind its name, stands what petal says of a picture that anyone can make. Earlier exports there are replaced; any
    /// other file is not.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(learner: &Learner) -> Result<()> {
    /// learner.export_onnx("flowers.onnx")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`onnx::write`]; [`ErrorKind::Config`](crate::ErrorKind::Config) if this run has not finished a phase yet.
    pub fn export_onnx(&self, path: impl AsRef<Path>) -> Result<Exported> {
        self.export_onnx_as(path, &Options::default())
    }

    /// The same in another way: `f32` pictures, or weights of fewer bits.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// use petal::export::onnx::{Options, Weights};
    ///
    /// # fn cells(learner: &Learner) -> Result<()> {
    /// let small = Options { weights: Weights::Int8(learner.onnx_ranges()?), ..Options::default() };
    /// learner.export_onnx_as("flowers_int8.onnx", &small)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Learner::export_onnx`].
    pub fn export_onnx_as(&self, path: impl AsRef<Path>, options: &Options) -> Result<Exported> {
        let model = self.trained()?;
        let sha256 = files::sha256(&export::to_bytes(&model, model.info())?);
        onnx::write(&model, model.info(), &sha256, options, path.as_ref())
    }

    /// Between which numbers the network's maps lie on some of the photos that it learns from: what 8 bits are spread over ([`onnx::ranges`]).
    ///
    /// # Errors
    /// Those of [`onnx::ranges`]; [`ErrorKind::Config`](crate::ErrorKind::Config) if this run has not finished a phase yet.
    pub fn onnx_ranges(&self) -> Result<Ranges> {
        let photos: Vec<_> = self.splits.train.samples.iter().map(|sample| sample.path.clone()).collect();
        let model = self.trained()?;
        onnx::ranges(&model, model.info(), &photos, &self.config.limits, &mut Bar::new())
    }
}
