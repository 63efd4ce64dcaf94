//! What a card says of the training: settings, phases, time, memory, versions.

use super::made_from::Card;
use super::markup::{code, markdown, table};
use crate::base::config::{Fit, Method};
use crate::report::words::{bytes, counted, duration};

/// The network, its phases, time and memory, and the versions that computed it.
pub(super) fn trained(card: &Card) -> String {
    let record = card.record;
    let config = &record.config;
    let mut facts = vec![("network".to_string(), markdown(&record.made_by.model))];
    if record.made_by.model != "baseline" {
        facts.push((
            "pretrained weights".into(),
            match &record.made_by.weights {
                Some(weights) => {
                    let licence = weights.licence.as_deref().unwrap_or("not known");
                    format!("{} (licence: {})", markdown(&weights.name), markdown(licence))
                }
                None => "none, or not recorded".into(),
            },
        ));
    }
    facts
        .push(("what it sees".into(), format!("squares of {0} × {0} pixels: {1}", config.image_size, fit(config.fit))));
    facts.push(("numbers".into(), config.precision.name().into()));
    facts.push(("seed, batch size".into(), format!("{}, {}", config.seed, config.batch_size)));
    for phase in record.history.epochs.chunk_by(|one, next| one.phase == next.phase) {
        let (first, epochs) = (&phase[0], phase.len());
        let ended = record.made_by.ended.iter().find(|(name, _)| *name == first.phase);
        let why = ended.map_or("not finished".into(), |(_, reason)| markdown(reason));
        // A head that was solved for had no rate.
        let is_solved = first.phase == "head" && config.head.method != Method::Steps;
        let rate =
            if is_solved { String::new() } else { format!(", learning rate {:.1e} at first", first.learning_rate) };
        let said = format!("{}{rate}; ended: {why}", counted(epochs, "epoch"));
        facts.push((format!("phase {}", markdown(&first.phase)), said));
    }
    if let Some(best) = record.history.best() {
        facts.push((
            "kept".into(),
            format!("epoch {} of {}, by the photos to validate with", best.epoch, record.history.epochs.len()),
        ));
    }
    facts.push(("time".into(), format!("{} in all epochs", duration(record.seconds()))));
    if let Some(peak) = record.made_by.peak_memory {
        facts.push(("memory".into(), format!("{} at most, of the process that trained or measured it", bytes(peak))));
    }
    let mut text = table([("", false), ("", false)], facts.into_iter().map(|(name, value)| [name, value]));
    text += "\nAll settings are in `config.toml` in the run's folder; with the same photos, versions and processor instructions they give the same bytes again.\n\n";
    let versions =
        record.made_by.versions.iter().map(|(name, version)| format!("{} {}", markdown(name), markdown(version)));
    text += &format!("Versions: {}.\n", versions.collect::<Vec<_>>().join(", "));
    if !card.sha256.is_empty() {
        text += &format!("\nSHA-256 of {}: `{}`\n", code(card.file), card.sha256);
    }
    text
}

fn fit(fit: Fit) -> &'static str {
    match fit {
        Fit::Crop => "the middle of a photo",
        Fit::Squash => "all of a photo, squeezed",
        Fit::Pad => "all of a photo, with a margin",
    }
}
