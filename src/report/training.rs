//! Views of a network and of its training.

use super::table::{Cells, Table};
use super::words::{counted, thousands};
use super::{View, shows};
use crate::base::error::Result;
use crate::models::{Architecture, Cut, Model, registry};
use crate::train::History;

shows!(History, Model);

/// Stage by stage: output shape, parameters, and how many of them train after this cut, for photos of this size.
pub fn model_summary(model: &Model, cut: Cut, image_size: usize) -> Result<Table> {
    let stages = model.summary(cut, image_size)?;
    let shape = |dims: &Vec<usize>| dims.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ");
    let (all, train) =
        stages.iter().fold((0, 0), |(all, train), stage| (all + stage.parameters, train + stage.trainable));
    let counts = |each: &dyn Fn(&crate::models::StageSummary) -> usize, sum: usize| {
        Cells::Counts(stages.iter().map(each).chain([sum]).map(|count| count as u64).collect())
    };
    let caption = format!("{} parameters, {} of them train", thousands(all as u64), thousands(train as u64));
    let total = || [("all".to_string(), String::new())];
    let rows: Vec<_> = stages.iter().map(|stage| (stage.name.clone(), shape(&stage.output))).chain(total()).collect();
    Ok(Table::new([
        ("stage", Cells::Text(rows.iter().map(|(name, _)| name.clone()).collect())),
        ("output", Cells::Text(rows.iter().map(|(_, output)| output.clone()).collect())),
        ("parameters", counts(&|stage| stage.parameters, all)),
        ("trainable", counts(&|stage| stage.trainable, train)),
    ])?
    .caption(caption))
}

impl Model {
    /// Stage by stage, for photos of the size that it was made for; what trains is what trains in the last phase.
    pub fn view(&self) -> View {
        let (name, cut, size) = match self.architecture() {
            Architecture::Baseline { image_size, .. } => ("baseline".to_string(), Cut::Images, *image_size),
            Architecture::Transfer { backbone, .. } => {
                let size = registry::weights(*backbone).preprocess.size;
                let staged = self.summary(Cut::Upper, size).is_ok();
                (backbone.to_string(), if staged { Cut::Upper } else { Cut::Features }, size)
            }
        };
        View::new(name).table_or_why(model_summary(self, cut, size))
    }
}

impl History {
    /// A row an epoch; the best one has a star.
    pub fn table(&self) -> Result<Table> {
        let best = self.best().map(|epoch| epoch.epoch);
        let epochs = &self.epochs;
        let numbers = |value: fn(&crate::train::Epoch) -> f64| epochs.iter().map(value).collect();
        Table::new([
            ("epoch", Cells::Counts(epochs.iter().map(|epoch| epoch.epoch as u64).collect())),
            ("phase", Cells::Text(epochs.iter().map(|epoch| epoch.phase.clone()).collect())),
            ("train loss", Cells::Numbers(numbers(|epoch| epoch.train_loss), 4)),
            ("train accuracy", Cells::Shares(numbers(|epoch| epoch.train_accuracy))),
            ("val loss", Cells::Numbers(numbers(|epoch| epoch.val_loss), 4)),
            ("val accuracy", Cells::Shares(numbers(|epoch| epoch.val_accuracy))),
            ("seconds", Cells::Numbers(numbers(|epoch| epoch.seconds), 1)),
            ("best", {
                let star = |epoch: &crate::train::Epoch| if Some(epoch.epoch) == best { "★" } else { "" };
                Cells::Text(epochs.iter().map(|epoch| star(epoch).to_string()).collect())
            }),
        ])
    }

    /// The curves, then a row an epoch.
    pub fn view(&self) -> View {
        if self.epochs.is_empty() {
            return View::new("no epoch was trained yet").hint("next: learner.fit_head()?");
        }
        let title = self.title();
        let view = match self.curves() {
            Ok(figure) => View::new(title).figure(figure),
            Err(error) => View::new(title).line(error.to_string()),
        };
        let view = view.table_or_why(self.table());
        let view =
            self.ended.iter().fold(view, |view, (phase, reason)| view.line(format!("phase {phase} ended: {reason}")));
        self.advice().into_iter().fold(view, View::hint)
    }

    /// How many epochs there are, and which is the best.
    pub(crate) fn title(&self) -> String {
        match self.best() {
            Some(best) => format!(
                "{}; the best is epoch {}: validation loss {:.4}, accuracy {:.1} %",
                counted(self.epochs.len(), "epoch"),
                best.epoch,
                best.val_loss,
                100.0 * best.val_accuracy
            ),
            None => counted(self.epochs.len(), "epoch"),
        }
    }

    /// What the last phase's numbers say about how to go on, in sentences; nothing where they say nothing.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        let (Some(last), Some(best)) = (self.epochs.last(), self.best()) else { return advice };
        let own: Vec<_> = self.epochs.iter().filter(|epoch| epoch.phase == last.phase).collect();
        let ended = self.ended.iter().any(|(phase, _)| *phase == last.phase);
        if !last.val_loss.is_finite() {
            advice.push(
                "the validation loss is not finite: lower the learning rate (learner.lr_find(&phase)? looks for one)"
                    .into(),
            );
        } else if own.len() > 1 && !own.iter().any(|epoch| epoch.best) {
            advice.push(format!(
                "no epoch of phase {} was better than epoch {} before it: the earlier weights are kept; a lower learning rate may help",
                last.phase, best.epoch
            ));
        } else if best.epoch == last.epoch && ended {
            advice.push(format!("the last epoch was the best: more epochs in phase {} may still help", last.phase));
        }
        // Augmentation and dropout make training photos harder than validation photos: a gap this way says something.
        if best.val_loss > GAP * best.train_loss && best.val_accuracy + 0.05 < best.train_accuracy {
            advice.push(format!(
                "training photos are told better than validation photos ({:.1} % and {:.1} %): more photos or stronger augmentation may help",
                100.0 * best.train_accuracy,
                100.0 * best.val_accuracy
            ));
        }
        advice
    }
}

/// From so many times the training loss on, the validation loss counts as far above it.
const GAP: f64 = 2.0;
