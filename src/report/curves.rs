//! Learning curves.

use plotters::coord::Shift;
use plotters::prelude::{Circle, DashedLineSeries, DrawingArea, LineSeries, PathElement, SeriesLabelPosition};
use plotters::style::{Color, ShapeStyle};

use super::figure::{BLUE, Figure, INK, Painted, SOFT, VERMILION, draw, legend, over_epochs, style};
use super::scaled::Scaled;
use crate::base::error::{Error, ErrorKind, Result};
use crate::train::History;

impl History {
    /// Loss and accuracy over the epochs, for training and validation photos, with a line where a phase begins and a ring around
    /// the best epoch.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if there is no epoch yet.
    pub fn curves(&self) -> Result<Figure> {
        let Some(last) = self.epochs.last() else {
            return Err(Error::new(ErrorKind::Render, "there is no epoch to draw yet").mend("run the fit cell first"));
        };
        let description = format!(
            "loss and accuracy over {} epochs; the last validation loss is {:.4}, accuracy {:.1} %",
            self.epochs.len(),
            last.val_loss,
            100.0 * last.val_accuracy
        );
        let drawn = draw((1000, 400), |canvas| {
            let (left, right) = canvas.area.split_horizontally(500);
            // What is no number, or so large that plotters would look for its axis for ever, is left out.
            let panel = |value: fn(&crate::train::Epoch) -> f64| -> Vec<(usize, f64)> {
                let values = self.epochs.iter().map(|epoch| (epoch.epoch, value(epoch)));
                values.filter(|(_, value)| (0.0..=1e9).contains(value)).collect()
            };
            self.panel(&left, "loss (cross-entropy)", [panel(|e| e.train_loss), panel(|e| e.val_loss)], None)?;
            let accuracy = [panel(|e| 100.0 * e.train_accuracy), panel(|e| 100.0 * e.val_accuracy)];
            self.panel(&right, "accuracy, %", accuracy, Some(100.0))
        })?;
        Figure::new(&drawn, description)
    }

    fn panel(
        &self,
        area: &DrawingArea<Scaled, Shift>,
        title: &str,
        [train, val]: [Vec<(usize, f64)>; 2],
        most: Option<f64>,
    ) -> Painted {
        let values = || train.iter().chain(&val).map(|(_, value)| *value);
        let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low.is_finite() { (low, high) } else { (0.0, 1.0) };
        let room = ((high - low) * 0.08).max(high.abs() * 0.01).max(1e-3);
        // Losses start at 0, so that small changes look small; accuracies end at 100.
        let (low, high) = match most {
            None => (0.0, high + room),
            Some(most) => ((low - room).max(0.0), most),
        };
        let mut chart = over_epochs(area, title, self.epochs.len(), 12, (low, high))?;
        for boundary in self.epochs.windows(2).filter(|pair| pair[0].phase != pair[1].phase) {
            let x = boundary[0].epoch as f64 + 0.5;
            let line = ShapeStyle::from(SOFT).stroke_width(1);
            chart.draw_series(DashedLineSeries::new([(x, low), (x, high)], 5, 4, line))?;
            let (px, _) = chart.backend_coord(&(x, high));
            let (base_x, _) = area.get_base_pixel();
            let text = style(14.0, SOFT).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Left,
                plotters::style::text_anchor::VPos::Top,
            ));
            // Half-way up, where neither falling losses nor rising accuracies pass.
            area.draw_text(&boundary[1].phase, &text, (px - base_x + 6, 190))?;
        }
        for (name, points, colour) in [("training", &train, BLUE), ("validation", &val, VERMILION)] {
            let points: Vec<(f64, f64)> = points.iter().map(|(epoch, value)| (*epoch as f64, *value)).collect();
            chart
                .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
        if let Some(best) = self.best() {
            let of_best = val.iter().filter(|(epoch, _)| *epoch == best.epoch);
            let ring = of_best.map(|(epoch, value)| Circle::new((*epoch as f64, *value), 8, INK.stroke_width(2)));
            chart
                .draw_series(ring)?
                .label("best epoch")
                .legend(|(x, y)| Circle::new((x + 9, y), 6, INK.stroke_width(2)));
        }
        // Where the lines do not end.
        let ends = [&train, &val].map(|points| points.last().map_or(low, |(_, value)| *value));
        let high_end = ends.iter().sum::<f64>() / 2.0 > (low + high) / 2.0;
        let corner = if high_end { SeriesLabelPosition::LowerRight } else { SeriesLabelPosition::UpperRight };
        legend(&mut chart, corner)
    }
}
