//! How far a model is trusted, as a command line says it.

use clap::Args;
use petal::config::{Sets, TrustConfig};
use petal::eval::{Judgement, Prediction};
use petal::export::ModelInfo;
use petal::prelude::*;
use petal::report::said;
use petal::report::trust::untold;
use petal::train::trust;
use serde_json::{Value, json};

/// How far a model is trusted.
#[derive(Args)]
pub(crate) struct TrustOptions {
    /// Name several classes where one isn't sure enough, so that the true one is among them this often: 0.95 (setting trust.coverage).
    #[arg(long, value_name = "SHARE", value_parser = coverage, conflicts_with = "raw")]
    coverage: Option<f64>,
    /// How such sets are made: lac (small), aps (more even between easy and hard photos) or by-class (the coverage holds for each class).
    #[arg(long, value_parser = crate::parsed::<Sets>, conflicts_with = "raw")]
    sets: Option<Sets>,
    /// How many photos of the known classes may be called unknown: 0.05; 0 calls none so (setting trust.false_alarms).
    #[arg(long, value_name = "SHARE", value_parser = false_alarms, conflicts_with = "raw")]
    false_alarms: Option<f64>,
    /// The probabilities as the network tells them: not calibrated, no sets, nothing unknown.
    #[arg(long)]
    raw: bool,
}

/// Lets clap check a share by the settings' own range.
fn share(text: &str, set: impl FnOnce(&mut TrustConfig, f64)) -> std::result::Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("{text} is no number"))?;
    let mut trust = TrustConfig::default();
    set(&mut trust, share);
    Config { trust, ..Config::seed() }.check().map(|()| share).map_err(|error| error.in_a_line())
}

fn coverage(text: &str) -> std::result::Result<f64, String> {
    share(text, |trust, share| trust.coverage = share)
}

fn false_alarms(text: &str) -> std::result::Result<f64, String> {
    share(text, |trust, share| trust.false_alarms = share)
}

impl TrustOptions {
    /// What was given, in its range.
    pub(crate) fn config(&self) -> Result<TrustConfig> {
        let plain = TrustConfig::default();
        let trust = TrustConfig {
            raw: self.raw,
            coverage: self.coverage.unwrap_or(plain.coverage),
            sets: self.sets.unwrap_or_default(),
            false_alarms: self.false_alarms.unwrap_or(plain.false_alarms),
            ..plain
        };
        Config { trust, ..Config::seed() }.check()?;
        Ok(trust)
    }

    /// Whether sets of classes were asked for.
    fn are_sets_asked(&self) -> bool {
        self.coverage.is_some() || self.sets.is_some()
    }

    /// What stands in a line for the class of a photo, and what is to be known of it.
    pub(crate) fn said(&self, prediction: &Prediction, classes: &[String]) -> String {
        let name = &classes[prediction.best().0];
        match said::instead(prediction, classes) {
            Some(_) if prediction.is_unknown() => format!("unknown (most like {name})"),
            Some(_) if self.are_sets_asked() => names(prediction.one_of().unwrap_or_default(), classes).join(" | "),
            _ => name.clone(),
        }
    }
}

/// A word on why probabilities are raw, where nobody asked for that; and on what cannot be told, of what was asked for.
pub(crate) fn note(info: &ModelInfo, how: TrustConfig) -> String {
    match (trust::why_raw(info, how), &info.trust) {
        (Some(why), _) if !how.raw => format!("probabilities are raw, and nothing is called unknown: {why}\n"),
        (None, Some(trust)) => untold(trust, how).iter().map(|why| format!("{why}\n")).collect(),
        _ => String::new(),
    }
}

fn names(set: &[usize], classes: &[String]) -> Vec<String> {
    set.iter().map(|&class| classes[class].clone()).collect()
}

/// What is said of a photo beside its class, for machines; null where nothing is.
pub(crate) fn json(judgement: Option<&Judgement>, classes: &[String]) -> Value {
    let Some(Judgement { one_of, coverage, distance, energy, is_unknown }) = judgement else { return Value::Null };
    json!({
        "unknown": is_unknown,
        "one_of": one_of.as_ref().map(|set| names(set, classes)),
        "coverage": coverage,
        "distance": distance,
        "energy": energy,
    })
}
