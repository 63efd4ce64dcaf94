//! Learning curves.

use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, Circle, DashedLineSeries, DrawingArea, LineSeries, PathElement, SeriesLabelPosition,
};
use plotters::style::{Color, ShapeStyle};

use super::figure::{BLUE, Figure, INK, Painted, SOFT, VERMILION, draw, epoch_axes, legend, over_epochs, style};
use super::scaled::Scaled;
use super::words::counted;
use crate::base::error::{Error, ErrorKind, Result};
use crate::train::History;

impl History {
    /// Loss and accuracy over the epochs, for training and validation photos, with a line where a phase begins and a ring around
    /// the best epoch; below, the learning rate at each epoch's end.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if there is no epoch yet.
    pub fn curves(&self) -> Result<Figure> {
        let Some(last) = self.epochs.last() else {
            return Err(Error::new(ErrorKind::Render, "there is no epoch to draw yet").mend("run the fit cell first"));
        };
        let description = format!(
            "loss and accuracy over {}; the last validation loss is {:.4}, accuracy {:.1} %",
            counted(self.epochs.len(), "epoch"),
            last.val_loss,
            100.0 * last.val_accuracy
        );
        let rates: Vec<(f64, f64)> =
            self.epochs.iter().map(|epoch| (epoch.epoch as f64, epoch.learning_rate)).collect();
        // One rate is no curve; a logarithm is of numbers above 0.
        let drawn_rates = rates.iter().all(|(_, rate)| (1e-12..=1e6).contains(rate)) && rates.len() > 1;
        let drawn = draw((1000, if drawn_rates { 540 } else { 400 }), |canvas| {
            let (above, below) = canvas.area.split_vertically(400);
            if drawn_rates {
                self.rate_panel(&below)?;
            }
            let (left, right) = above.split_horizontally(500);
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
    /// The learning rate over the epochs: phases and schedules differ by powers of ten.
    fn rate_panel(&self, area: &DrawingArea<Scaled, Shift>) -> Painted {
        let rates = || self.epochs.iter().map(|epoch| epoch.learning_rate.log10());
        let (low, high) =
            rates().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), rate| (low.min(rate), high.max(rate)));
        // Whole powers of ten, one on each side of a rate that stays.
        let (low, high) = ((low + 1e-9).floor(), (high - 1e-9).ceil());
        let (low, high) = if low < high { (low, high) } else { (high - 1.0, low + 1.0) };
        let mut chart = ChartBuilder::on(area)
            .caption("learning rate", style(18.0, INK))
            .margin_left(14)
            .margin_right(14)
            .margin_bottom(10)
            .x_label_area_size(26)
            .y_label_area_size(58)
            .build_cartesian_2d(0.5..self.epochs.len() as f64 + 0.5, low - 0.15..high + 0.15)?;
        let power_of_ten = |power: &f64| if power.fract() == 0.0 { format!("1e{power}") } else { String::new() };
        let values = (high - low) as usize + 1;
        epoch_axes(&mut chart, self.epochs.len().clamp(2, 24), Some(values), &power_of_ten, None)?;
        // Between phases it jumps.
        for phase in self.epochs.chunk_by(|one, next| one.phase == next.phase) {
            let points = || phase.iter().map(|epoch| (epoch.epoch as f64, epoch.learning_rate.log10()));
            chart.draw_series(LineSeries::new(points(), INK.stroke_width(2)))?;
            chart.draw_series(points().map(|point| Circle::new(point, 3, INK.filled())))?;
        }
        Ok(())
    }
}
