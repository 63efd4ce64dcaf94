//! What the checks of a CAM method found: numbers with a plain verdict, and two curves.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::{
    ChartBuilder, Circle, DashedLineSeries, DrawingArea, LineSeries, PathElement, SeriesLabelPosition,
};
use plotters::style::{Color, RGBColor, ShapeStyle, WHITE};

use super::figure::{BLUE, Figure, INK, Painted, SOFT, VERMILION, draw, legend, style};
use super::scaled::Scaled;
use super::words::{counted, short_list};
use super::{View, shows};
use crate::base::error::Result;
use crate::eval::Interval;
use crate::explain::check::{FEW, Randomized, Removal, SAME};
use crate::explain::{CamCheck, Verdict};

shows!(CamCheck);

impl CamCheck {
    /// What was found, line by line, with the curves.
    pub fn view(&self) -> View {
        let spread = if self.of > self.photos {
            format!(", spread evenly over {}", counted(self.of, "photo"))
        } else {
            String::new()
        };
        let mut view = View::new(format!("{}, checked on {}{spread}", self.method, counted(self.photos, "photo")));
        view = view.line(self.verdict());
        let randomized =
            self.randomized.iter().map(|one| (format!("with random numbers in {}", one.what), forgotten(one)));
        view = view.facts(randomized.chain([
            ("pixels go, the warmest first".to_string(), removed(&self.deletion, "lower")),
            ("pixels come into a blurred photo".into(), removed(&self.insertion, "higher")),
            ("the class's probability".into(), self.ends()),
        ]));
        view = match self.figure() {
            Ok(figure) => view.figure(figure),
            Err(error) => view.line(error.to_string()),
        };
        if !self.unreadable.is_empty() {
            let names = self.unreadable.iter().map(|(path, _)| path.display().to_string());
            view = view.line(format!(
                "{} could not be read: {}",
                counted(self.unreadable.len(), "photo"),
                short_list(names)
            ));
        }
        view.hint(format!(
            "a map that stays the same (rank correlation above {SAME}) shows the photo's shapes, not what was learned (Adebayo et al. 2018); areas below the curves are RISE's \
             deletion and insertion (Petsiuk et al. 2018), beside an order that chance makes of a map of as many fields"
        ))
    }

    /// All of it in one sentence.
    pub fn verdict(&self) -> String {
        if self.is_small() {
            return format!("too few photos to tell: {} of at least {FEW}", self.photos);
        }
        let [head, stage] = &self.randomized;
        let learned = match (head.verdict(), stage.verdict()) {
            (Verdict::Good, Verdict::Good) => "the maps hang on what the network has learned",
            (_, Verdict::Bad) => {
                "the maps stay (nearly) the same without what the last stage and the head have learned: they show what stands out in a photo, not what \
                 speaks for a class"
            }
            (Verdict::Bad, _) => {
                "the maps do not hang on what the head has learned: they show what stands out in a photo, not what speaks for a class"
            }
            _ => "whether the maps hang on what the network has learned, these photos do not tell",
        };
        let found = match (self.deletes(), self.inserts()) {
            (Verdict::Good, Verdict::Good) => {
                "where they are warm is what the network goes by: its probability falls and rises sooner than by chance"
            }
            (Verdict::Bad, _) | (_, Verdict::Bad) => {
                "but where they are warm is not what the network goes by: an order of chance does better in one of the two curves"
            }
            (Verdict::Good, _) | (_, Verdict::Good) => {
                "where they are warm counts in one of the two curves; in the other it is no better than chance"
            }
            _ => "where they are warm is shown to be no better than chance",
        };
        format!("{learned}; {found}")
    }

    fn ends(&self) -> String {
        let percent = |value: Option<&f64>| format!("{:.0} %", 100.0 * value.unwrap_or(&0.0));
        format!(
            "{} for the photos as they are, {} for the same blurred, {} for a square of the mean colour",
            percent(self.deletion.by_map.first()),
            percent(self.insertion.by_map.first()),
            percent(self.deletion.by_map.last())
        )
    }

    /// The class's probability while pixels go, and while they come.
    ///
    /// # Errors
    /// What drawing can give.
    pub fn figure(&self) -> Result<Figure> {
        let blurred = *self.insertion.by_map.first().unwrap_or(&0.0);
        let drawn = draw((1000, 430), |canvas| {
            let (left, right) = canvas.area.split_horizontally(500);
            // Falling lines leave the lower left free, whichever falls later; rising ones the lower right.
            panel(
                &left,
                "deletion: pixels go, the warmest first",
                &self.deletion,
                blurred,
                SeriesLabelPosition::LowerLeft,
            )?;
            panel(
                &right,
                "insertion: pixels come into a blurred photo",
                &self.insertion,
                blurred,
                SeriesLabelPosition::LowerRight,
            )
        })?;
        let area =
            |removal: &Removal| format!("{:.3} by the map, {:.3} by chance", removal.areas().0, removal.areas().1);
        let description = format!(
            "{}: the probability of the class while pixels go (area {}) and while they come (area {})",
            self.method,
            area(&self.deletion),
            area(&self.insertion)
        );
        Figure::new(&drawn, description)
    }
}

/// One of the two charts.
fn panel(
    area: &DrawingArea<Scaled, Shift>,
    title: &str,
    removal: &Removal,
    blurred: f64,
    corner: SeriesLabelPosition,
) -> Painted {
    let mut chart = ChartBuilder::on(area)
        .caption(title, style(18.0, INK))
        .margin(14)
        .margin_right(26)
        .x_label_area_size(46)
        .y_label_area_size(62)
        .build_cartesian_2d(0.0..100.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .axis_style(SOFT)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.1}"))
        .x_desc("% of the pixels")
        .y_desc("probability of the class")
        .label_style(style(15.0, INK))
        .axis_desc_style(style(15.0, SOFT))
        .draw()?;
    let line = ShapeStyle::from(SOFT).stroke_width(1);
    chart
        .draw_series(DashedLineSeries::new([(0.0, blurred), (100.0, blurred)], 5, 4, line))?
        .label(format!("blurred photo: {blurred:.3}"))
        .legend(move |(x, y)| DashedPathElement::new([(x, y), (x + 18, y)], 5, 4, line));
    let (by_map, by_chance) = removal.areas();
    let lines =
        [("by chance", by_chance, &removal.by_chance, VERMILION), ("by the map", by_map, &removal.by_map, BLUE)];
    for (name, area, curve, colour) in lines {
        let steps = curve.len().max(2) - 1;
        let points: Vec<(f64, f64)> =
            curve.iter().enumerate().map(|(i, p)| (100.0 * i as f64 / steps as f64, *p)).collect();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(format!("{name}: area {area:.3}"))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
    }
    legend(&mut chart, corner)
}

fn forgotten(one: &Randomized) -> String {
    let Interval { value, low, high } = one.correlation;
    let verdict = match one.verdict() {
        Verdict::Good => "another map",
        Verdict::Bad => "the same map",
        Verdict::Open => "not clear",
    };
    format!("{verdict}: rank correlation {value:.2} (95 % interval {low:.2} to {high:.2}), SSIM {:.2}", one.ssim)
}

fn removed(removal: &Removal, better: &str) -> String {
    let ((by_map, by_chance), Interval { value, low, high }) = (removal.areas(), removal.gain);
    format!(
        "area {by_map:.3}, by chance {by_chance:.3}: {value:+.3} (95 % interval {low:+.3} to {high:+.3}), {better} is better"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(photos: usize, correlation: [f64; 2], gains: [f64; 2]) -> CamCheck {
        let around = |value: f64| Interval { value, low: value - 0.1, high: value + 0.1 };
        let randomized = |i: usize, what| Randomized { what, correlation: around(correlation[i]), ssim: 0.3 };
        let removal =
            |gain| Removal { by_map: vec![0.9, 0.4, 0.2], by_chance: vec![0.9, 0.7, 0.2], gain: around(gain) };
        CamCheck {
            method: "Some-CAM",
            photos,
            of: 100,
            unreadable: Vec::new(),
            randomized: [randomized(0, "the head"), randomized(1, "the head and the last stage")],
            deletion: removal(gains[0]),
            insertion: removal(gains[1]),
        }
    }

    #[test]
    fn a_verdict_is_plain_and_says_what_is_not_known() {
        let said = |photos, correlation, gains| check(photos, correlation, gains).verdict();
        assert!(said(7, [0.0; 2], [-0.2, 0.2]).starts_with("too few photos to tell: 7 of at least 8"));
        let good = said(8, [0.0; 2], [-0.2, 0.2]);
        assert!(
            good.contains("hang on what the network has learned; ") && good.contains("falls and rises sooner"),
            "{good}"
        );
        assert!(said(8, [0.9, 0.0], [-0.2, 0.2]).contains("not what speaks for a class"));
        assert!(said(8, [0.9; 2], [-0.2, 0.2]).contains("stay (nearly) the same"));
        assert!(said(8, [0.45; 2], [-0.2, 0.2]).contains("do not tell"));
        assert!(said(8, [0.0; 2], [0.2, 0.2]).contains("an order of chance does better"));
        assert!(said(8, [0.0; 2], [-0.2, 0.0]).contains("in one of the two"));
        assert!(said(8, [0.0; 2], [0.0, 0.0]).contains("no better than chance"));
        let text = check(8, [0.0; 2], [-0.2, 0.2]).text();
        for words in [
            "8 photos, spread evenly over 100 photos",
            "area 0.475, by chance 0.625",
            "90 % for the photos",
            "lower is better",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
