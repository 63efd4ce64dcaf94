//! Views of a run, its page, and all runs side by side.

use plotters::prelude::{LineSeries, PathElement, SeriesLabelPosition};
use plotters::style::Color;

use super::card::Written;
use super::figure::{COLOURS, Figure, draw, legend, over_epochs};
use super::table::{Cells, Table};
use super::words::{ago, counted, duration};
use super::{View, shows};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::files::signed::{Standing, standing_at};
use crate::eval::{Evaluation, read_predictions};
use crate::train::{Measured, Run, RunRecord, Runs};

shows!(Run, RunRecord, Runs);

/// Parts in the order of interest.
const PARTS: [&str; 3] = ["test", "val", "train"];

impl Run {
    /// What its folder says of it.
    pub fn view(&self) -> View {
        match self.record() {
            Ok(record) => record.view(),
            Err(error) => {
                let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
                View::new(format!("run {name}: nothing to show yet")).line(error.what()).hint("next: the fit cells")
            }
        }
    }
}

impl RunRecord {
    /// How far it is, how good, and where its page is.
    pub fn view(&self) -> View {
        let mut facts = self.facts();
        facts.push(("page", self.report().display().to_string()));
        let view = View::new(self.title()).facts(facts);
        match self.history.curves() {
            Ok(figure) => {
                view.figure(figure).hint("the page opens in a browser; Runs::open(&project)? compares all runs")
            }
            Err(_) => view.hint("no epoch was trained yet"),
        }
    }

    /// Writes the run's page, with everything: the numbers, the pictures, the settings, the versions and hashes. The pictures are files
    /// beside it, too.
    ///
    /// # Errors
    /// What writing can give. A photo that is not there any more is no error: the page says so.
    pub fn write_report(&self) -> Result<()> {
        if !self.history.epochs.is_empty() {
            self.history.curves()?.save(self.folder.join("curves.png"))?;
        }
        let mut view = View::new(self.title()).facts(self.facts()).section("Training").and(self.history.view());
        for part in PARTS.into_iter().filter(|part| self.metrics.contains_key(*part)) {
            view = view.section(format!("On the {part} photos"));
            view = match self.evaluation(part) {
                Ok(evaluation) => self.measured_view(view, part, &evaluation)?,
                Err(error) => view.line(error.to_string()),
            };
        }
        view = view.section("Settings").and(self.config.view().without_hints());
        view = view.section("Made with").facts(self.made_by.made_with.clone());
        if !self.made_by.best_sha256.is_empty() {
            view = view.facts([("best.safetensors", format!("SHA-256 {}", self.made_by.best_sha256))]);
        }
        view = view.section("Versions").facts(self.made_by.versions.clone());
        files::write_bytes(&self.report(), view.page(&self.title()).as_bytes())
    }

    /// What the page says of a part; its pictures become files, too.
    fn measured_view(&self, view: View, part: &str, evaluation: &Evaluation) -> Result<View> {
        let kept = |figure: Figure, name: &str| figure.save(self.folder.join(format!("{name}_{part}.png")));
        let view = view.and(evaluation.view().without_hints()).table_or_why(evaluation.per_class());
        let view = view.figure(kept(evaluation.confusion_matrix()?, "confusion_matrix")?);
        let view = view.figure(kept(evaluation.reliability()?, "reliability")?);
        Ok(match evaluation.top_losses(WORST) {
            Ok(figure) => view.figure(kept(figure, "top_losses")?),
            Err(error) => view.line(format!("the largest losses cannot be shown: {}", error.what())),
        })
    }

    /// The stored predictions on a part.
    pub(super) fn evaluation(&self, part: &str) -> Result<Evaluation> {
        let Some(measured) = self.measured(part) else {
            let what = format!("the {part} photos were evaluated before the last training");
            return Err(Error::new(ErrorKind::Checkpoint, what).mend("evaluate them again"));
        };
        let read = read_predictions(&self.predictions(part), &self.made_by.model)?;
        Ok(Evaluation { trusted: measured.trusted, ..read })
    }

    fn title(&self) -> String {
        format!("run {}", self.name)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![("model", self.made_by.model.clone()), ("state", self.state())];
        if let Some(best) = self.history.best() {
            let of = format!("{} of {}", best.epoch, self.history.epochs.len());
            let (loss, accuracy) = (best.val_loss, 100.0 * best.val_accuracy);
            facts.push(("best epoch", format!("{of}; validation loss {loss:.4}, accuracy {accuracy:.1} %")));
        }
        for (part, name) in PARTS.iter().zip(["test accuracy", "val accuracy", "train accuracy"]) {
            facts.extend(self.measured(part).map(|measured| (name, interval(measured))));
        }
        facts.push(("time", format!("{} in all epochs", duration(self.seconds()))));
        facts.push(("folder", self.folder.display().to_string()));
        let card = self.card_file();
        if card.exists() {
            let changed = matches!(standing_at(&card), Ok(Standing::Changed(_) | Standing::Foreign));
            facts.push(("model card", Written { path: card, is_new: !changed }.words()));
        }
        facts
    }

    fn state(&self) -> String {
        let ended: Vec<_> =
            self.made_by.ended.iter().map(|(phase, reason)| format!("{phase} finished: {reason}")).collect();
        let last = self.history.epochs.last().map(|epoch| epoch.phase.clone());
        match last {
            None => "no epoch yet".into(),
            Some(_) if self.is_finished() => ended.join("; "),
            Some(phase) => {
                let now = format!("{phase} under way or stopped: its fit cell goes on with it");
                ended.into_iter().chain([now]).collect::<Vec<_>>().join("; ")
            }
        }
    }
}

/// Photos with the largest losses on a run's page.
const WORST: usize = 12;

impl Runs {
    /// All runs, the best marked; which settings differ; what cannot be read, and why.
    pub fn view(&self) -> View {
        if self.runs.is_empty() && self.unreadable.is_empty() {
            return View::new("no run yet")
                .facts([("folder", self.folder.display().to_string())])
                .hint("next: the fit cells");
        }
        let mut view = View::new(match self.runs.len() {
            1 => "1 run".to_string(),
            count => format!("{count} runs, the lowest validation loss first"),
        });
        if !self.runs.is_empty() {
            view = view.table_or_why(self.table());
        }
        if !self.is_comparable() {
            view = view.hint(
                "these runs were measured on different validation photos (column photos): their losses say nothing of which run is better, \
                 so none is marked",
            );
        }
        if self.runs.len() > 1 {
            view = view.table_or_why(self.differing());
            if let Ok(figure) = self.curves() {
                view = view.figure(figure);
            }
        }
        if !self.unreadable.is_empty() {
            let name = |path: &std::path::PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let table = Table::new([
                ("cannot be read", Cells::Text(self.unreadable.iter().map(|(path, _)| name(path)).collect())),
                ("why", Cells::Text(self.unreadable.iter().map(|(_, error)| error.what().to_string()).collect())),
                (
                    "mend",
                    Cells::Text(self.unreadable.iter().map(|(_, e)| e.how_to_mend().unwrap_or("").into()).collect()),
                ),
            ]);
            view = view.table_or_why(table);
        }
        view.facts([("folder", self.folder.display().to_string())]).hint(
            "each folder has a report.html, to be opened in a browser; one run: Runs::open(&project)?.get(\"name\")?",
        )
    }

    /// A row a run.
    pub fn table(&self) -> Result<Table> {
        let runs = &self.runs;
        let best = self.best().map(|run| run.name.clone());
        let text = |value: &dyn Fn(&RunRecord) -> String| Cells::Text(runs.iter().map(value).collect());
        let of_best = |value: fn(&crate::train::Epoch) -> f64| -> Vec<f64> {
            runs.iter().map(|run| run.history.best().map_or(f64::NAN, value)).collect()
        };
        let mut columns = vec![
            ("best", text(&|run| if Some(&run.name) == best.as_ref() { "★" } else { "" }.into())),
            ("run", text(&|run| run.name.clone())),
            ("val loss", Cells::Numbers(of_best(|epoch| epoch.val_loss), 4)),
            ("val accuracy", Cells::Shares(of_best(|epoch| epoch.val_accuracy))),
            ("test accuracy (95 %)", text(&|run| run.measured("test").map_or("–".into(), short_interval))),
            ("epochs", Cells::Counts(runs.iter().map(|run| run.history.epochs.len() as u64).collect())),
            ("time", text(&|run| duration(run.seconds()))),
            ("state", text(&|run| if run.is_finished() { "finished" } else { "unfinished" }.into())),
            ("trained", text(&|run| trained(run))),
        ];
        if !self.is_comparable() {
            columns.insert(2, ("photos", text(&|run| run.val_photos().chars().take(6).collect())));
        }
        Table::new(columns)
    }

    /// The settings that are not the same in all runs: a row a run, a column a setting.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if none differs.
    pub fn differing(&self) -> Result<Table> {
        let differences = self.differences();
        if differences.is_empty() {
            return Err(Error::new(ErrorKind::Render, "all runs have the same settings"));
        }
        let names = self.runs.iter().map(|run| run.name.clone()).collect();
        let settings = differences.into_iter().map(|(setting, values)| (setting, Cells::Text(values)));
        let columns = std::iter::once(("run".to_string(), Cells::Text(names))).chain(settings);
        Ok(Table::new(columns)?.caption("settings that differ"))
    }

    /// Validation losses of the runs, the first seven with an epoch, over the epochs.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if no run has an epoch.
    pub fn curves(&self) -> Result<Figure> {
        let lines: Vec<(&str, Vec<(f64, f64)>)> = self
            .runs
            .iter()
            .map(|run| {
                let epochs = run.history.epochs.iter().filter(|epoch| epoch.val_loss.is_finite());
                (run.name.as_str(), epochs.map(|epoch| (epoch.epoch as f64, epoch.val_loss)).collect())
            })
            .filter(|(_, points): &(&str, Vec<_>)| !points.is_empty())
            .take(COLOURS.len())
            .collect();
        let points = || lines.iter().flat_map(|(_, points)| points);
        let (epochs, high) =
            points().fold((1.0, 0.0), |(e, h): (f64, f64), (epoch, loss)| (e.max(*epoch), h.max(*loss)));
        if lines.is_empty() {
            return Err(Error::new(ErrorKind::Render, "no run has an epoch to draw yet").mend("run a fit cell first"));
        }
        let drawn = draw((1000, 400), |canvas| {
            let heights = (0.0, high * 1.08 + 1e-3);
            let mut chart = over_epochs(&canvas.area, "validation loss", epochs as usize, 20, heights)?;
            for ((name, points), colour) in lines.iter().zip(COLOURS) {
                chart
                    .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3))?
                    .label(canvas.fitted(name, 15.0, 300))
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            }
            legend(&mut chart, SeriesLabelPosition::UpperRight)
        })?;
        let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
        Figure::new(&drawn, format!("validation loss over the epochs of {}", names.join(", ")))
    }
}

fn interval(measured: &Measured) -> String {
    let Measured { photos, loss, .. } = measured;
    format!("{} on {}; loss {loss:.4}", short_interval(measured), counted(*photos, "photo"))
}

fn short_interval(measured: &Measured) -> String {
    let Measured { accuracy, accuracy_low, accuracy_high, .. } = measured;
    format!("{:.1} % ({:.1}–{:.1})", 100.0 * accuracy, 100.0 * accuracy_low, 100.0 * accuracy_high)
}

/// How long ago an epoch was last saved.
fn trained(run: &RunRecord) -> String {
    let modified = std::fs::metadata(run.history_file()).and_then(|found| found.modified());
    modified.ok().and_then(|time| time.elapsed().ok()).map_or("–".into(), ago)
}
