//! How far a model can be trusted, in words.

use super::words::{bytes, counted, with_interval};
use super::{View, shows};
use crate::base::config::TrustConfig;
use crate::eval::calibration::Calibration;
use crate::eval::conformal::photos_needed;
use crate::eval::{Coverage, Evaluation, Judge, Trusted};
use crate::models::{Temperature, Trust};

shows!(Trust);

impl Trust {
    /// The temperature, what the validation photos are enough for, and what the model file carries to tell unknown photos.
    pub fn view(&self) -> View {
        let photos = self.temperature.photos;
        let bank = self.bank.as_ref().map_or_else(
            || "none: unknown photos are told by their energy".to_owned(),
            |bank| {
                format!(
                    "features of {}, {} in the model file",
                    counted(bank.len(), "training photo"),
                    bytes(bank.bytes() as u64)
                )
            },
        );
        let enough = [0.9, 0.95, 0.99].map(|coverage| match photos_needed(coverage) {
            needed if needed > photos => format!("not for {:.0} % ({needed} are needed)", 100.0 * coverage),
            _ => format!("for {:.0} %", 100.0 * coverage),
        });
        View::new(format!("measured on {}", counted(photos, "validation photo"))).facts([
            ("temperature", temperature(&self.temperature)),
            ("photos are enough", enough.join(", ")),
            ("to compare with", bank),
        ])
    }
}

/// What is said of a temperature.
fn temperature(temperature: &Temperature) -> String {
    let Temperature { value, fitted, low, high, photos, loss_raw, loss_out_of_fold } = temperature;
    let photos = counted(*photos, "validation photo");
    let found = format!("{fitted:.2} by {photos} (95 % interval {low:.2} to {high:.2})");
    let losses = format!("cross-entropy {loss_raw:.4} raw, {loss_out_of_fold:.4} with that of other validation photos");
    match (temperature.is_kept(), temperature.is_uncertain()) {
        (true, false) => format!("{value:.2}: {found}; {losses}"),
        (true, true) => format!("{value:.2}: {found}; {losses}; so few photos hardly tell it"),
        (false, true) => format!("1: {photos} are too few, or too few of them wrong, to tell another one"),
        (false, false) => format!("1: {found} is no better ({losses})"),
    }
}

/// What an evaluation says of its probabilities, its sets and the photos that it takes for unknown.
pub(super) fn facts(evaluation: &Evaluation) -> Vec<(&'static str, String)> {
    let Calibration { error, brier } = evaluation.calibration();
    let ends = |of: Calibration| format!("{:.3} ({:.3} to {:.3})", of.error.value, of.error.low, of.error.high);
    let Some(trusted) = evaluation.trusted else {
        return vec![
            ("probabilities", "raw: as the network tells them, not calibrated".into()),
            ("calibration error", format!("{} (15 bins; 95 % interval)", ends(Calibration { error, brier }))),
            ("Brier score", format!("{brier:.3} (0 is best, 2 the worst)")),
        ];
    };
    let raw = evaluation.raw().calibration();
    let mut facts = vec![
        ("temperature", temperature(&trusted.temperature)),
        (
            "calibration error",
            format!("{}; raw {} (15 bins; 95 % intervals)", ends(Calibration { error, brier }), ends(raw)),
        ),
        ("Brier score", format!("{brier:.3}; raw {:.3} (0 is best, 2 the worst)", raw.brier)),
    ];
    if evaluation.is_judged() {
        facts.push(("sets of classes", sets(evaluation.coverage(), &trusted)));
        facts.push(("taken for unknown", unknown(evaluation, &trusted)));
    }
    facts
}

fn sets(coverage: Option<Coverage>, trusted: &Trusted) -> String {
    let asked = trusted.how.coverage;
    match coverage {
        Some(Coverage { all, size, single, by_class }) => {
            let lowest = by_class.iter().map(|class| class.value).fold(1.0, f64::min);
            format!(
                "true class among them for {}, asked for {:.1} %; {size:.2} classes each, {:.0} % a single one; lowest of a class {:.0} %",
                with_interval(all),
                100.0 * asked,
                100.0 * single,
                100.0 * lowest
            )
        }
        None => few(trusted, asked),
    }
}

fn unknown(evaluation: &Evaluation, trusted: &Trusted) -> String {
    let rate = trusted.how.false_alarms;
    let by = if trusted.has_bank { "the distance from training photos" } else { "energy" };
    match evaluation.false_alarms() {
        Some(share) => format!("{}, by {by}; asked for {:.1} %", with_interval(share), 100.0 * rate),
        None if rate == 0.0 => "none, as was asked for".into(),
        None => few(trusted, 1.0 - rate),
    }
}

fn few(trusted: &Trusted, coverage: f64) -> String {
    too_few(trusted.temperature.photos, coverage)
}

fn too_few(photos: usize, coverage: f64) -> String {
    let needed = photos_needed(coverage);
    format!("{} are too few to tell: {needed} are needed", counted(photos, "validation photo"))
}

/// What of all that is asked for a model cannot tell, since too few photos were there when it was measured.
pub fn untold(trust: &Trust, how: TrustConfig) -> Vec<String> {
    let photos = trust.temperature.photos;
    let judge = Judge::new(trust, how);
    let mut untold = Vec::new();
    if !judge.tells_sets() {
        let asked = format!("no sets of classes with the true one in {:.1} % of them", 100.0 * how.coverage);
        untold.push(format!("{asked}: {}", too_few(photos, how.coverage)));
    }
    if how.false_alarms > 0.0 && judge.limit().is_none() {
        let asked = format!("nothing is called unknown, with {:.1} % false alarms", 100.0 * how.false_alarms);
        untold.push(format!("{asked}: {}", too_few(photos, 1.0 - how.false_alarms)));
    }
    untold
}
