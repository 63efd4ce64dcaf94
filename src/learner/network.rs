//! Which network, with which weights.

use crate::base::config::{ClassifierConfig, Config, Fit};
use crate::base::error::Result;
use crate::base::project::Project;
use crate::base::seed::Seed;
use crate::models::{Architecture, Model, Origin, registry, weights};
use crate::pixels::{Filter, Preprocess};
use crate::report::Bar;

/// Which network a [`Learner`](super::Learner) trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pretrained backbone with a new head.
    Transfer,
    /// The small network from scratch.
    Baseline,
}

/// Puts the pretrained weights that the settings name into a model; says where they came from, if they are not random.
pub(super) fn pretrain(model: &Model, config: &Config, project: &Project) -> Result<Option<Origin>> {
    let Some(loaded) =
        weights::load(config.backbone, &config.weights, &project.device, &project.models, &mut Bar::new())?
    else {
        return Ok(None);
    };
    weights::apply(model, &loaded)?;
    Ok(Some(loaded.origin))
}

/// A pretrained backbone for its features alone, with its preprocessing. Its head is random and of no use.
pub fn backbone_model(config: &Config, project: &Project) -> Result<(Model, Preprocess)> {
    let ClassifierConfig { hidden, dropout } = config.classifier;
    let architecture = Architecture::Transfer { backbone: config.backbone, hidden, dropout, classes: 5 };
    let model = Model::new(&architecture, Seed(config.seed), &project.device)?.in_precision(config.precision)?;
    pretrain(&model, config, project)?;
    Ok((model, Preprocess { fit: config.fit, ..registry::weights(config.backbone).preprocess }))
}

/// The baseline's preprocessing: values from 0 to 1, as Keras' `Rescaling(1/255)`.
pub(super) fn unit(size: usize) -> Preprocess {
    Preprocess { size, crop: 0.875, fit: Fit::Crop, filter: Filter::Bilinear, mean: [0.0; 3], std: [1.0; 3] }
}
