//! What a card says of how good the model is.

use super::made_from::{Card, measured_parts};
use super::markup::{markdown, table};
use crate::eval::{Interval, Scores, metrics};
use crate::report::words::counted;

/// Accuracy with its interval and what else one number says, on the photos to test with and to validate with.
pub(super) fn measured(card: &Card) -> String {
    let parts: Vec<_> = measured_parts(card.record, &["test", "val"]).collect();
    if parts.is_empty() {
        return "Not measured yet, or only before its last training: nothing is known of how good it is.\n".into();
    }
    let mut text = String::new();
    if !parts.iter().any(|(part, _)| *part == "test") {
        text += "Not measured on photos to test with. The epoch was chosen by the photos to validate with, so what is measured on them is too good.\n\n";
    }
    let rows = parts.iter().map(|(part, evaluation)| {
        [
            part.to_string(),
            evaluation.predictions.len().to_string(),
            percent(evaluation.accuracy()),
            format!("{:.1} %", 100.0 * evaluation.guess()),
            format!("{:.3}", evaluation.macro_average().f1),
            format!("{:.3}", evaluation.loss()),
            format!("{:.3}", evaluation.calibration_error()),
        ]
    });
    text += &table(
        [
            ("part", false),
            ("photos", true),
            ("accuracy (95 % interval)", true),
            ("by guessing", true),
            ("macro F1", true),
            ("loss", true),
            ("calibration error", true),
        ],
        rows,
    );
    text += "\nThe intervals are Wilson's. “By guessing” is what always naming the largest class gives. The loss is the mean cross-entropy in nats; the calibration error \
             is how far confidence is from accuracy, over 15 bins.\n";
    if !card.record.config.test.is_plain() {
        text += "It was asked otherwise than it was trained, as its file says: `petal evaluate` asks it so.\n";
    }
    text
}

/// Precision, recall with its interval and F1 of each class, and what it is mostly taken for.
pub(super) fn by_class(card: &Card) -> String {
    let Some((part, evaluation)) = measured_parts(card.record, &["test", "val"]).next() else { return String::new() };
    let confusion = evaluation.confusion();
    let rows = evaluation.scores().into_iter().enumerate().map(|(class, Scores { precision, f1, support, .. })| {
        let row = &confusion.rows()[class];
        let mistaken = (0..row.len()).filter(|&other| other != class && row[other] > 0);
        let mostly = mistaken.max_by_key(|&other| (row[other], std::cmp::Reverse(other)));
        [
            markdown(&evaluation.classes[class]),
            support.to_string(),
            if support == 0 { "–".into() } else { percent(metrics::wilson(row[class], support)) },
            format!("{:.1} %", 100.0 * precision),
            format!("{f1:.3}"),
            mostly.map_or(String::new(), |other| format!("{} ({})", markdown(&evaluation.classes[other]), row[other])),
        ]
    });
    let head = [
        ("class", false),
        ("photos", true),
        ("found: recall (95 % interval)", true),
        ("right where named: precision", true),
        ("F1", true),
        ("mostly taken for", false),
    ];
    let few = evaluation.scores().iter().filter(|scores| scores.support < FEW).count();
    let mut text = format!("On the {part} photos.\n\n{}", table(head, rows));
    if few > 0 {
        let classes = counted(few, "class").replace("classs", "classes");
        text += &format!("\n{classes} with fewer than {FEW} photos: their numbers say little.\n");
    }
    text
}

/// With fewer photos than this, the interval of any share is at least 40 points wide in its middle.
const FEW: usize = 20;

pub(super) fn percent(Interval { value, low, high }: Interval) -> String {
    format!("{:.1} % ({:.1}–{:.1})", 100.0 * value, 100.0 * low, 100.0 * high)
}
