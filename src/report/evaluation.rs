//! Views of an evaluation, a comparison, a prediction.

use super::table::{Cells, Table};
use super::words::{counted, duration, with_interval};
use super::{View, shows, trust};
use crate::base::error::Result;
use crate::eval::{Comparison, Evaluation, Interval, OverSeeds, Prediction, Scores, metrics};

shows!(Evaluation, Comparison, OverSeeds);

impl Evaluation {
    /// Accuracy with its interval, beside what guessing would give; loss, averages, and what is mixed up most.
    pub fn view(&self) -> View {
        let photos = self.predictions.len();
        let scores = self.scores();
        let guess = 100.0 * self.guess();
        let mut facts = vec![
            ("accuracy", with_interval(self.accuracy())),
            ("by guessing", format!("{guess:.1} % (always the largest class)")),
            (
                "loss",
                format!(
                    "{:.4} (mean cross-entropy; knowing nothing gives {:.4})",
                    self.loss(),
                    (scores.len() as f64).ln()
                ),
            ),
            ("macro F1", format!("{:.3}", self.macro_average().f1)),
        ];
        facts.extend(trust::facts(self));
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
        View::new(format!("{} on {}", self.model, counted(photos, "photo")))
            .facts(facts)
            .hint("next: per_class()?, confusion_matrix()?, reliability()?, show_results(9)?, top_losses(9)?, most_confused(3)?")
    }

    /// Precision, recall, F1 and support of each class, their plain and their weighted mean; how sure the recall is, and what a class is
    /// mostly taken for.
    pub fn per_class(&self) -> Result<Table> {
        let confusion = self.confusion();
        let mut rows: Vec<(String, Scores, String, String)> = Vec::new();
        for (class, scores) in self.scores().into_iter().enumerate() {
            let row = &confusion.rows()[class];
            let Interval { low, high, .. } = metrics::wilson(row[class], scores.support);
            let mistaken = (0..row.len()).filter(|&other| other != class && row[other] > 0);
            let mostly = mistaken.max_by_key(|&other| (row[other], std::cmp::Reverse(other)));
            let mostly = mostly.map_or(String::new(), |other| format!("{} ({})", self.classes[other], row[other]));
            let interval = format!("{low:.2}–{high:.2}");
            rows.push((self.classes[class].clone(), scores, interval, mostly));
        }
        rows.push(("macro average".into(), self.macro_average(), String::new(), String::new()));
        rows.push(("weighted average".into(), self.weighted_average(), String::new(), String::new()));
        let numbers = |value: fn(&Scores) -> f64| rows.iter().map(|(_, scores, ..)| value(scores)).collect();
        Ok(Table::new([
            ("class", Cells::Text(rows.iter().map(|(name, ..)| name.clone()).collect())),
            ("precision", Cells::Numbers(numbers(|s| s.precision), 3)),
            ("recall", Cells::Numbers(numbers(|s| s.recall), 3)),
            ("recall, 95 %", Cells::Text(rows.iter().map(|(_, _, interval, _)| interval.clone()).collect())),
            ("F1", Cells::Numbers(numbers(|s| s.f1), 3)),
            ("photos", Cells::Counts(rows.iter().map(|(_, scores, ..)| scores.support as u64).collect())),
            ("mostly taken for", Cells::Text(rows.iter().map(|(.., mostly)| mostly.clone()).collect())),
        ])?
        .caption(format!("{}, class by class", self.model)))
    }

    /// The `n` pairs of classes that are mixed up most: how often, and up to four photos of each pair, the surest mistakes first.
    ///
    /// # Errors
    /// What reading a photo can give. That nothing was mixed up is no error.
    pub fn most_confused(&self, n: usize) -> Result<View> {
        const SHOWN: usize = 4;
        let confusion = self.confusion();
        let mut mixed = confusion.most_confused();
        let pairs = mixed.len();
        mixed.truncate(n);
        if mixed.is_empty() {
            return Ok(View::new(format!("{}: no class was taken for another", self.model)));
        }
        let name = |class: usize| self.classes[class].clone();
        let of_class: Vec<f64> = mixed
            .iter()
            .map(|&(target, _, count)| count as f64 / confusion.rows()[target].iter().sum::<usize>() as f64)
            .collect();
        let table = Table::new([
            ("is", Cells::Text(mixed.iter().map(|pair| name(pair.0)).collect())),
            ("taken for", Cells::Text(mixed.iter().map(|pair| name(pair.1)).collect())),
            ("photos", Cells::Counts(mixed.iter().map(|pair| pair.2 as u64).collect())),
            ("of this class", Cells::Shares(of_class)),
        ])?;
        let found = counted(pairs, "pair");
        let title = format!("{}: {found} of classes mixed up, the most frequent first", self.model);
        let mut view = View::new(title).table(table);
        for (target, predicted, count) in mixed {
            let is_pair = |p: &&Prediction| p.target == Some(target) && p.best().0 == predicted;
            let mut photos: Vec<Prediction> = self.predictions.iter().filter(is_pair).cloned().collect();
            photos.sort_by(|a, b| b.best().1.total_cmp(&a.best().1));
            photos.truncate(SHOWN);
            let shown = if count > photos.len() { format!("{} of {count}", photos.len()) } else { count.to_string() };
            let title = format!("{} taken for {}: {shown}", name(target), name(predicted));
            view = view.figure(self.gallery_in(&title, &photos, SHOWN)?);
        }
        Ok(view)
    }
}

impl Comparison {
    /// A row a model, and whether the difference could be chance.
    pub fn view(&self) -> View {
        let each = &self.evaluations;
        let intervals: Vec<_> = each.iter().map(Evaluation::accuracy).collect();
        let mut columns = vec![
            ("model", Cells::Text(each.iter().map(|e| e.model.clone()).collect())),
            ("accuracy", Cells::Shares(intervals.iter().map(|i| i.value).collect())),
            ("from", Cells::Shares(intervals.iter().map(|i| i.low).collect())),
            ("to (95 %)", Cells::Shares(intervals.iter().map(|i| i.high).collect())),
            ("loss", Cells::Numbers(each.iter().map(Evaluation::loss).collect(), 4)),
            ("macro F1", Cells::Numbers(each.iter().map(|e| e.macro_average().f1).collect(), 3)),
        ];
        if self.seconds.iter().any(Option::is_some) {
            let time = |seconds: &Option<f64>| seconds.map_or("not known".into(), duration);
            columns.push(("trained in", Cells::Text(self.seconds.iter().map(time).collect())));
        }
        let table = Table::new(columns);
        let photos = each.first().map_or(0, |e| e.predictions.len());
        let view = View::new(format!("{} models on the same {photos} photos", each.len())).table_or_why(table);
        let view = each.iter().skip(1).zip(&self.against_first).fold(view, |view, (other, difference)| {
            let p = match difference.p_value {
                p if p < 0.001 => "p < 0.001".to_string(),
                p => format!("p = {p:.3}"),
            };
            let view = view.line(format!(
                "{} alone is right on {}, {} alone on {} (McNemar's exact test: {p})",
                each[0].model,
                counted(difference.only_first, "photo"),
                other.model,
                difference.only_this
            ));
            let gain = gained(difference.gain, ", paired by photo", difference.is_shown());
            view.line(format!("{} against {}: {gain}", other.model, each[0].model))
        });
        if self.against_first.iter().any(|difference| !difference.is_shown()) {
            view.hint("p of 0.05 or more: the difference may be chance; more photos would tell")
        } else {
            view
        }
    }
}

impl OverSeeds {
    /// The mean accuracies of both, seed by seed, and whether the difference could be chance.
    pub fn view(&self) -> View {
        let seeds = self.first.len();
        let facts = ["the first", "the other"].into_iter().zip(self.means()).zip([&self.first, &self.other]);
        let facts = facts.map(|((name, (mean, spread)), each)| {
            let each: Vec<String> = each.iter().map(|accuracy| format!("{:.1}", 100.0 * accuracy)).collect();
            (name, format!("{:.1} ± {:.1} % ({})", 100.0 * mean, 100.0 * spread, each.join(", ")))
        });
        let gain = gained(self.gain, "", self.is_shown());
        View::new(format!("the other against the first: {gain}")).facts(facts).line(format!(
            "{seeds} pairs of runs, {} in all; a bootstrap over pairs and photos",
            counted(self.photos, "photo")
        ))
    }
}

/// `+1.9 points (95 % interval +1.0 to +2.8): a difference is shown`; `how` stands behind the interval.
fn gained(gain: Interval, how: &str, is_shown: bool) -> String {
    let [value, low, high] = [gain.value, gain.low, gain.high].map(|share| format!("{:+.1}", 100.0 * share));
    let found = if is_shown { "a difference is shown" } else { "no difference shown" };
    format!("{value} points (95 % interval {low} to {high}{how}): {found}")
}
