//! What a search among settings has found: a table, a picture, and what comes next.

use plotters::prelude::{Circle, LineSeries, PathElement, SeriesLabelPosition};
use plotters::style::{Color, RGBColor};

use super::figure::{BLUE, Figure, VERMILION, draw, legend, over_epochs};
use super::table::{Cells, Table};
use super::words::{counted, duration};
use super::{View, shows};
use crate::base::error::{Error, ErrorKind, Result};
use crate::train::{Halving, Tried};

shows!(Halving);

/// What was dropped on the way.
const DROPPED: RGBColor = RGBColor(170, 170, 170);

impl Halving {
    /// The winner, a row for each of the settings, and how they went.
    pub fn view(&self) -> View {
        let tried = self.rungs.first().map_or(0, |rung| rung.tried.len());
        let title = match self.winner() {
            Some(winner) => format!("best of {tried} on {}: {}", counted(self.photos, "validation photo"), winner.name),
            None => "the search was stopped; the same call goes on".to_owned(),
        };
        let mut view = View::new(title).table_or_why(self.table());
        view = match self.curves() {
            Ok(figure) => view.figure(figure),
            Err(error) => view.line(error.to_string()),
        };
        view = view.facts([("training", duration(self.seconds()))]);
        if let Some(winner) = self.winner() {
            let one = 100.0 / self.photos.max(1) as f64;
            view = view.line(format!("One validation photo is {one:.1} points: the best of many is partly luck."));
            view = view
                .hint(format!("measure the winner on the test photos, once: petal evaluate --model {}", winner.run));
        }
        view
    }

    /// A row for each of the settings, the one that got farthest first: accuracy after each round, the last loss, and the time that training took.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if nothing was tried.
    pub fn table(&self) -> Result<Table> {
        let last = self.last();
        if last.is_empty() {
            return Err(Error::new(ErrorKind::Render, "nothing was tried to its end yet"));
        }
        let names = Cells::Text(last.iter().map(|tried| tried.name.clone()).collect());
        let mut columns = vec![("settings".to_owned(), names)];
        for rung in &self.rungs {
            let accuracy = |of: &&Tried| {
                let found = rung.tried.iter().find(|tried| tried.name == of.name);
                found.map_or("–".to_owned(), |tried| format!("{:.1} %", 100.0 * tried.accuracy))
            };
            columns.push((counted(rung.epochs, "epoch"), Cells::Text(last.iter().map(accuracy).collect())));
        }
        columns.push(("val loss".to_owned(), Cells::Numbers(last.iter().map(|tried| tried.loss).collect(), 4)));
        columns.push(("time".to_owned(), Cells::Text(last.iter().map(|tried| duration(tried.seconds)).collect())));
        columns.push(("run".to_owned(), Cells::Text(last.iter().map(|tried| tried.run.clone()).collect())));
        Table::new(columns)
    }

    /// Validation accuracy over the epochs of the last phase, a point for each round, a line for each of the settings; the winner's stands out, those that were dropped are grey.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if nothing was tried.
    pub fn curves(&self) -> Result<Figure> {
        let last = self.last();
        let accuracies = || self.rungs.iter().flat_map(|rung| &rung.tried).map(|tried| 100.0 * tried.accuracy);
        let (low, high) = accuracies().fold((100.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
        if last.is_empty() {
            return Err(Error::new(ErrorKind::Render, "nothing was tried to its end yet"));
        }
        let room = (0.12 * (high - low)).max(1.0);
        let (low, high) = ((low - room).max(0.0), (high + room).min(100.0));
        let rounds = self.rungs.len();
        let epochs = self.rungs.iter().map(|rung| rung.epochs).max().unwrap_or(1);
        let drawn = draw((1000, 400), |canvas| {
            let mut chart = over_epochs(&canvas.area, "validation accuracy, %", epochs, 20, (low, high))?;
            let winner = self.winner().map(|winner| winner.name.as_str());
            // The winner's over all others.
            let mut named = std::collections::BTreeSet::new();
            for tried in last.iter().rev() {
                let points: Vec<(f64, f64)> = self
                    .rungs
                    .iter()
                    .filter_map(|rung| {
                        let found = rung.tried.iter().find(|other| other.name == tried.name)?;
                        Some((rung.epochs as f64, 100.0 * found.accuracy))
                    })
                    .collect();
                let (name, colour, width) = match () {
                    () if Some(tried.name.as_str()) == winner => ("the best", VERMILION, 3),
                    () if points.len() == rounds => ("in the last round", BLUE, 2),
                    () => ("dropped", DROPPED, 2),
                };
                let line = LineSeries::new(points.iter().copied(), colour.stroke_width(width));
                let drawn = chart.draw_series(line)?;
                if named.insert(name) {
                    drawn
                        .label(name)
                        .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(width)));
                }
                chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
            }
            legend(&mut chart, SeriesLabelPosition::LowerRight)
        })?;
        let winner = self.winner().map_or("none yet", |winner| winner.name.as_str());
        Figure::new(
            &drawn,
            format!("validation accuracy of {} settings over {rounds} rounds; the best: {winner}", last.len()),
        )
    }

    /// Each of the settings where it got to, the one that got farthest first.
    fn last(&self) -> Vec<&Tried> {
        let mut seen: Vec<&Tried> = Vec::new();
        for tried in self.rungs.iter().rev().flat_map(|rung| &rung.tried) {
            if seen.iter().all(|other| other.name != tried.name) {
                seen.push(tried);
            }
        }
        seen
    }
}
