//! What a card says of how far the model's word can be trusted.

use super::made_from::{Card, measured_parts};
use super::results::percent;
use crate::eval::Coverage;

/// How probabilities were calibrated, how often sets of classes hold, and how many known photos are called unknown. Nothing for a model that carries
/// no calibration.
pub(super) fn trusted(card: &Card) -> String {
    let measured = measured_parts(card.record, &["test", "val"]).next();
    let Some((part, evaluation, trusted)) = measured.and_then(|(part, e)| e.trusted.map(|trusted| (part, e, trusted)))
    else {
        return String::new();
    };
    let (before, after) = (evaluation.raw().calibration(), evaluation.calibration());
    let mut text = format!(
        "On the {part} photos.\n\n- Probabilities: logits are divided by {:.2}, fitted on {} validation photos. Expected calibration error {} before \
         and {} after; Brier score {:.3} before and {:.3} after.\n",
        trusted.temperature.value,
        trusted.temperature.photos,
        percent(before.error),
        percent(after.error),
        before.brier,
        after.brier,
    );
    if let Some(Coverage { all, size, .. }) = evaluation.coverage() {
        text += &format!(
            "- Sets of classes: the true one is to be in {:.0} % of them, and is in {}; {size:.2} classes in a set on average.\n",
            100.0 * trusted.how.coverage,
            percent(all),
        );
    }
    if let Some(alarms) = evaluation.false_alarms() {
        let by = if trusted.has_bank { "distance from training photos' features" } else { "energy" };
        text += &format!(
            "- Unknown: a photo is called so by its {by}. Of these photos, which are all of known classes, {} are; {:.0} % are allowed.\n",
            percent(alarms),
            100.0 * trusted.how.false_alarms,
        );
    }
    text
}
