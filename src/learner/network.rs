//! Which network, with which weights.

use crate::base::config::{ClassifierConfig, Config, Fit, Named, WeightsFrom};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::project::Project;
use crate::base::seed::Seed;
use crate::models::{Architecture, Hub, Model, Origin, registry, weights};
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

/// Puts the pretrained weights that the settings name into a model; says what they were trained to see, and where they came from, if they are not random.
pub(super) fn pretrain(model: &Model, config: &Config, project: &Project) -> Result<(Preprocess, Option<Origin>)> {
    let Some(loaded) =
        weights::load(config.backbone, &config.weights, &project.device, &project.models, &mut Bar::new())?
    else {
        return Ok((registry::weights(config.backbone).preprocess, None));
    };
    weights::apply(model, &loaded)?;
    Ok((loaded.preprocess, Some(loaded.origin)))
}

impl Config {
    /// The same with another network: one of petal's by its name, with the weights that the settings name; or `hf:owner/name`, a repository on the hub with weights
    /// of one of them, as timm lays it out. Which it is, and what photos are to be, the repository's `config.json` says.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(project: &Project, config: &Config) -> Result<()> {
    /// let config = config.with_network("hf:timm/resnet50.a1_in1k", project)?;
    /// assert_eq!(config.backbone, Backbone::Resnet50);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name that is none, and for `auto`, which needs photos ([`choose_network`](super::choose_network)); what [`Hub::describe`] says.
    pub fn with_network(&self, name: &str, project: &Project) -> Result<Self> {
        match name.parse()? {
            Named::Auto => {
                let what = "which network is the best one, photos have to say";
                Err(Error::new(ErrorKind::Config, what)
                    .mend("choose_network(&project, &splits, &config, &networks_at_hand()?)?"))
            }
            Named::Backbone(backbone) => Ok(Self { backbone, ..self.clone() }),
            Named::Repository(repository) => {
                let records = project.models.join("cache/weights");
                let backbone = Hub::from_env()?.describe(&repository, &records, &mut Bar::new())?.backbone;
                Ok(Self { backbone, weights: WeightsFrom::Repository(repository), ..self.clone() })
            }
        }
    }
}

/// A pretrained backbone for its features alone, with its preprocessing. Its head is random and of no use.
pub fn backbone_model(config: &Config, project: &Project) -> Result<(Model, Preprocess)> {
    let ClassifierConfig { hidden, dropout } = config.classifier;
    let architecture = Architecture::Transfer { backbone: config.backbone, hidden, dropout, classes: 5 };
    let model = Model::new(&architecture, Seed(config.seed), &project.device)?.in_precision(config.precision)?;
    let (preprocess, _) = pretrain(&model, config, project)?;
    Ok((model, Preprocess { fit: config.fit, ..preprocess }))
}

/// The baseline's preprocessing: values from 0 to 1, as Keras' `Rescaling(1/255)`.
pub(super) fn unit(size: usize) -> Preprocess {
    Preprocess { size, crop: 0.875, fit: Fit::Crop, filter: Filter::Bilinear, mean: [0.0; 3], std: [1.0; 3] }
}
