//! `petal compare`

use clap::Args;
use petal::data::Split;
use petal::learner::compare_runs;
use petal::prelude::*;
use serde_json::{Value, json};

use crate::output::Output;

/// Which runs, on which photos.
#[derive(Args)]
pub(crate) struct Options {
    /// Names of runs; each is compared with the first.
    #[arg(required = true, num_args = 2..)]
    runs: Vec<String>,
    /// Which photos: train, val or test.
    #[arg(long, default_value = "test", value_parser = crate::parsed::<Split>)]
    split: Split,
}

impl Options {
    /// Compares runs, paired by photo.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let comparison = compare_runs(project, &self.runs, self.split)?;
        let each = comparison.evaluations.iter().zip(&comparison.seconds);
        let models = each.map(|(evaluation, seconds)| {
            let mut numbers = crate::evaluate::numbers(evaluation);
            numbers["seconds"] = json!(seconds);
            numbers
        });
        let against_first = comparison.against_first.iter().map(|difference| {
            json!({
                "only_first": difference.only_first,
                "only_this": difference.only_this,
                "mcnemar_p": difference.p_value,
                "gain": difference.gain.value,
                "gain_interval_95": [difference.gain.low, difference.gain.high],
                "is_shown": difference.is_shown(),
            })
        });
        let json = json!({
            "split": self.split.name(),
            "models": models.collect::<Vec<Value>>(),
            "against_first": against_first.collect::<Vec<Value>>(),
        });
        Ok(Output::done(comparison.view().without_hints().text(), json))
    }
}
