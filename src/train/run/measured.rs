//! What was measured of a run on one part of the photos.

use serde::{Deserialize, Serialize};

use crate::base::config::TestConfig;
use crate::eval::{Coverage, Evaluation, Interval, Slices, Trusted};

/// What was measured on one part of the photos: an entry of `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// How the network was asked.
    #[serde(default, skip_serializing_if = "TestConfig::is_plain")]
    pub test: TestConfig,
    /// The best epoch then: the measured weights are its.
    pub epoch: usize,
    /// Photos.
    pub photos: usize,
    /// The fraction that is right.
    pub accuracy: f64,
    /// Lower end of its 95 % interval.
    pub accuracy_low: f64,
    /// Upper end of its 95 % interval.
    pub accuracy_high: f64,
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Mean F1 over classes.
    pub macro_f1: f64,
    /// Expected calibration error, 15 bins.
    pub calibration_error: f64,
    /// How the probabilities were calibrated; none where they were raw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted: Option<Trusted>,
    /// How often sets of classes had the true one in them; none where none were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// The fraction that was taken for unknown; none where that was not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_alarms: Option<Interval>,
    /// Accuracy by class, light, size and source, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<Slices>,
}

impl Measured {
    /// Of an evaluation of the best epoch, asked so.
    pub fn of(evaluation: &Evaluation, test: TestConfig, epoch: usize) -> Self {
        let Interval { value, low, high } = evaluation.accuracy();
        Self {
            test,
            epoch,
            photos: evaluation.predictions.len(),
            accuracy: value,
            accuracy_low: low,
            accuracy_high: high,
            loss: evaluation.loss(),
            macro_f1: evaluation.macro_average().f1,
            calibration_error: evaluation.calibration_error(),
            trusted: evaluation.trusted,
            coverage: evaluation.coverage(),
            false_alarms: evaluation.false_alarms(),
            slices: (evaluation.facts.len() == evaluation.predictions.len())
                .then(|| Slices::new(evaluation, &evaluation.facts)),
        }
    }
}
