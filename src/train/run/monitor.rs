//! Which epoch is best, and when to stop.

use serde::{Deserialize, Serialize};

/// Watches the validation loss over all phases of a run.
///
/// There is one monitor for the whole run, so that a second phase that only gets worse cannot overwrite a better model from
/// the first. A loss that is not a number is never better.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    /// The lowest validation loss so far.
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
    fn a_loss_that_is_not_finite_is_never_best() {
        let mut monitor = Monitor::default();
        assert!(!monitor.observe(1, f64::NAN));
        assert!(!monitor.observe(2, f64::NEG_INFINITY));
        assert!(monitor.observe(3, 9.0));
    }
}
