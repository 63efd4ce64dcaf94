//! Views of an evaluation, a comparison, a prediction.

use super::data::with;
use super::table::{Cells, Table};
use super::{View, gallery, shows};
use crate::error::Result;
use crate::eval::{Comparison, Evaluation, Interval, Prediction};

shows!(Evaluation, Comparison);

impl Evaluation {
    /// Accuracy with its interval, loss, averages, and what is mixed up most.
    pub fn view(&self) -> View {
        let photos = self.predictions.len();
        let mut facts = vec![
            ("accuracy", with_interval(self.accuracy())),
            ("loss", format!("{:.4} (mean cross-entropy)", self.loss())),
            ("macro F1", format!("{:.3}", self.macro_average().f1)),
            ("calibration error", format!("{:.3} (15 bins)", self.calibration_error())),
        ];
        if self.classes.len() > 3 {
            facts.insert(1, ("top-3 accuracy", with_interval(self.top_k(3))));
        }
        let mixed: Vec<String> = self
            .confusion()
            .most_confused()
            .into_iter()
            .take(3)
            .map(|(target, predicted, count)| {
                format!("{} as {} ({count})", self.classes[target], self.classes[predicted])
            })
            .collect();
        if !mixed.is_empty() {
            facts.push(("most confused", mixed.join(", ")));
        }
        View::new(format!("{} on {photos} photos", self.model))
            .facts(facts)
            .hint("next: per_class(), confusion_matrix(), top_losses(9)")
    }

    /// Precision, recall, F1 and support of each class, their plain and their weighted mean.
    pub fn per_class(&self) -> Result<Table> {
        let mut rows: Vec<_> = self.classes.iter().cloned().zip(self.scores()).collect();
        rows.push(("macro average".into(), self.macro_average()));
        rows.push(("weighted average".into(), self.weighted_average()));
        let numbers = |value: fn(&crate::eval::Scores) -> f64| rows.iter().map(|(_, scores)| value(scores)).collect();
        Ok(Table::new([
            ("class", Cells::Text(rows.iter().map(|(name, _)| name.clone()).collect())),
            ("precision", Cells::Numbers(numbers(|s| s.precision), 3)),
            ("recall", Cells::Numbers(numbers(|s| s.recall), 3)),
            ("F1", Cells::Numbers(numbers(|s| s.f1), 3)),
            ("photos", Cells::Counts(rows.iter().map(|(_, scores)| scores.support as u64).collect())),
        ])?
        .caption(format!("{}, class by class", self.model)))
    }
}

impl Comparison {
    /// A row a model, and whether the difference could be chance.
    pub fn view(&self) -> View {
        let each = &self.evaluations;
        let intervals: Vec<_> = each.iter().map(Evaluation::accuracy).collect();
        let table = Table::new([
            ("model", Cells::Text(each.iter().map(|e| e.model.clone()).collect())),
            ("accuracy", Cells::Shares(intervals.iter().map(|i| i.value).collect())),
            ("from", Cells::Shares(intervals.iter().map(|i| i.low).collect())),
            ("to (95 %)", Cells::Shares(intervals.iter().map(|i| i.high).collect())),
            ("loss", Cells::Numbers(each.iter().map(Evaluation::loss).collect(), 4)),
            ("macro F1", Cells::Numbers(each.iter().map(|e| e.macro_average().f1).collect(), 3)),
        ]);
        let photos = each.first().map_or(0, |e| e.predictions.len());
        let view = with(View::new(format!("{} models on the same {photos} photos", each.len())), table);
        each.iter().skip(1).zip(&self.against_first).fold(view, |view, (other, difference)| {
            let p = match difference.p_value {
                p if p < 0.001 => "p < 0.001".to_string(),
                p => format!("p = {p:.3}"),
            };
            view.line(format!(
                "{} alone is right on {} photos, {} alone on {} (McNemar's exact test: {p})",
                each[0].model, difference.only_first, other.model, difference.only_this
            ))
        })
    }
}

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
    with(view, table)
}

/// `91.2 % (95 % interval 87.0 to 94.1 %)`
pub fn with_interval(interval: Interval) -> String {
    let Interval { value, low, high } = interval;
    format!("{:.1} % (95 % interval {:.1} to {:.1} %)", 100.0 * value, 100.0 * low, 100.0 * high)
}
