//! What a card is made from: a run's record, and the file that the card is for.

use crate::eval::Evaluation;
use crate::train::run::RunRecord;

/// What each section is given.
pub(super) struct Card<'a> {
    /// What the run's folder tells.
    pub(super) record: &'a RunRecord,
    /// The name of the model file that the card is for.
    pub(super) file: &'a str,
    /// That file's SHA-256; empty where no phase is finished yet.
    pub(super) sha256: &'a str,
}

/// What was measured on these parts and holds for the model as it is now.
pub(super) fn measured_parts<'a>(
    record: &'a RunRecord,
    parts: &'a [&'a str],
) -> impl Iterator<Item = (&'a str, Evaluation)> {
    parts.iter().filter_map(|part| Some((*part, record.evaluation(part).ok()?)))
}
