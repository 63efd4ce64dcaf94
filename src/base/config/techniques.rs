//! What the words in a phase's settings mean: schedules, optimizers, layers, what is watched, how uneven classes are evened out.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// How the learning rate goes from step to step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same rate in all steps (`constant`). The default.
    #[default]
    Constant,
    /// It grows evenly over the first steps ([`PhaseConfig::warm_up`](super::PhaseConfig::warm_up)), then falls to nothing along half a cosine (`cosine`;
    /// Loshchilov & Hutter 2016, arXiv:1608.03983).
    Cosine,
    /// From a 25th of the rate along half a cosine to all of it in a quarter of the steps, then down to a 100,000th (`one-cycle`; Smith 2018,
    /// arXiv:1803.09820, with fastai's numbers). The momentum (Adam's β₁, or SGD's) goes the other way: 0.95, 0.85, 0.95.
    OneCycle,
}

/// What takes the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam without weight decay (`adam`). The default.
    #[default]
    Adam,
    /// Adam with decoupled decay of all weights but norms and biases (`adamw`; Loshchilov & Hutter 2017, arXiv:1711.05101).
    #[serde(rename = "adamw")]
    AdamW,
    /// Stochastic gradient descent with momentum, as PyTorch writes it; not Nesterov's (`sgd`).
    Sgd,
}

/// In what numbers a network multiplies. Sums, norms, the loss, gradients of weights and what an optimizer keeps are `f32` in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// `f32`. The default.
    #[default]
    F32,
    /// `bf16`, as wide a range as `f32` with 8 bits of precision in place of 24: up to twice as fast where the processor has instructions for it (AVX512-BF16).
    Bf16,
}

impl Precision {
    /// Whether it is the default.
    pub fn is_f32(&self) -> bool {
        *self == Self::F32
    }

    /// The name in settings, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let all = [Self::F32, Self::Bf16];
        let unknown = || Error::unknown("precision", name, &all.map(Self::name));
        all.into_iter().find(|precision| precision.name() == name).ok_or_else(unknown)
    }
}

/// Which layers phase 2 trains beside the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layers {
    /// The upper ones (`upper`); what is below them is kept in the cache. The default.
    #[default]
    Upper,
    /// All (`all`): nothing can be kept in the cache, and each epoch sees a new view of every photo.
    All,
}

/// How the head learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Step by step (`steps`). The default.
    #[default]
    Steps,
    /// All at once (`instant`): a linear classifier of the frozen features is solved for, and stands in the head as one.
    Instant,
}

/// Which epoch is better than another, and so kept; patience counts the epochs without a better one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watch {
    /// The one with the lower validation loss (`loss`). The default.
    #[default]
    Loss,
    /// The one with the higher validation accuracy; of two that are equal, the one with the lower loss (`accuracy`).
    Accuracy,
}

/// How classes of uneven size are evened out in training. What is measured stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Not at all (`none`). The default.
    #[default]
    None,
    /// Each photo counts in the loss by one over the size of its class (`weights`).
    Weights,
    /// An epoch has as many photos as before, but as many of each class: those of small ones come several times (`sampling`).
    Sampling,
}
