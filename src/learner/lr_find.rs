//! A learner looks for its learning rate.

use std::ops::ControlFlow;

use super::Learner;
use crate::base::error::Result;
use crate::base::files::Lock;
use crate::report::lr_find::Lines;
use crate::train::{self, LrFind, Phase, Sweep, Sweeping};

impl Learner {
    /// Looks for the learning rate of a phase by Smith's range test: a mock training in which it grows from 1e-7 to 10 in 100 steps
    /// ([`train::lr_find()`]). For [`Learner::head`] it runs on cached features, in seconds; for [`Learner::upper`] and
    /// [`Phase::baseline`] each step is one of that phase's. Nothing of it stays in the model or in the run.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(mut learner: Learner) -> Result<()> {
    /// let found = learner.lr_find(&learner.head())?; // as a cell's last line, it shows the curve
    /// let learning_rate = found.suggestion().map_or(1e-3, |suggestion| suggestion.valley);
    /// learner.fit(&Phase { learning_rate, ..learner.head() })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`train::lr_find()`]; [`ErrorKind::Locked`](crate::ErrorKind::Locked) while this run is being trained.
    pub fn lr_find(&self, phase: &Phase) -> Result<LrFind> {
        let mut lines = Lines::begin();
        self.lr_find_with(phase, &Sweep::default(), &mut |event| lines.show(event))
    }

    /// The same with a sweep of your own; `observe` is told what happens and may end it. Nothing is printed.
    pub fn lr_find_with(
        &self,
        phase: &Phase,
        sweep: &Sweep,
        observe: &mut dyn FnMut(Sweeping) -> ControlFlow<()>,
    ) -> Result<LrFind> {
        self.project.check_origin()?;
        phase.check()?;
        // It would take a request to stop for its own that is meant for a training of this run. Where there is no run's folder yet,
        // there is no training.
        let _lock: Option<Lock> = self.run.folder.is_dir().then(|| self.run.lock()).transpose()?;
        self.with_job(phase, |job| train::lr_find(job, sweep, observe))
    }
}
