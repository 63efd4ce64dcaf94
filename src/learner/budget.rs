//! A learner plans its time.

use std::time::Instant;

use serde_json::json;

use super::Learner;
use super::fit::Fitted;
use super::network::Kind;
use crate::base::config::{Config, Layers, PhaseConfig};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::data::Split;
use crate::eval::unknown::bank::MOST_IN_BANK;
use crate::train::budget::{self, Cost, Plan};
use crate::train::{Ended, Phase, Run};

/// Seconds that are set aside for what comes after training: saving, and the test photos.
const AFTER: f64 = 3.0;

impl Learner {
    /// Trains within so many minutes: the head, then as many epochs of all layers as there is time for, or of the upper ones where that is too little.
    /// The time counts from this call on. What was planned is kept ([`Plan`]) and taken again when the run goes on, whatever the time is then.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(project: &Project, splits: &Splits) -> Result<()> {
    /// let mut learner = Learner::new(project, splits, &Config::best())?;
    /// learner.fit_within(5.0)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Learner::fit`]; [`ErrorKind::Config`] for the baseline, and for a time that is none.
    pub fn fit_within(&mut self, minutes: f64) -> Result<Fitted> {
        let since = Instant::now();
        self.check_budget(minutes)?;
        let fitted = self.fit(&self.head())?;
        if fitted.ended == Ended::Stopped {
            return Ok(fitted);
        }
        let plan = self.plan(minutes, since)?;
        println!("{plan}");
        if plan.epochs == 0 { Ok(fitted) } else { self.fit(&self.upper()) }
    }

    /// Plans the second phase within a budget that began at `since`; the head's is to be finished. From then on [`Learner::upper`] and
    /// [`Learner::phases`] are as planned.
    ///
    /// # Errors
    /// What reading photos can give; [`ErrorKind::Config`] for the baseline, and for a time that is none.
    pub fn plan(&mut self, minutes: f64, since: Instant) -> Result<Plan> {
        self.check_budget(minutes)?;
        // Whatever was planned before is no part of what is planned for.
        let unplanned = PhaseConfig { layers: Layers::All, epochs: 1, ..self.asked.fine_tune };
        let upper = Phase::upper(&Config { fine_tune: unplanned, ..self.asked.clone() });
        let computes = [self.head().computes(), upper.computes()];
        let of = files::sha256(json!([self.run.made_with, computes, minutes]).to_string().as_bytes());
        let plan = match self.planned(&of)? {
            Some(plan) => plan,
            None => {
                let cost = |layers| -> Result<Cost> {
                    // A schedule wants to know how long; for its cost that is all one.
                    let settings = PhaseConfig { layers, epochs: 1, ..self.asked.fine_tune };
                    let phase = Phase::upper(&Config { fine_tune: settings, ..self.asked.clone() });
                    self.with_job(&phase, budget::measure)
                };
                let all = cost(Layers::All)?;
                let spent = since.elapsed().as_secs_f64() + AFTER + self.told_share(all);
                let rest = 60.0 * minutes - spent;
                // Where all layers fit, what the upper ones would cost need not be known.
                let upper = if 2.0 * all.epoch < rest { all } else { cost(Layers::Upper)? };
                let spent = since.elapsed().as_secs_f64() + AFTER + self.told_share(all);
                let most = budget::MOST_EPOCHS.max(self.asked.fine_tune.epochs);
                let (layers, epochs, planned) = budget::fit_in(60.0 * minutes, spent, all, upper, most);
                Plan { of, minutes, spent, layers, epochs, planned }
            }
        };
        self.run.save_plan(&plan)?;
        let fine_tune = PhaseConfig { layers: plan.layers, epochs: plan.epochs, ..self.asked.fine_tune };
        self.asked.fine_tune = fine_tune;
        self.config.fine_tune = fine_tune;
        Ok(plan)
    }

    /// Seconds that the photos take that are predicted afterwards, at a third of what learning from as many takes: the test photos, and those on which is
    /// measured how far the network can be trusted.
    fn told_share(&self, all: Cost) -> f64 {
        let [train, val, test] =
            [Split::Train, Split::Val, Split::Test].map(|part| self.splits.get(part).samples.len());
        let bank = if self.config.trust.bank { train.min(MOST_IN_BANK) } else { 0 };
        all.epoch / 3.0 * (test + val + bank) as f64 / train.max(1) as f64
    }

    fn check_budget(&self, minutes: f64) -> Result<()> {
        if self.kind() == Kind::Baseline {
            let what = "a time is planned for a pretrained network; this one learns from scratch";
            return Err(Error::new(ErrorKind::Config, what).mend("give it epochs: baseline.epochs"));
        }
        if !(minutes > 0.0 && minutes <= 10_000.0) {
            return Err(Error::config("minutes", minutes, "above 0, at most 10000"));
        }
        Ok(())
    }

    /// The plan that was made for the same before, in whichever run.
    fn planned(&self, of: &str) -> Result<Option<Plan>> {
        let folder = self.project.models.join("runs");
        let found = if folder.exists() { files::sorted_dir(&folder)? } else { Vec::new() };
        let plans = found.into_iter().filter_map(|folder| Run::new(folder, self.run.made_with.clone()).plan());
        Ok(plans.into_iter().find(|plan| plan.of == of))
    }
}
