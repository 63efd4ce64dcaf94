//! Predictions read back from the CSV that [`Evaluation::write_csv`] wrote.

use std::path::Path;
use std::sync::Arc;

use super::{Evaluation, Prediction};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, cells};

/// The evaluation in a file that [`Evaluation::write_csv`] wrote, under this name of the model. The numbers are the very same.
///
/// # Errors
/// [`ErrorKind::Dataset`] if it is not such a file, or a photo's true class is not known.
pub fn read_predictions(path: &Path, model: &str) -> Result<Evaluation> {
    let broken = |what: String| {
        Error::new(ErrorKind::Dataset, format!("these predictions cannot be read: {what}"))
            .at(path)
            .mend("evaluate again: it writes them anew")
    };
    let cells::Read { head, rows } = cells::read(&files::read(path)?).map_err(|error| broken(error.what().into()))?;
    if head.len() < 3 || head[..3] != ["path", "target", "predicted"] {
        return Err(broken("the columns are not path, target, predicted and one a class".into()));
    }
    let classes: Arc<[String]> = head[3..].to_vec().into();
    let mut predictions = Vec::new();
    for (_, row) in rows {
        let target = classes.iter().position(|class| *class == row[1]);
        if target.is_none() {
            return Err(broken(format!("{:?} is no class", row[1])));
        }
        let probabilities: std::result::Result<Vec<f32>, _> = row[3..].iter().map(|cell| cell.parse()).collect();
        predictions.push(Prediction {
            path: row[0].as_str().into(),
            target,
            probabilities: probabilities.map_err(|cause| broken(format!("a probability is {cause}")))?,
        });
    }
    Evaluation::new(model, classes, predictions).map_err(|error| broken(error.what().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.csv");
        let classes: Arc<[String]> = ["a, \"b\"", "c"].map(String::from).to_vec().into();
        let one = |target, p: f32| Prediction {
            path: "x, y/1.jpg".into(),
            target: Some(target),
            probabilities: vec![p, 1.0 - p],
        };
        let evaluation = Evaluation::new("m", classes, vec![one(0, 0.1), one(1, 1e-30), one(0, 1.0 / 3.0)]).unwrap();
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
