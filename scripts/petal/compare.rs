//! `petal compare`

use clap::Args;
use petal::data::Split;
use petal::eval::OverSeeds;
use petal::learner::{compare_over_seeds, compare_runs};
use petal::prelude::*;
use serde_json::{Value, json};

use crate::output::Output;

/// Which runs, on which photos.
#[derive(Args)]
pub(crate) struct Options {
    /// Names of runs; each is compared with the first. Or two ways to train with several seeds: A1+A2+A3 B1+B2+B3, pair by pair.
    #[arg(required = true, num_args = 2..)]
    runs: Vec<String>,
    /// Which photos: train, val or test.
    #[arg(long, default_value = "test", value_parser = crate::parsed::<Split>)]
    split: Split,
}

impl Options {
    /// Compares runs, paired by photo.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        if let [first, other] = self.runs.as_slice()
            && (first.contains('+') || other.contains('+'))
        {
            let [first, other] = [first, other].map(|names| names.split('+').collect::<Vec<_>>());
            return Ok(over_seeds(&compare_over_seeds(project, &first, &other, self.split)?, self.split));
        }
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

fn over_seeds(found: &OverSeeds, split: Split) -> Output {
    let json = json!({
        "split": split.name(),
        "first": found.first,
        "other": found.other,
        "photos": found.photos,
        "gain": found.gain.value,
        "gain_interval_95": [found.gain.low, found.gain.high],
        "is_shown": found.is_shown(),
    });
    Output::done(found.view().text(), json)
}
