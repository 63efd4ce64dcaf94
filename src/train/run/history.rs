//! What happened, epoch by epoch.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::error::Result;
use crate::base::files::{self, cells};

/// One epoch of one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// `head`, `fine-tune` or `baseline`.
    pub phase: String,
    /// Counted from 1 over all phases.
    pub epoch: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Mean cross-entropy over the training photos, in nats.
    pub train_loss: f64,
    /// Fraction of the training photos that was right, with augmentation and dropout on.
    pub train_accuracy: f64,
    /// Mean cross-entropy over the validation photos.
    pub val_loss: f64,
    /// Fraction of the validation photos that is right.
    pub val_accuracy: f64,
    /// Whether this was the best epoch so far, by validation loss.
    pub best: bool,
    /// Wall-clock seconds. The one column that differs from run to run.
    pub seconds: f64,
}

/// What happened, epoch by epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Epochs in order, over all phases.
    pub epochs: Vec<Epoch>,
    /// Why each finished phase ended: (phase, reason).
    pub ended: Vec<(String, String)>,
}

impl History {
    /// The best epoch: the one with the lowest validation loss, unless a phase watched the accuracy.
    pub fn best(&self) -> Option<&Epoch> {
        self.epochs.iter().rfind(|epoch| epoch.best)
    }

    /// Writes `history.csv`: a row an epoch, numbers with all their digits.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        let header = "phase,epoch,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,best,seconds";
        files::write_atomic(path, |out| {
            writeln!(out, "{header}")?;
            for e in &self.epochs {
                let Epoch { phase, epoch, learning_rate, train_loss, train_accuracy, .. } = e;
                let phase = cells::harmless(phase);
                write!(out, "{phase},{epoch},{learning_rate},{train_loss},{train_accuracy},")?;
                writeln!(out, "{},{},{},{:.3}", e.val_loss, e.val_accuracy, e.best, e.seconds)?;
            }
            Ok(())
        })
    }
}
