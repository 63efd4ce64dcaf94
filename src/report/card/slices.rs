//! What a card says of where the model is weaker.

use super::made_from::{Card, measured_parts};
use super::markup::{markdown, table};
use super::results::percent;
use crate::eval::slices::{LEAST, Slice};

/// What is looked at and not in a card: classes, which have a table of their own; cameras, whose names say something of the people who took the photos.
const LEFT_OUT: [&str; 2] = ["class", "camera"];

/// Accuracy by light, size and format, and the weakest slice where one is shown to be. Nothing where slices were not measured.
pub(super) fn slices(card: &Card) -> String {
    let mut measured = measured_parts(card.record, &["test"]).filter_map(|(part, _)| {
        let slices = card.record.metrics.get(part)?.slices.clone()?;
        Some((part, slices))
    });
    let Some((part, slices)) = measured.next() else { return String::new() };
    let shown = |slice: &&Slice| !LEFT_OUT.contains(&slice.by.as_str());
    let rows = slices.slices.iter().filter(shown).map(|slice| {
        [
            slice.by.clone(),
            markdown(&slice.name),
            slice.photos.to_string(),
            percent(slice.accuracy),
            format!("{:.1} %", 100.0 * slice.elsewhere),
            match slice.p_value {
                None if slice.photos < LEAST => "too few".into(),
                None => String::new(),
                Some(p) if p < 0.001 => "< 0.001".into(),
                Some(p) => format!("{p:.3}"),
            },
        ]
    });
    let head = [
        ("by", false),
        ("slice", false),
        ("photos", true),
        ("accuracy (95 % interval)", true),
        ("elsewhere", true),
        ("p", true),
    ];
    let compared = slices.slices.iter().filter(|slice| slice.p_value.is_some()).count();
    let found = match slices.weakest() {
        Some(weakest) if LEFT_OUT.contains(&weakest.by.as_str()) => {
            format!("The model is shown to be weakest by {}: look there first.", weakest.by)
        }
        Some(weakest) => format!(
            "The model is shown to be weakest by {}, {}: {} right there, {:.1} % elsewhere.",
            weakest.by,
            markdown(&weakest.name),
            percent(weakest.accuracy),
            100.0 * weakest.elsewhere
        ),
        None => "No slice is shown to be weaker than the rest.".into(),
    };
    format!(
        "On the {part} photos. {found}\n\n{}\nFisher's exact test of each slice against all other photos, corrected for {compared} slices, those by class and \
         camera among them (Holm).\n",
        table(head, rows)
    )
}
