//! Heat maps as a picture: each photo beside what spoke for its class.

use candle_core::Tensor;
use plotters::prelude::{RGBColor, Rectangle};
use plotters::style::Color;

use super::figure::{Anchor, Canvas, Figure, INK, Painted, SOFT};
use super::gallery::{Tile, grid};
use super::said::said;
use crate::base::error::Result;
use crate::data::photo;
use crate::eval::Prediction;
use crate::explain::{self, Method, overlay};
use crate::models::Model;
use crate::pixels::{Limits, Preprocess};

/// What the network saw of each photo, and the same with this method's heat map over it. All maps share one scale.
///
/// `class` is the class to explain; `None` for each photo's predicted one.
///
/// # Errors
/// What reading a photo can give; [`ErrorKind::Config`](crate::ErrorKind::Config) if the backbone has no maps.
pub fn cam(
    method: &dyn Method,
    model: &Model,
    preprocess: &Preprocess,
    classes: &[String],
    predictions: &[Prediction],
    class: Option<usize>,
) -> Result<Figure> {
    let (mut cropped, mut values) = (Vec::new(), Vec::new());
    for prediction in predictions {
        let photo = preprocess
            .square(&photo::read(&prediction.path, &Limits::NONE)?)
            .map_err(|error| error.at(&prediction.path))?;
        values.extend(preprocess.normalize(&photo));
        cropped.push(photo);
    }
    if cropped.is_empty() {
        return grid(method.title(), &[], 1, None);
    }
    let device = model.device();
    let shape = (cropped.len(), preprocess.size, preprocess.size, 3);
    let images = Tensor::from_vec(values, shape, &device)?.permute((0, 3, 1, 2))?;
    let heat = explain::cam(method, model, &images, &vec![class; cropped.len()])?;
    let most = heat.iter().map(explain::HeatMap::max).fold(0.0, f32::max);
    let tiles: Vec<Tile> = cropped
        .into_iter()
        .zip(&heat)
        .zip(predictions)
        .map(|((photo, heat), prediction)| {
            let mut lines = said(prediction, classes);
            if class.is_some() {
                lines.push(format!("map for {}", classes.get(heat.class).map_or("?", String::as_str)));
            }
            let warm = overlay(&photo, heat, most);
            Tile { pictures: vec![photo, warm], lines, right: prediction.is_right() }
        })
        .collect();
    let columns = if tiles.len() == 1 { 1 } else { 2 };
    let columns = if tiles.len() > 4 { 3 } else { columns };
    let legend = |canvas: &Canvas, top: i32| legend(canvas, top, most, method.unit());
    let title = format!("{}: {}", method.title(), method.shows());
    grid(&title, &tiles, columns, Some((52, &legend)))
}

/// The colour scale, from nothing to the most.
fn legend(canvas: &Canvas, top: i32, most: f32, unit: &str) -> Painted {
    const WIDTH: i32 = 160;
    let (left, y) = (14, top + 10);
    for step in 0..WIDTH {
        let [r, g, b] = overlay::colour(step as f32 / (WIDTH - 1) as f32);
        let corners = [(left + step, y), (left + step + 1, y + 14)];
        canvas.area.draw(&Rectangle::new(corners, RGBColor(r, g, b).filled()))?;
    }
    canvas.text("0", (left, y + 27), 14.0, SOFT, Anchor::Left)?;
    canvas.text(&end(most), (left + WIDTH, y + 27), 14.0, SOFT, Anchor::Right)?;
    canvas.text(&format!("{unit}, one scale for all"), (left + WIDTH + 14, y + 7), 14.0, INK, Anchor::Left)
}

/// The scale's end in figures: one that is small isn't rounded to nothing.
fn end(most: f32) -> String {
    if most > 0.0 && most < 0.05 { format!("{most:.1e}") } else { format!("{most:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_of_small_values_ends_with_more_than_nothing() {
        assert_eq!([0.0, 1.3e-7, 0.049, 0.05, 12.34].map(end), ["0.0", "1.3e-7", "4.9e-2", "0.1", "12.3"]);
    }
}
