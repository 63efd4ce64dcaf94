//! The curve of a learning-rate range test, with its suggestion; and the lines that it prints.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use plotters::prelude::{ChartBuilder, Circle, DashedLineSeries, IntoLogRange, LineSeries, Rectangle};
use plotters::style::{Color, RGBColor, ShapeStyle, WHITE};

use super::bar::Bar;
use super::figure::{Anchor, BLUE, Canvas, Figure, INK, Painted, SOFT, VERMILION, draw, style};
use super::{View, kernel, progress, shows};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::work::{Progress, Unit, Work};
use crate::train::{LrFind, SweepEnd, Sweeping};

shows!(LrFind);

impl LrFind {
    /// The smoothed loss over the learning rate, the batches' own losses behind it, the suggestion and the present rate.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if fewer than two steps were taken.
    pub fn curve(&self) -> Result<Figure> {
        let [first, .., last] = self.steps.as_slice() else {
            return Err(Error::new(ErrorKind::Render, "there is no curve: fewer than two steps were taken")
                .mend("let lr_find run on, or sweep a lower range of learning rates"));
        };
        let (low, high) = self.heights();
        // The smoothed line ends where it leaves the picture; the batches' losses are left out there, too.
        let smooth: Vec<_> = self.steps.iter().map(|s| (s.learning_rate, s.smoothed)).filter(|p| p.1 <= high).collect();
        let raw: Vec<_> = self.steps.iter().map(|s| (s.learning_rate, s.loss)).filter(|p| p.1 <= high).collect();
        let suggested = self.suggestion().map(|suggestion| suggestion.valley);
        let marks: Vec<(f64, RGBColor, String)> =
            [(suggested, VERMILION, "suggested"), (Some(self.current), SOFT, "as set now")]
                .into_iter()
                .filter_map(|(rate, colour, name)| Some((rate?, colour, format!("{name}: {:.1e}", rate?))))
                .filter(|(rate, ..)| (first.learning_rate..=last.learning_rate).contains(rate))
                .collect();
        let drawn = draw((1000, 440), |canvas| {
            let title = format!("learning rate for phase {}", self.phase);
            canvas.text(&canvas.fitted(&title, 20.0, 960), (16, 26), 20.0, INK, Anchor::Left)?;
            // Above the chart: in it, it would hide some curve or other.
            let entries = [(FAINT, "batch by batch"), (BLUE, "smoothed")].into_iter();
            legend(canvas, entries.chain(marks.iter().map(|(_, colour, name)| (*colour, name.as_str()))))?;
            let mut chart = ChartBuilder::on(&canvas.area)
                .margin(14)
                .margin_top(70)
                .margin_right(26)
                .x_label_area_size(46)
                .y_label_area_size(62)
                .build_cartesian_2d((first.learning_rate..last.learning_rate).log_scale(), low..high)?;
            chart
                .configure_mesh()
                .light_line_style(WHITE)
                .bold_line_style(RGBColor(228, 228, 228))
                .axis_style(SOFT)
                .x_labels(10)
                .x_label_formatter(&|rate| format!("{rate:.0e}"))
                .y_label_formatter(&|loss| if high - low < 1.0 { format!("{loss:.2}") } else { format!("{loss:.1}") })
                .x_desc("learning rate of the step")
                .y_desc("loss (cross-entropy)")
                .label_style(style(15.0, INK))
                .axis_desc_style(style(15.0, SOFT))
                .draw()?;
            chart.draw_series(raw.iter().map(|point| Circle::new(*point, 2, FAINT.filled())))?;
            for (rate, colour, _) in &marks {
                let line = ShapeStyle::from(colour).stroke_width(2);
                chart.draw_series(DashedLineSeries::new([(*rate, low), (*rate, high)], 6, 4, line))?;
            }
            chart.draw_series(LineSeries::new(smooth.iter().copied(), BLUE.stroke_width(3)))?;
            if let Some(step) = self.steps.iter().find(|step| Some(step.learning_rate) == suggested) {
                let ring = Circle::new((step.learning_rate, step.smoothed), 7, VERMILION.stroke_width(3));
                chart.draw_series([ring])?;
            }
            Ok(())
        })?;
        let suggestion = suggested.map_or("none".into(), |rate| format!("{rate:.1e}"));
        Figure::new(&drawn, format!("loss over the learning rate for phase {}; suggested: {suggestion}", self.phase))
    }

    /// From below the lowest loss of a batch to somewhat above the first smoothed one: where the loss explodes, the picture ends, or the
    /// fall would be flat beside it.
    fn heights(&self) -> (f64, f64) {
        let smoothed = || self.steps.iter().map(|step| step.smoothed);
        let lowest = smoothed().fold(f64::INFINITY, f64::min);
        let lowest_batch = self.steps.iter().map(|step| step.loss).fold(lowest, f64::min);
        // The highest before the lowest: what the fall starts from.
        let begin = smoothed().take_while(|loss| *loss > lowest).fold(lowest, f64::max);
        let room = (0.25 * (begin - lowest)).max(0.02 * begin).max(1e-3);
        ((lowest_batch - 0.2 * room).max(0.0), begin + room)
    }

    /// The curve, and which learning rate it speaks for.
    pub fn view(&self) -> View {
        let title = match self.suggestion() {
            Some(suggestion) => format!("suggested learning rate for phase {}: {:.1e}", self.phase, suggestion.valley),
            None => format!("no learning rate to suggest for phase {}", self.phase),
        };
        let mut view = View::new(title);
        view = match self.curve() {
            Ok(figure) => view.figure(figure),
            Err(error) => view.line(error.to_string()),
        };
        let last = self.steps.last().map_or(String::new(), |step| format!(" at {:.1e}", step.learning_rate));
        let ended = match self.ended {
            SweepEnd::AllSteps => "after all steps; the loss never grew to four times its lowest value".into(),
            SweepEnd::Grew => format!("where the smoothed loss was four times its lowest value{last}"),
            SweepEnd::NotFinite => format!("where a loss was no longer finite; the last one that was is{last}"),
            SweepEnd::Stopped => "because a stop was asked for".into(),
        };
        let mut facts = vec![("as set now", format!("{:.1e}", self.current))];
        if let Some(suggestion) = self.suggestion() {
            facts.insert(0, ("suggested", format!("{:.1e} (in the middle of the longest fall)", suggestion.valley)));
            facts.push(("steepest fall", format!("{:.1e}", suggestion.steepest)));
            facts.push(("a tenth of the lowest", format!("{:.1e}", suggestion.tenth_of_lowest)));
        }
        facts.push(("ended", format!("{ended}, {} of {} steps", self.steps.len(), self.planned)));
        facts.push(("method", "range test of Smith 2015 (arXiv:1506.01186), suggestions as in fastai".into()));
        view = view.facts(facts);
        match self.suggestion() {
            None => view.hint("too few steps to tell: let it run to its end, or sweep a lower range"),
            Some(_) if self.fall() < LITTLE => view.hint(format!(
                "the loss falls by only {:.0} %, which may be chance: this curve says little. So it is where a network has learned already; keep the \
                 rate as it is",
                100.0 * self.fall().max(0.0)
            )),
            Some(suggestion) => view.hint(format!(
                "to train with it: learning_rate: {:.1e} in this phase's settings. Any rate on the steep part works about as well; the \
                 weights are as they were",
                suggestion.valley
            )),
        }
    }
}

/// Okabe and Ito's blue, mixed with white: what is behind a line.
const FAINT: RGBColor = RGBColor(153, 199, 224);

/// A row of colours with their names, below the title.
fn legend<'a>(canvas: &Canvas, entries: impl Iterator<Item = (RGBColor, &'a str)>) -> Painted {
    let (mut x, y) = (16, 54);
    for (colour, name) in entries {
        canvas.area.draw(&Rectangle::new([(x, y - 2), (x + 22, y + 2)], colour.filled()))?;
        canvas.text(name, (x + 30, y), 15.0, INK, Anchor::Left)?;
        x += 30 + canvas.width(name, 15.0) + 28;
    }
    Ok(())
}

/// A fall of less than this part of the loss may be chance: so much does a smoothed loss wander by itself.
const LITTLE: f64 = 0.2;

/// Shows a bar, or prints a line now and then, so that a long test is not silent.
#[derive(Debug)]
pub struct Lines {
    last: Instant,
    bar: Bar,
}

impl Lines {
    /// Nothing is printed yet; the time runs.
    pub fn begin() -> Self {
        Self { last: Instant::now(), bar: Bar::new() }
    }

    /// Shows an event: as a bar where the kernel can show one, or else as a line, if it is time for one. Asks to stop where Jupyter's Stop does.
    pub fn show(&mut self, event: Sweeping) -> ControlFlow<()> {
        const QUIET: Duration = Duration::from_secs(10);
        if kernel::is_listening() {
            let (name, unit, done, total) = match &event {
                Sweeping::Room(_) => return ControlFlow::Continue(()),
                Sweeping::Caching { done, total } => ("frozen layers", Unit::Photos, *done, *total),
                Sweeping::Step { done, total, .. } => ("looking for the learning rate", Unit::Steps, *done, *total),
            };
            return self.bar.tell(&Work { done: done as u64, ..Work::new(name, unit, total as u64) });
        }
        if let Sweeping::Room(room) = &event {
            println!("{}", progress::room(room));
        }
        if self.last.elapsed() >= QUIET {
            self.last = Instant::now();
            match event {
                Sweeping::Room(_) => {}
                Sweeping::Caching { done, total } => println!("frozen layers: {done} of {total} photos"),
                Sweeping::Step { done, total, step } => {
                    println!(
                        "step {done} of {total}: learning rate {:.1e}, loss {:.4}",
                        step.learning_rate, step.smoothed
                    );
                }
            }
        }
        ControlFlow::Continue(())
    }
}
