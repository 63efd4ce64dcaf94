//! What a card says of how far the model's word can be trusted.

use super::made_from::{Card, measured_parts};
use super::results::percent;
use crate::eval::Coverage;
use crate::models::Temperature;

/// How probabilities were calibrated, how often sets of classes hold, and how many known photos are called unknown. Nothing for a model that carries
/// no calibration.
pub(super) fn trusted(card: &Card) -> String {
    let measured = measured_parts(card.record, &["test", "val"]).next();
    let Some((part, evaluation, trusted)) = measured.and_then(|(part, e)| e.trusted.map(|trusted| (part, e, trusted)))
    else {
        return String::new();
    };
    let (before, after) = (evaluation.raw().calibration(), evaluation.calibration());
    let Temperature { value, fitted, photos, .. } = trusted.temperature;
    let mut text = if trusted.temperature.is_kept() {
        format!(
            "On the {part} photos.\n\n- Probabilities: logits are divided by {value:.2}, fitted on {photos} validation photos. Expected calibration error {} before \
             and {} after; Brier score {:.3} before and {:.3} after.\n",
            percent(before.error),
            percent(after.error),
            before.brier,
            after.brier,
        )
    } else {
        format!(
            "On the {part} photos.\n\n- Probabilities: as the network tells them. To divide logits by a temperature ({fitted:.2}, fitted on {photos} validation photos) \
             did not help validation photos that it was not fitted on. Expected calibration error {}; Brier score {:.3}.\n",
            percent(after.error),
            after.brier,
        )
    };
    // What was said beside probabilities does not stand in the table of predictions that an evaluation is read from.
    let Some(measured) = card.record.metrics.get(part) else { return text };
    if let Some(Coverage { all, size, .. }) = &measured.coverage {
        text += &format!(
            "- Sets of classes: the true one is to be in {:.0} % of them, and is in {}; {size:.2} classes in a set on average.\n",
            100.0 * trusted.how.coverage,
            percent(*all),
        );
    }
    if let Some(alarms) = measured.false_alarms {
        let by = if trusted.has_bank { "distance from training photos' features" } else { "energy" };
        text += &format!(
            "- Unknown: a photo is called so by its {by}. Of these photos, which are all of known classes, {} are; {:.0} % are allowed.\n",
            percent(alarms),
            100.0 * trusted.how.false_alarms,
        );
    }
    text
}
