//! A learner measures how far its network can be trusted, where that was not done when its training ended.

use super::Learner;
use crate::base::error::Result;
use crate::base::seed::Seed;
use crate::data::Split;
use crate::export;
use crate::models::Trust;
use crate::report::Bar;
use crate::train::trust;

impl Learner {
    /// Measures anew how far the network can be trusted, on the validation photos, and puts it into the run's model file. Each training does so at its
    /// end; this is for runs that an earlier petal trained, and where [`Learner::info_mut`] has changed class names, or how the network is asked.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(mut learner: Learner) -> Result<()> {
    /// learner.calibrate()?; // the temperature, and what the validation photos are enough for
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if this run has not finished a phase yet; what reading photos can give.
    pub fn calibrate(&mut self) -> Result<Trust> {
        self.project.check_origin()?;
        self.hold_best()?;
        let model = self.trained()?;
        let loaders = (&self.loader(Split::Train), &self.loader(Split::Val));
        let (bank, seed) = (self.config.trust.bank, Seed(self.config.seed));
        let found = trust::measure(&model, &self.info, loaders, bank, seed, &mut Bar::new())?;
        let info = export::ModelInfo { trust: Some(found.clone()), ..self.info.clone() };
        let lock = self.run.lock()?;
        export::save(&model, &info, &self.run.best())?;
        drop(lock);
        drop(model);
        self.info.trust = Some(found.clone());
        self.record_fit()?;
        Ok(found)
    }
}
