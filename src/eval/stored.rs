//! Predictions as a table.

use std::path::Path;

use super::{Judgement, Prediction};
use crate::base::error::Result;
use crate::base::files::{cells, output};

/// A table of predictions, so that an earlier one is told from other files.
pub const PREDICTIONS: output::Kind =
    output::Kind { name: "a table of predictions", is: |bytes| bytes.starts_with(b"path,target,predicted") };

/// What stands behind the probabilities, where something is said beside them.
pub(super) const BESIDE: [&str; 4] = ["unknown", "one of", "distance", "energy"];

/// Writes predictions as CSV: path, true class (empty where it is not known), predicted class, the probability of each; where something is said
/// beside them ([`Judgement`]), then whether the photo is unknown (`yes`, `no`), the classes that it is one of, its distance and its energy. What a
/// spreadsheet would take for a formula is made harmless ([`cells`]).
///
/// # Errors
/// Those of [`output::write`].
pub fn write_predictions(path: &Path, classes: &[String], predictions: &[Prediction]) -> Result<()> {
    let is_judged = predictions.iter().any(|prediction| prediction.judgement.is_some());
    let beside = if is_judged { &BESIDE[..] } else { &[] };
    let head: Vec<&str> = ["path", "target", "predicted"]
        .into_iter()
        .chain(classes.iter().map(String::as_str))
        .chain(beside.iter().copied())
        .collect();
    let name = |class: usize| classes.get(class).cloned().unwrap_or_default();
    let row = |prediction: &Prediction| -> Vec<String> {
        let target = prediction.target.map(name).unwrap_or_default();
        let known = [cells::path(&prediction.path), target, name(prediction.best().0)];
        let probabilities = prediction.probabilities.iter().map(f32::to_string);
        let said =
            beside.iter().map(|what| prediction.judgement.as_ref().map_or(String::new(), |j| cell(j, what, &name)));
        known.into_iter().chain(probabilities).chain(said).collect()
    };
    let table = cells::table(&head, predictions.iter().map(row)).map_err(|error| error.at(path))?;
    output::write(path, PREDICTIONS, &table)
}

/// A cell of what is said beside the probabilities; empty where it cannot be told.
fn cell(judgement: &Judgement, what: &str, name: &dyn Fn(usize) -> String) -> String {
    let Judgement { one_of, distance, energy, is_unknown, .. } = judgement;
    match what {
        "unknown" => is_unknown.map_or("", |is_unknown| if is_unknown { "yes" } else { "no" }).to_owned(),
        "one of" => {
            let names = |set: &Vec<usize>| set.iter().map(|&class| name(class)).collect::<Vec<_>>().join(" | ");
            one_of.as_ref().map_or(String::new(), names)
        }
        "distance" => distance.map_or(String::new(), |distance| distance.to_string()),
        _ => energy.to_string(),
    }
}

/// Whether one of these names would be taken for a formula, so that a `'` stands before it in a table.
pub fn has_marked_cells(classes: &[String], predictions: &[Prediction]) -> bool {
    let paths = predictions.iter().any(|prediction| cells::is_marked(&cells::path(&prediction.path)));
    paths || classes.iter().any(|class| cells::is_marked(class))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::files;
    use crate::eval::{Evaluation, read_predictions};

    #[test]
    fn what_was_written_is_read_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.csv");
        let classes: Arc<[String]> = ["a, \"b\"", "c"].map(String::from).to_vec().into();
        let one = |target, p: f32| Prediction::new("x, y/1.jpg", Some(target), vec![p, 1.0 - p]);
        let evaluation = Evaluation::new("m", classes, vec![one(0, 0.1), one(1, 1e-30), one(0, 1.0 / 3.0)]).unwrap();
        let mut judged = evaluation.clone();
        let one_of = Some(vec![1, 0]);
        let judgement = Judgement { one_of, coverage: 0.95, distance: Some(0.5), energy: -2.0, is_unknown: Some(true) };
        judged.predictions[1].judgement = Some(judgement);
        judged.write_csv(&path).unwrap();
        assert_eq!(read_predictions(&path, "m").unwrap(), evaluation);
        let text = String::from_utf8(files::read(&path).unwrap()).unwrap();
        assert!(text.contains("c,unknown,one of,distance,energy\n"), "{text}");
        assert!(text.contains(",yes,\"c | a, \"\"b\"\"\",0.5,-2\n") && text.contains(",,,\n"), "{text}");
        evaluation.write_csv(&path).unwrap();
        assert_eq!(read_predictions(&path, "m").unwrap(), evaluation);

        let text = String::from_utf8(files::read(&path).unwrap()).unwrap();
        for (from, to) in [("predicted", "guess"), ("x, y/1.jpg\",c", "x, y/1.jpg\",d"), ("0.1", "x"), ("0.1", "0.7")] {
            assert!(text.contains(from));
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let error = read_predictions(&path, "m").unwrap_err();
            assert!(error.path().is_some() && error.how_to_mend().is_some(), "{error}");
        }
    }
}
