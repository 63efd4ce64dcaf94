//! Views of predictions for photos whose class is not known.

use super::gallery::{self, Tile, columns, grid};
use super::said::{instead, said};
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
    let best = format!("{name}, {:.1} %", 100.0 * probability);
    let mut view = View::new(match instead(prediction, classes) {
        Some(said) => format!("{file}: {said} (most like {best})"),
        None => format!("{file}: {best}"),
    });
    let coverage = prediction.judgement.as_ref().map(|judgement| 100.0 * judgement.coverage);
    if prediction.is_unknown() {
        view = view.line("unlike the photos that the model learned from: likely of none of these classes");
    } else if let (Some(coverage), Some(_)) = (coverage, instead(prediction, classes)) {
        view = view
            .line(format!("not sure which: {coverage:.0} % of the validation photos were of a class in such a set"));
    }
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
        let is_judged = predictions.iter().any(|prediction| prediction.judgement.is_some());
        let rows = classes.len() + usize::from(is_judged);
        let mut counts = vec![(0u64, 0.0); rows];
        for prediction in predictions {
            let (class, probability) = prediction.best();
            let row = if prediction.is_unknown() { classes.len() } else { class };
            if let Some((count, sum)) = counts.get_mut(row) {
                (*count, *sum) = (*count + 1, *sum + f64::from(probability));
            }
        }
        let names = (0..classes.len()).map(name).chain(["unknown: likely of none of these".into()]);
        view = view.table_or_why(Table::new([
            ("class", Cells::Text(names.take(rows).collect())),
            ("photos", Cells::Counts(counts.iter().map(|(count, _)| *count).collect())),
            ("mean probability", Cells::Shares(counts.iter().map(|(count, sum)| sum / *count as f64).collect())),
        ]));
        view = several(view, predictions);
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
    let says = match predictions.iter().any(|prediction| prediction.judgement.is_some()) {
        true => "on photos like the validation photos, a probability says how often the class is right",
        false => "a probability says how sure the model is, not how often it is right",
    };
    view.hint(format!("write_csv(path)? keeps them; {says}"))
}

/// Says of how many photos more than one class is said.
fn several(view: View, predictions: &[Prediction]) -> View {
    let known = || predictions.iter().filter(|prediction| !prediction.is_unknown());
    let unsure = known().filter(|prediction| prediction.one_of().is_some_and(|set| set.len() > 1)).count();
    match known().find_map(|prediction| prediction.judgement.as_ref()) {
        Some(judgement) if unsure > 0 => view.line(format!(
            "for {} one class alone is not sure enough; sets of classes that have the true one in {:.0} % of the validation photos name more",
            counted(unsure, "photo"),
            100.0 * judgement.coverage
        )),
        _ => view,
    }
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
