//! How far a run has come: the phases that it has begun, and the counters to go on from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::history::History;
use super::monitor::Monitor;
use crate::base::config::PhaseConfig;
use crate::models::Cut;
use crate::train::phase::Phase;

/// How far a run has come. Everything random is drawn from (seed, epoch, step), so these counters are all there is to
/// restore beside the tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Version of this format.
    pub format: u32,
    /// SHA-256 over the tensors ([`codec::digest`](crate::nn::codec::digest)); files of format 1 have none.
    #[serde(default)]
    pub sha256: Option<String>,
    /// What the run was made with, key by key; going on with anything else is refused.
    pub made_with: BTreeMap<String, String>,
    /// The phases that were begun, in order: each starts from the best of those before it.
    pub phases: Vec<Begun>,
    /// Steps so far in the epoch under way.
    pub step: usize,
    /// Sum over the photos of the epoch under way: cross-entropy.
    pub loss_sum: f64,
    /// Sum over the photos of the epoch under way: right ones.
    pub correct: usize,
    /// Adam's steps in this phase.
    pub adam_steps: usize,
    /// The best epoch.
    pub monitor: Monitor,
    /// All whole epochs.
    pub history: History,
}

/// A phase that a run has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// The phase's name.
    pub name: String,
    /// What it trains.
    pub cut: Cut,
    /// What it computes ([`Phase::computes`]): two phases that differ in it have other numbers.
    pub computes: BTreeMap<String, String>,
    /// Whole epochs so far.
    pub epochs: usize,
}

impl Begun {
    /// A phase that begins now.
    pub fn new(phase: &Phase) -> Self {
        Self { name: phase.name.clone(), cut: phase.cut, computes: phase.computes(), epochs: 0 }
    }
}

/// How a phase stands in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No phase of this name was begun.
    New,
    /// It was begun with the same settings, and there is more to do.
    GoesOn,
    /// It was trained with the same settings, as long as is asked for or until patience ran out.
    Done,
    /// It was trained, but not as long as is asked for, and other phases were built on what it came to then.
    BuiltOn,
    /// A phase of this name was trained with other settings: what differs, as `learning_rate was 0.001, is 0.03`.
    Other(Vec<String>),
}

impl Progress {
    /// The phase under way, or the last one.
    pub fn phase(&self) -> Option<&Begun> {
        self.phases.last()
    }

    /// Whether a phase of this name was begun and has ended.
    pub fn is_finished(&self, phase: &str) -> bool {
        self.history.ended.iter().any(|(ended, _)| ended == phase)
    }

    /// How a phase stands in this run.
    pub fn standing(&self, phase: &Phase) -> Standing {
        let Some(place) = self.place_of(&phase.name) else { return Standing::New };
        let begun = &self.phases[place];
        let differs = differences(&begun.computes, &phase.computes());
        if !differs.is_empty() {
            return Standing::Other(differs);
        }
        let is_enough = begun.epochs >= phase.epochs || self.waited(&phase.name) >= phase.patience;
        match (is_enough && self.is_finished(&phase.name), place + 1 == self.phases.len()) {
            (true, _) => Standing::Done,
            (false, true) => Standing::GoesOn,
            (false, false) => Standing::BuiltOn,
        }
    }

    /// Where in the run's order a phase of this name was begun.
    pub fn place_of(&self, phase: &str) -> Option<usize> {
        self.phases.iter().position(|begun| begun.name == phase)
    }

    /// Epochs at a phase's end without a better validation loss.
    fn waited(&self, phase: &str) -> usize {
        self.history.epochs.iter().rev().filter(|epoch| epoch.phase == phase).take_while(|epoch| !epoch.best).count()
    }

    /// Reads what stands in a checkpoint of an earlier format: it had no list of phases, and what they computed stood in the run's settings.
    pub(super) fn from_older(mut stored: Value) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Older {
            phase: String,
            phase_epochs: usize,
            history: History,
        }
        const ANY: PhaseConfig = PhaseConfig::new(1, 1, 0.0);
        let Older { phase, phase_epochs, history } = Older::deserialize(&stored)?;
        let mut phases: Vec<Begun> = Vec::new();
        for epoch in &history.epochs {
            if phases.last().is_none_or(|begun| begun.name != epoch.phase) {
                let cut = match epoch.phase.as_str() {
                    "head" => Cut::Features,
                    "fine-tune" => Cut::Upper,
                    _ => Cut::Images,
                };
                let computes =
                    Phase::new(&epoch.phase, cut, PhaseConfig { learning_rate: epoch.learning_rate, ..ANY }).computes();
                phases.push(Begun { name: epoch.phase.clone(), cut, computes, epochs: 0 });
            }
            phases.last_mut().into_iter().for_each(|begun| begun.epochs += 1);
        }
        // A phase without a whole epoch is begun again: with which rate it was, nothing says.
        let under_way = phases.last().is_some_and(|begun| begun.name == phase && begun.epochs == phase_epochs);
        if let Some(fields) = stored.as_object_mut() {
            for old in ["phase", "phase_epochs", "finished"] {
                fields.remove(old);
            }
            if let Some(made_with) = fields.get_mut("made_with").and_then(Value::as_object_mut) {
                for old in ["head", "fine_tune", "baseline"] {
                    made_with.remove(old);
                }
            }
            fields.insert("phases".into(), serde_json::to_value(phases)?);
        }
        let progress: Self = serde_json::from_value(stored)?;
        Ok(if under_way { progress } else { Self { step: 0, loss_sum: 0.0, correct: 0, adam_steps: 0, ..progress } })
    }
}

/// The keys whose values differ, each as `key was this, is that`.
pub(super) fn differences(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let mut keys: Vec<_> = then.keys().chain(now.keys()).collect();
    keys.sort();
    keys.dedup();
    let show = |value: Option<&String>| value.map_or("nothing".into(), Clone::clone);
    keys.into_iter()
        .filter(|key| then.get(*key) != now.get(*key))
        .map(|key| format!("{key} was {}, is {}", show(then.get(key)), show(now.get(key))))
        .collect()
}
