//! Views of predictions for photos whose class is not known.

use super::gallery::{self, Tile, columns, grid, said};
use super::table::{Cells, Table};
use super::words::counted;
use super::{Figure, View};
use crate::base::error::Result;
use crate::data::photo;
use crate::eval::Prediction;
use crate::eval::predict::Unreadable;
use crate::pixels::Limits;

/// What a model says of a photo: the photo, and the probability of each class.
pub fn predicted(prediction: &Prediction, classes: &[String]) -> View {
    let (class, probability) = prediction.best();
    let name = classes.get(class).map_or("?", String::as_str);
    let mut order: Vec<usize> = (0..prediction.probabilities.len()).collect();
    order.sort_by(|a, b| prediction.probabilities[*b].total_cmp(&prediction.probabilities[*a]));
    let table = Table::new([
        ("class", Cells::Text(order.iter().map(|i| classes.get(*i).cloned().unwrap_or_default()).collect())),
        ("probability", Cells::Shares(order.iter().map(|i| f64::from(prediction.probabilities[*i])).collect())),
    ]);
    let file = prediction.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let view = View::new(format!("{file}: {name}, {:.1} %", 100.0 * probability));
    let view = match gallery::one(&prediction.path) {
        Ok(figure) => view.figure(figure),
        Err(error) => view.line(error.to_string()),
    };
    view.table_or_why(table)
}

/// What a model says of many photos: how many of which class, the least sure ones, and what could not be read.
pub fn all_predicted(predictions: &[Prediction], unreadable: &[Unreadable], classes: &[String]) -> View {
    let name = |class: usize| classes.get(class).cloned().unwrap_or_default();
    let title = format!("{} predicted", counted(predictions.len(), "photo"));
    let mut view = View::new(title);
    if !predictions.is_empty() {
        let mut counts = vec![(0u64, 0.0); classes.len()];
        for prediction in predictions {
            let (class, probability) = prediction.best();
            if let Some((count, sum)) = counts.get_mut(class) {
                (*count, *sum) = (*count + 1, *sum + f64::from(probability));
            }
        }
        view = view.table_or_why(Table::new([
            ("class", Cells::Text((0..classes.len()).map(name).collect())),
            ("photos", Cells::Counts(counts.iter().map(|(count, _)| *count).collect())),
            ("mean probability", Cells::Shares(counts.iter().map(|(count, sum)| sum / *count as f64).collect())),
        ]));
        view = match least_sure(predictions, classes) {
            Ok(figure) => view.figure(figure),
            Err(error) => view.line(error.to_string()),
        };
    }
    if !unreadable.is_empty() {
        let table = Table::new([
            ("cannot be read", Cells::Text(unreadable.iter().map(|bad| bad.path.display().to_string()).collect())),
            ("why", Cells::Text(unreadable.iter().map(|bad| bad.error.what().to_string()).collect())),
        ]);
        view = view.table_or_why(table);
    }
    view.hint("write_csv(path)? keeps them; a probability says how sure the model is, not how often it is right")
}

/// The photos that the model is least sure of.
fn least_sure(predictions: &[Prediction], classes: &[String]) -> Result<Figure> {
    const MOST: usize = 8;
    let mut order: Vec<&Prediction> = predictions.iter().collect();
    order.sort_by(|a, b| a.best().1.total_cmp(&b.best().1));
    let mut tiles = Vec::new();
    for prediction in order.into_iter().take(MOST) {
        let mut lines = said(prediction, classes);
        lines.push(prediction.path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        tiles.push(Tile { pictures: vec![photo::read(&prediction.path, &Limits::NONE)?], lines, right: None });
    }
    let title = if predictions.len() > MOST { "The least sure ones" } else { "All of them, the least sure first" };
    grid(title, &tiles, columns(tiles.len()), None)
}
