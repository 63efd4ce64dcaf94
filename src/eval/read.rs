//! Predictions, read back from their table.

use std::path::Path;
use std::sync::Arc;

use super::stored::BESIDE;
use super::{Evaluation, Prediction};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, cells};

/// The evaluation in a file that [`Evaluation::write_csv`] wrote, under this name of the model. The probabilities are the very same; what was said beside
/// them is not read.
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
    let beside = if head.ends_with(&BESIDE.map(String::from)) { BESIDE.len() } else { 0 };
    let classes: Arc<[String]> = head[3..head.len() - beside].to_vec().into();
    let mut predictions = Vec::new();
    for (_, row) in rows {
        let target = classes.iter().position(|class| *class == row[1]);
        if target.is_none() {
            return Err(broken(format!("{:?} is no class", row[1])));
        }
        let told = &row[3..3 + classes.len()];
        let probabilities: std::result::Result<Vec<f32>, _> = told.iter().map(|cell| cell.parse()).collect();
        let probabilities = probabilities.map_err(|cause| broken(format!("a probability is {cause}")))?;
        predictions.push(Prediction::new(row[0].as_str(), target, probabilities));
    }
    Evaluation::new(model, classes, predictions).map_err(|error| broken(error.what().into()))
}
