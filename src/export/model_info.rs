//! What a model file says beside its weights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::config::{Precision, TestConfig};
use crate::base::error::{Error, Result};
use crate::models::{Architecture, Origin, Trust};
use crate::pixels::Preprocess;

/// What a model file says beside its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// What it takes to build the network.
    pub architecture: Architecture,
    /// Class names; a prediction is an index into them.
    pub classes: Vec<String>,
    /// What the network was trained to see.
    pub preprocess: Preprocess,
    /// How it is asked about photos. What is at its default is not written, so that files from before are the same.
    #[serde(default, skip_serializing_if = "TestConfig::is_plain")]
    pub test: TestConfig,
    /// In what numbers it multiplies; `f32` is not written.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// Where the backbone's weights came from before training; `None` if they were random.
    pub backbone_weights: Option<Origin>,
    /// What was measured, by name: `test_accuracy`, say. Finite.
    pub metrics: BTreeMap<String, f64>,
    /// The name of the run that it is from, where it lies outside of the run's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// How far it can be trusted, as was measured when its training ended; none in files from before, and where nothing was measured. With other
    /// weights, classes or preprocessing than it was measured with, it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
}

impl ModelInfo {
    /// A short name for tables and folders: `baseline`, `resnet50`.
    pub fn name(&self) -> String {
        match &self.architecture {
            Architecture::Baseline { .. } => "baseline".into(),
            Architecture::Transfer { backbone, .. } => backbone.name().into(),
        }
    }

    /// The index of the class of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the model knows no such class.
    pub fn class(&self, name: &str) -> Result<usize> {
        let found = self.classes.iter().position(|class| class == name);
        found.ok_or_else(|| Error::unknown("class", name, &self.classes.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}
