//! The map of all photos: one point each, in the colour of its class.

use plotters::prelude::{Circle, Cross, EmptyElement, Polygon, RGBColor, Rectangle, TriangleMarker};
use plotters::style::{Color, ShapeStyle};

use super::figure::{Anchor, COLOURS, Canvas, Figure, INK, Painted, SOFT, draw};
use super::words::counted;
use crate::base::error::{Error, ErrorKind, Result};
use crate::eval::Audit;

/// Forms that follow each other where there are more classes than colours.
const FORMS: usize = 4;
/// More classes are not told apart: points of one colour.
const MOST: usize = COLOURS.len() * FORMS;
/// Side of the field that the points lie in, and what is around it.
const SIDE: i32 = 620;
const EDGE: i32 = 24;
const HEAD: i32 = 48;
const LINE: i32 = 24;

impl Audit {
    /// Where each photo lies on the first two principal components of its features, a point each, in the colour of its class. Points that stand alone, or in
    /// the midst of another class, are worth a look. The same photos always lie in the same places.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if there is no photo.
    pub fn map(&self) -> Result<Figure> {
        let points = &self.places.points;
        if points.is_empty() {
            return Err(Error::new(ErrorKind::Render, "there is no photo to draw"));
        }
        let [low, high] = [f64::min, f64::max].map(|of| {
            let first = points[0];
            points.iter().fold(first, |end, point| [of(end[0], point[0]), of(end[1], point[1])])
        });
        // One scale for both axes: distances are those of the features.
        let span = (high[0] - low[0]).max(high[1] - low[1]).max(f64::MIN_POSITIVE);
        let middle = [(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0];
        let inner = f64::from(SIDE - 2 * 12);
        let place = |point: &[f64; 2]| {
            let along = |axis: usize| (point[axis] - middle[axis]) / span * inner + f64::from(SIDE) / 2.0;
            (EDGE + along(0).round() as i32, HEAD + SIDE - along(1).round() as i32)
        };
        let classes = self.classes.len();
        let named = if classes > MOST { 0 } else { classes };
        let title = format!("{} by what {} sees", counted(points.len(), "photo"), self.network);
        let width = EDGE + SIDE + EDGE + if named > 0 { 236 } else { 0 };
        let height = (HEAD + SIDE + 52).max(HEAD + 20 + LINE * named as i32);
        // Drawn class after class, the last would hide the others: photo by photo, by turns.
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by_key(|photo| (photo.wrapping_mul(0x9e37_79b9) & 0xffff, *photo));
        let drawn = draw((width as usize, height as usize), |canvas| {
            canvas.text(&canvas.fitted(&title, 20.0, width - 32), (16, 26), 20.0, INK, Anchor::Left)?;
            let corners = [(EDGE, HEAD), (EDGE + SIDE, HEAD + SIDE)];
            canvas.area.draw(&Rectangle::new(corners, ShapeStyle::from(RGBColor(200, 200, 200)).stroke_width(1)))?;
            for photo in order {
                let class = if named > 0 { self.photos[photo].sample.target } else { 0 };
                point(canvas, place(&points[photo]), class, 3)?;
            }
            let [first, second] = self.places.shares.map(|share| format!("{:.1} %", 100.0 * share));
            let axes = format!("first principal component ({first} of the variance) across, the second ({second}) up");
            canvas.text(&axes, (EDGE, HEAD + SIDE + 24), 15.0, SOFT, Anchor::Left)?;
            for (class, name) in self.classes.iter().enumerate().take(named) {
                let y = HEAD + 14 + LINE * class as i32;
                point(canvas, (EDGE + SIDE + EDGE, y), class, 5)?;
                let own = self.photos.iter().filter(|photo| photo.sample.target == class).count();
                let text = canvas.fitted(&format!("{name} ({own})"), 16.0, 206);
                canvas.text(&text, (EDGE + SIDE + EDGE + 16, y), 16.0, INK, Anchor::Left)?;
            }
            Ok(())
        })?;
        let names = self.classes.iter().take(named).cloned().collect::<Vec<_>>().join(", ");
        let of = if named > 0 { names } else { format!("{classes} classes, in one colour") };
        Figure::new(&drawn, format!("map of {title}: a point each, by their first two principal components; {of}"))
    }
}

/// A point in the colour and form of its class.
fn point(canvas: &Canvas, at: (i32, i32), class: usize, radius: i32) -> Painted {
    let colour = COLOURS[class % COLOURS.len()].mix(0.8).filled();
    match class / COLOURS.len() % FORMS {
        0 => canvas.area.draw(&(EmptyElement::at(at) + Circle::new((0, 0), radius, colour)))?,
        1 => canvas.area.draw(&TriangleMarker::new(at, radius + 1, colour))?,
        2 => canvas.area.draw(&Cross::new(at, radius, colour.stroke_width(1)))?,
        _ => {
            let (x, y) = at;
            let corners = [(x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius)];
            canvas.area.draw(&Polygon::new(corners, colour))?
        }
    }
    Ok(())
}
