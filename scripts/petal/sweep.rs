//! `petal sweep`

use std::ops::ControlFlow;

use clap::Args;
use petal::data::Split;
use petal::learner::{self, Learner};
use petal::prelude::*;
use petal::train::{Event, Halving};
use serde_json::{Value, json};

use crate::LimitOptions;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::photos::Photos;
use crate::progress::Training;
use crate::settings::Settings;

/// Which settings are tried, on which photos.
#[derive(Args)]
pub(crate) struct Options {
    /// Without --photos or --labels: the split that is in the data folder.
    #[command(flatten)]
    photos: Photos,
    #[command(flatten)]
    settings: Settings,
    /// Values to choose among: --over fine_tune.learning_rate=1e-4,2e-4. Given several times, all combinations are tried. recipe=seed,best is another recipe.
    #[arg(long = "over", value_name = "NAME=VALUE,…", required = true)]
    over: Vec<String>,
    /// Epochs of the last phase in the first round; the better half gets twice as many in the next one, until they have had all of theirs.
    #[arg(long, default_value_t = 1)]
    first_epochs: usize,
    /// Measure the winner on the test photos, which nothing has read before. Once: whoever chooses by what it says has no test photos left.
    #[arg(long)]
    test: bool,
    /// A picture of the rounds, as PNG.
    #[arg(long, value_name = "FILE")]
    picture: Option<std::path::PathBuf>,
}

impl Options {
    /// Tries all, and tells what is best on the validation photos.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        let mut config = self.settings.config(project, &self.photos, |_| {})?;
        config.limits = limits.over(config.limits);
        // What is wrong with what to try is said before the photos are read.
        config.grid(&self.over)?;
        let splits = self.photos.splits(project, &mut config)?;
        config = self.settings.with_chosen_network(config, project, &splits)?;
        let mut candidates = config.grid(&self.over)?;
        let set = self.settings.set_but(&self.over);
        for candidate in &mut candidates {
            candidate.config = candidate.config.with(&set)?;
        }
        let interrupt = Interrupt::watch()?;
        let mut training = Training::new(interrupt.clone());
        let mut last = String::new();
        let found = learner::sweep_with(project, &splits, &candidates, self.first_epochs, &mut |name, event| {
            if std::mem::replace(&mut last, name.to_owned()) != name {
                training.clear();
                eprintln!("{name}");
            }
            // That each is another run than the one before is no news here.
            if matches!(event, Event::Placed { .. }) { ControlFlow::Continue(()) } else { training.show(event) }
        })?;
        training.clear();
        if let Some(picture) = &self.picture {
            found.curves()?.save(picture)?;
        }
        let mut text = found.view().without_hints().text();
        let Some(winner) = found.winner() else {
            return Ok(Output::stopped(text, numbers(&found)));
        };
        let mut json = numbers(&found);
        if self.test {
            let of_winner = candidates.iter().find(|candidate| candidate.name == winner.name);
            let config = of_winner.map_or(config, |candidate| candidate.config.clone());
            let learner = Learner::new(project, &splits, &config)?;
            let evaluation = learner.evaluate(Split::Test)?;
            text += &format!("\nthe winner on the test photos\n{}", evaluation.view().without_hints().text());
            json["test"] = crate::evaluate::numbers(&evaluation);
        } else {
            text += &format!("\nits test accuracy, to be asked for once: petal evaluate --model {}\n", winner.run);
        }
        Ok(Output::done(text, json))
    }
}

fn numbers(found: &Halving) -> Value {
    let rungs = found.rungs.iter().map(|rung| {
        let tried = rung.tried.iter().map(|tried| {
            json!({
                "settings": tried.name,
                "run": tried.run,
                "val_accuracy": tried.accuracy,
                "val_loss": tried.loss,
                "seconds": tried.seconds,
            })
        });
        json!({ "epochs": rung.epochs, "kept": rung.kept, "tried": tried.collect::<Vec<Value>>() })
    });
    json!({
        "val_photos": found.photos,
        "rungs": rungs.collect::<Vec<Value>>(),
        "winner": found.winner().map(|winner| &winner.name),
        "stopped": found.is_stopped,
    })
}
