//! How far a model can be trusted, as it was measured: for people and for machines.

use std::path::Path;

use petal::config::{Sets, TrustConfig};
use petal::eval::calibration::{Calibration, temperature};
use petal::eval::unknown::Detection;
use petal::eval::{Coverage, Evaluation, Interval, Judge, Prediction};
use petal::models::Trust;
use petal::report::words::with_interval;
use serde_json::{Value, json};

use crate::output::shown;

/// The calibration, the sets' coverage and the false alarms of an evaluation, for machines.
pub(crate) fn numbers(evaluation: &Evaluation) -> Value {
    let calibration = |Calibration { error, brier }: Calibration| json!({ "calibration_error": error.value, "calibration_error_interval_95": ends(error), "brier": brier });
    let own = calibration(evaluation.calibration());
    let Some(trusted) = evaluation.trusted else { return json!({ "raw": own }) };
    let alarms = evaluation
        .false_alarms()
        .map(|found| json!({ "asked": trusted.how.false_alarms, "found": found.value, "interval_95": ends(found) }));
    json!({
        "temperature": trusted.temperature,
        "calibrated": own,
        "raw": calibration(evaluation.raw().calibration()),
        "false_alarms": alarms,
    })
}

/// The measured coverage of each kind of sets, at the coverage that was asked for and at some others; the network isn't asked again.
pub(crate) fn each_kind_of_sets(evaluation: &Evaluation, trust: &Trust, how: TrustConfig) -> (String, Value) {
    let mut coverages = vec![0.8, 0.9, 0.95, how.coverage];
    coverages.sort_by(f64::total_cmp);
    coverages.dedup();
    let mut text = "\nsets of classes with the true one among them (95 % intervals):\n".to_owned();
    let mut told = Vec::new();
    for (sets, coverage) in
        Sets::ALL.into_iter().flat_map(|sets| coverages.iter().map(move |&coverage| (sets, coverage)))
    {
        let predictions = Judge::new(trust, TrustConfig { sets, coverage, ..how }).with_sets(&evaluation.predictions);
        let Some(Coverage { all, by_class, size, single }) =
            (Evaluation { predictions, ..evaluation.clone() }).coverage()
        else {
            text +=
                &format!("  {:<9} {:5.1} % asked: too few validation photos to tell\n", sets.name(), 100.0 * coverage);
            continue;
        };
        text += &format!(
            "  {:<9} {:5.1} % asked: {}, {size:.2} classes each, {:.0} % a single one\n",
            sets.name(),
            100.0 * coverage,
            with_interval(all),
            100.0 * single
        );
        told.push(json!({
            "sets": sets, "asked": coverage, "found": all.value, "interval_95": ends(all),
            "by_class": by_class.iter().map(|class| class.value).collect::<Vec<_>>(), "mean_size": size, "single": single,
        }));
    }
    (text, json!(told))
}

fn ends(interval: Interval) -> [f64; 2] {
    [interval.low, interval.high]
}

/// A way to tell unknown photos: its name, and the score of a photo, higher for one that is less known.
type Way = (&'static str, fn(&Prediction) -> Option<f32>);

/// How well photos of none of the classes are told from those of a split, by each way that there is.
pub(crate) fn beside_others(evaluation: &Evaluation, folder: &Path, others: &[Prediction]) -> (String, Value) {
    let ways: [Way; 3] = [
        ("distance", |photo| photo.judgement.as_ref()?.distance),
        ("energy", |photo| Some(photo.judgement.as_ref()?.energy)),
        ("maximum softmax", |photo| Some(-photo.best().1)),
    ];
    let divided_by = evaluation.trusted.map_or(1.0, |trusted| trusted.temperature.value);
    let raw = |photos: &[Prediction]| -> Vec<Prediction> {
        let one = |photo: &Prediction| {
            let probabilities = temperature::raw(&photo.probabilities, divided_by);
            Prediction { probabilities, ..photo.clone() }
        };
        photos.iter().map(one).collect()
    };
    let (known, unknown) = (raw(&evaluation.predictions), raw(others));
    let mut text = format!(
        "\n{}: {} photos of none of the classes, told from {} of them (95 % intervals):\n",
        shown(folder),
        unknown.len(),
        known.len()
    );
    let mut told = Vec::new();
    for (name, score) in ways {
        let scores = |photos: &[Prediction]| photos.iter().map(score).collect::<Option<Vec<f32>>>();
        let (Some(known), Some(unknown)) = (scores(&known), scores(&unknown)) else { continue };
        let Some(Detection { auroc, passing }) = Detection::of(&known, &unknown) else { continue };
        let shown = |of: Interval| format!("{:.3} ({:.3} to {:.3})", of.value, of.low, of.high);
        text += &format!("  {name:<16} AUROC {}   FPR95 {}\n", shown(auroc), shown(passing));
        told.push(json!({
            "score": name, "auroc": auroc.value, "auroc_interval_95": ends(auroc),
            "fpr95": passing.value, "fpr95_interval_95": ends(passing),
        }));
    }
    // Where nothing can be called so, nobody has counted.
    let called = evaluation
        .trusted
        .filter(|trusted| trusted.has_limit)
        .map(|_| others.iter().filter(|photo| photo.is_unknown()).count());
    text += &match called {
        Some(called) => format!("  called unknown: {called} of {}\n", others.len()),
        None => "  called unknown: none, since nothing can be called so\n".into(),
    };
    (text, json!({ "photos": others.len(), "called_unknown": called, "scores": told }))
}
