//! The confusion matrix as a picture: counts, and shares of each row.

use plotters::prelude::{RGBColor, Rectangle};
use plotters::style::Color;

use super::figure::{Anchor, Canvas, Figure, INK, Painted, SOFT, draw};
use super::words::thousands;
use crate::base::error::Result;
use crate::eval::Evaluation;

impl Evaluation {
    /// The confusion matrix as a picture: rows are the true classes, columns the predicted ones; each cell says how many photos,
    /// and what share of its row. Of more than a hundred classes, it shows the shares as shades alone, in the order of the classes: where
    /// they lie tells what is mixed up with what, and [`Evaluation::most_confused`] names it.
    pub fn confusion_matrix(&self) -> Result<Figure> {
        let confusion = self.confusion();
        let rows = confusion.rows();
        let layout = Layout::of(rows.len());
        let names: &[String] = if layout.is_named() { &self.classes } else { &[] };
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(1) as i32;
        let left = (longest * 10 + 60).clamp(110, 260);
        let slanted = longest * 10 > layout.cell - 8;
        let top = 84 + if slanted { (longest * 9).clamp(0, 200) } else { 28 };
        let width = left + layout.cell * rows.len() as i32 + 24;
        let height = top + layout.cell * rows.len() as i32 + 24;
        let right: usize = (0..rows.len()).map(|class| rows[class][class]).sum();
        let title = format!("{}: {right} of {} photos right", self.model, confusion.total());
        let description = format!("confusion matrix of {title}");
        let drawn = draw((width as usize, height as usize), |canvas| {
            canvas.text(&canvas.fitted(&title, 20.0, width - 32), (16, 26), 20.0, INK, Anchor::Left)?;
            let predicted = match names.len() {
                0 => format!("predicted; {} classes, in the order of their names", thousands(rows.len() as u64)),
                _ => "predicted".to_string(),
            };
            canvas.text(&predicted, (left + (width - 24 - left) / 2, 58), 16.0, SOFT, Anchor::Centre)?;
            canvas.upward("true", (20, top + (height - 24 - top) / 2), 16.0, SOFT, Anchor::Centre)?;
            for (class, name) in names.iter().enumerate() {
                let middle = class as i32 * layout.cell + layout.cell / 2;
                let row_name = canvas.fitted(name, layout.name, left - 48);
                canvas.text(&row_name, (left - 10, top + middle), layout.name, INK, Anchor::Right)?;
                if slanted {
                    let name = canvas.fitted(name, layout.name, top - 90);
                    canvas.upward(&name, (left + middle, top - 10), layout.name, INK, Anchor::Left)?;
                } else {
                    canvas.text(name, (left + middle, top - 16), layout.name, INK, Anchor::Centre)?;
                }
            }
            for (target, row) in rows.iter().enumerate() {
                let total: usize = row.iter().sum();
                for (predicted, &count) in row.iter().enumerate() {
                    let at = (left + predicted as i32 * layout.cell, top + target as i32 * layout.cell);
                    cell(canvas, at, &layout, count, total)?;
                }
            }
            Ok(())
        })?;
        Figure::new(&drawn, description)
    }
}

/// Sizes in pixels, by the number of classes.
struct Layout {
    cell: i32,
    name: f64,
    count: f64,
    share: f64,
}

/// Side of a matrix of very many classes.
const SIDE: i32 = 1000;

impl Layout {
    /// Whether there is room for names.
    fn is_named(&self) -> bool {
        self.cell >= 20
    }

    fn of(classes: usize) -> Self {
        let classes = classes.max(1) as i32;
        let cell = if classes > 100 { (SIDE / classes).max(1) } else { (700 / classes).clamp(22, 120) };
        let size = f64::from(cell);
        Self {
            cell,
            name: (size * 0.3).clamp(12.0, 17.0),
            count: (size * 0.24).min(24.0),
            share: (size * 0.15).min(15.0),
        }
    }
}

fn cell(canvas: &Canvas, (x, y): (i32, i32), layout: &Layout, count: usize, total: usize) -> Painted {
    let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
    let shade = blues(share);
    // Small cells have no room for a gap between them.
    let gap = i32::from(layout.is_named());
    let corners = [(x + gap, y + gap), (x + layout.cell - gap, y + layout.cell - gap)];
    canvas.area.draw(&Rectangle::new(corners, shade.filled()))?;
    // A number below ten pixels cannot be read; the shade still can.
    if layout.count < 10.0 {
        return Ok(());
    }
    let ink = if share > 0.55 { RGBColor(255, 255, 255) } else { INK };
    let (cx, cy) = (x + layout.cell / 2, y + layout.cell / 2);
    let with_share = layout.share >= 10.0 && count > 0;
    let up = if with_share { (layout.share * 0.75) as i32 } else { 0 };
    canvas.text(&count.to_string(), (cx, cy - up), layout.count, ink, Anchor::Centre)?;
    if with_share {
        let text = format!("{:.0} %", 100.0 * share);
        canvas.text(&text, (cx, cy + (layout.count * 0.75) as i32), layout.share, ink, Anchor::Centre)?;
    }
    Ok(())
}

/// From near white to dark blue (ColorBrewer's Blues, its ends).
fn blues(share: f64) -> RGBColor {
    let mix = |from: f64, to: f64| (from + (to - from) * share.sqrt().clamp(0.0, 1.0)) as u8;
    RGBColor(mix(246.0, 8.0), mix(249.0, 69.0), mix(253.0, 148.0))
}
