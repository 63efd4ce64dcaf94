//! The reliability diagram: how often the photos of each confidence are right.

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::prelude::{Circle, DashedLineSeries, DrawingArea, PathElement, RGBColor, Rectangle};
use plotters::style::{Color, ShapeStyle};

use super::figure::{BLUE, Figure, INK, Painted, SOFT, VERMILION, draw, style};
use super::scaled::Scaled;
use crate::base::error::Result;
use crate::eval::Evaluation;
use crate::eval::calibration::{Bin, bins};

/// Bins that are drawn: fewer than the error is measured in, so that each has photos enough.
const BINS: usize = 10;

impl Evaluation {
    /// The reliability diagram: for photos of about the same confidence, how often the class is right, with Wilson's 95 % interval and the number of photos;
    /// on the dashed line a probability says just that. Beside it the same before calibration, where that changed them.
    pub fn reliability(&self) -> Result<Figure> {
        let own = match self.trusted {
            None => "raw",
            Some(trusted) if trusted.temperature.value == 1.0 => "calibrated (no temperature helps)",
            Some(_) => "calibrated",
        };
        let mut panels = vec![(own, BLUE, self.clone())];
        if own == "calibrated" {
            panels.insert(0, ("raw", VERMILION, self.raw()));
        }
        let said: Vec<String> = panels
            .iter()
            .map(|(name, _, evaluation)| format!("{name}: calibration error {:.3}", evaluation.calibration_error()))
            .collect();
        let description = format!("reliability diagram of {}; {}", self.model, said.join("; "));
        let drawn = draw((500 * panels.len(), 480), |canvas| {
            for (area, ((_, colour, evaluation), said)) in
                canvas.area.split_evenly((1, panels.len())).iter().zip(panels.iter().zip(&said))
            {
                panel(area, said, &bins(&evaluation.answers(), BINS), *colour)?;
            }
            Ok(())
        })?;
        Figure::new(&drawn, description)
    }
}

fn panel(area: &DrawingArea<Scaled, Shift>, title: &str, bins: &[Bin], colour: RGBColor) -> Painted {
    let (above, below) = area.split_vertically(380);
    let mut chart = ChartBuilder::on(&above)
        .caption(title, style(18.0, INK))
        .margin(14)
        .margin_bottom(0)
        .x_label_area_size(0)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    let percent = |share: &f64| format!("{:.0}", 100.0 * share);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(plotters::style::WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .axis_style(SOFT)
        .y_desc("right, %")
        .y_labels(6)
        .y_label_formatter(&percent)
        .label_style(style(15.0, INK))
        .axis_desc_style(style(15.0, SOFT))
        .draw()?;
    let line = ShapeStyle::from(SOFT).stroke_width(1);
    chart.draw_series(DashedLineSeries::new([(0.0, 0.0), (1.0, 1.0)], 6, 5, line))?;
    for bin in bins.iter().filter(|bin| bin.photos > 0) {
        let x = bin.confidence;
        let (low, high) = (bin.accuracy.low, bin.accuracy.high);
        for ends in [
            vec![(x, low), (x, high)],
            vec![(x - 0.012, low), (x + 0.012, low)],
            vec![(x - 0.012, high), (x + 0.012, high)],
        ] {
            chart.draw_series([PathElement::new(ends, colour.stroke_width(2))])?;
        }
        chart.draw_series([Circle::new((x, bin.accuracy.value), 5, colour.filled())])?;
    }
    counts(&below, bins, colour)
}

/// How many photos are in each bin, below the diagram.
fn counts(area: &DrawingArea<Scaled, Shift>, bins: &[Bin], colour: RGBColor) -> Painted {
    let most = bins.iter().map(|bin| bin.photos).max().unwrap_or(0).max(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .margin_top(8)
        .x_label_area_size(46)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..1.0, 0.0..1.6)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .axis_style(SOFT)
        .x_desc("confidence, %")
        .y_desc("photos")
        .x_labels(6)
        .x_label_formatter(&|share| format!("{:.0}", 100.0 * share))
        .y_labels(0)
        .label_style(style(15.0, INK))
        .axis_desc_style(style(15.0, SOFT))
        .draw()?;
    let width = 1.0 / bins.len().max(1) as f64;
    for (index, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.photos > 0) {
        let (left, height) = (index as f64 * width, bin.photos as f64 / most);
        let corners = [(left + 0.1 * width, 0.0), (left + 0.9 * width, height)];
        chart.draw_series([Rectangle::new(corners, colour.mix(0.35).filled())])?;
        let (x, y) = chart.backend_coord(&(left + 0.5 * width, height));
        let base = area.get_base_pixel();
        let text = style(13.0, INK).pos(plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Center,
            plotters::style::text_anchor::VPos::Bottom,
        ));
        area.draw_text(&bin.photos.to_string(), &text, (x - base.0, y - base.1 - 2))?;
    }
    Ok(())
}
