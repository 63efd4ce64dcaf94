//! Which epoch is best, and when to stop.

use serde::{Deserialize, Serialize};

use super::history::Epoch;
use crate::base::config::Watch;

/// Watches the validation loss (or accuracy) over all phases of a run.
///
/// There is one monitor for the whole run, so that a second phase that only gets worse cannot overwrite a better model from
/// the first. A loss that is not a number is never better.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    /// The validation loss of the best epoch so far: the lowest, unless a phase watches the accuracy.
    pub best: Option<f64>,
    /// The epoch that had it, counted from 1 over all phases.
    pub best_epoch: usize,
    /// Epochs in this phase since the last better one.
    pub waited: usize,
}

impl Monitor {
    /// A new phase begins: patience starts over, the best value stays.
    pub fn begin_phase(&mut self) {
        self.waited = 0;
    }

    /// Takes note of an epoch; true if it is the best so far.
    pub fn observe(&mut self, epoch: usize, val_loss: f64) -> bool {
        let better = val_loss.is_finite() && self.best.is_none_or(|best| val_loss < best);
        if better {
            (self.best, self.best_epoch, self.waited) = (Some(val_loss), epoch, 0);
        } else {
            self.waited += 1;
        }
        better
    }

    /// The same by what a phase watches; `best` is the best epoch so far.
    pub fn observe_by(&mut self, watch: Watch, epoch: usize, loss: f64, accuracy: f64, best: Option<&Epoch>) -> bool {
        let better = match (watch, best) {
            (Watch::Accuracy, Some(best)) => {
                accuracy > best.val_accuracy || (accuracy == best.val_accuracy && loss < best.val_loss)
            }
            _ => return self.observe(epoch, loss),
        };
        if better && loss.is_finite() {
            (self.best, self.best_epoch, self.waited) = (Some(loss), epoch, 0);
        } else {
            self.waited += 1;
        }
        better && loss.is_finite()
    }

    /// Whether patience has run out.
    pub fn exhausted(&self, patience: usize) -> bool {
        self.waited >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_value_is_kept_over_phases_and_patience_is_not() {
        let mut monitor = Monitor::default();
        assert!(monitor.observe(1, 0.5));
        assert!(!monitor.observe(2, 0.6));
        assert!(!monitor.exhausted(2));
        monitor.begin_phase();
        assert!(!monitor.observe(3, 0.55), "worse than phase 1's best");
        assert!(!monitor.exhausted(2));
        assert!(!monitor.observe(4, 0.5), "equal is not better");
        assert!(monitor.exhausted(2));
        assert_eq!((monitor.best, monitor.best_epoch), (Some(0.5), 1));
    }

    #[test]
    fn by_accuracy_the_loss_decides_between_equals() {
        let mut monitor = Monitor::default();
        let mut best = None;
        let mut observe = |epoch: usize, loss: f64, accuracy: f64| {
            let better = monitor.observe_by(Watch::Accuracy, epoch, loss, accuracy, best.as_ref());
            if better {
                best = Some(Epoch {
                    phase: String::new(),
                    epoch,
                    learning_rate: 1.0,
                    train_loss: 0.0,
                    train_accuracy: 0.0,
                    val_loss: loss,
                    val_accuracy: accuracy,
                    best: true,
                    seconds: 0.0,
                });
            }
            better
        };
        assert!(observe(1, 0.5, 0.8));
        assert!(!observe(2, 0.4, 0.7), "a lower loss alone is not better");
        assert!(observe(3, 0.9, 0.9) && observe(4, 0.8, 0.9) && !observe(5, 0.8, 0.9));
        assert!(!observe(6, f64::NAN, 1.0));
        assert_eq!((monitor.best_epoch, monitor.best, monitor.waited), (4, Some(0.8), 2));
    }

    #[test]
    fn a_loss_that_is_not_finite_is_never_best() {
        let mut monitor = Monitor::default();
        assert!(!monitor.observe(1, f64::NAN));
        assert!(!monitor.observe(2, f64::NEG_INFINITY));
        assert!(monitor.observe(3, 9.0));
    }
}
