//! A learner keeps its run's folder up to date: what it was made with, what was measured, its page.

use super::Learner;
use crate::base::error::Result;
use crate::data::Split;
use crate::eval::Evaluation;
use crate::report::{View, shows};
use crate::train::Measured;

shows!(Learner);

impl Learner {
    /// How far its run is, and what comes next.
    pub fn view(&self) -> View {
        let view = View::new(format!("learner: {}, {} classes", self.info.name(), self.info.classes.len()));
        match self.run.record() {
            Ok(record) => view.and(record.view()),
            Err(_) => view
                .line(format!("not trained yet; its run will be in {}", self.run.folder.display()))
                .hint("next: summary()?, lr_find(&learner.head())?, fit_head()?"),
        }
    }

    /// Writes what the run is made with, before it is trained: a run that is cut short has it, too.
    pub(super) fn record_begin(&self) -> Result<()> {
        self.run.save_config(&self.config)?;
        self.run.save_made_by(&self.info, &self.splits, &self.history()?)
    }

    /// Writes what the run has come to, and its page.
    pub(super) fn record_fit(&self) -> Result<()> {
        self.run.save_made_by(&self.info, &self.splits, &self.history()?)?;
        self.record_told()
    }

    /// Writes the run's page and its model's card.
    fn record_told(&self) -> Result<()> {
        let record = self.run.record()?;
        record.write_card()?;
        record.write_report()
    }

    /// Writes what was measured on a part: predictions, metrics, pictures, the page.
    pub(super) fn record_evaluation(&self, split: Split, evaluation: &Evaluation) -> Result<()> {
        // A run that an earlier petal trained has not all of it yet.
        self.record_begin()?;
        let record = self.run.record()?;
        evaluation.write_csv(&record.predictions(split.name()))?;
        let epoch = record.history.best().map_or(0, |epoch| epoch.epoch);
        let measured = Measured::of(evaluation, self.info.test, epoch);
        self.run.save_metrics(split.name(), &measured)?;
        self.record_told()
    }
}
