//! The head that is trained, and how long and how fast.

use serde::{Deserialize, Serialize};

use super::techniques::{Layers, Method, OptimizerKind, Schedule, Watch};
use crate::base::error::{Error, Result};

/// The new head: global average pooling, Linear(D, hidden), ReLU, Dropout, Linear(hidden, classes).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifierConfig {
    /// Width of the hidden layer. Default 256.
    pub hidden: usize,
    /// Probability with which dropout zeroes an activation, 0 to 1 (exclusive). Default 0.3.
    pub dropout: f64,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { hidden: 256, dropout: 0.3 }
    }
}

/// How long, how fast and by which techniques one phase trains. Adam, β 0.9 and 0.999, ε 1e-7, no weight decay, and none of the techniques, unless
/// something else is said. What is at its default is not written, so that files from before a technique are the same.
///
/// ```
/// use petal::prelude::*;
///
/// let settings = PhaseConfig { label_smoothing: 0.1, ..PhaseConfig::new(8, 3, 2e-4) };
/// settings.check("fine_tune")?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseConfig {
    /// Most epochs. 0 leaves the phase out.
    pub epochs: usize,
    /// Stop after this many epochs in a row without a better one ([`PhaseConfig::watch`]); at least 1.
    pub patience: usize,
    /// Where that many epochs have fewer steps than this, there are more of them: few photos need as many steps as many do. 0 to 100,000; 0 takes
    /// the epochs as they are. Default 0. A learner knows its photos, and a run's settings then have its epochs ([`PhaseConfig::of_photos`]).
    #[serde(default, skip_serializing_if = "is_default")]
    pub least_steps: usize,
    /// The learning rate, above 0: in each step, or where the schedule is highest.
    pub learning_rate: f64,
    /// How the head learns. Default [`Method::Steps`]. For the head alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub method: Method,
    /// Which layers train beside the head. Default [`Layers::Upper`]. For `fine_tune` alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub layers: Layers,
    /// Side of the square that training photos are shown in, in pixels; 0 is that of the network, [`Config::image_size`](super::Config::image_size), which
    /// validation photos have in any case. Smaller ones take less time, and things that are smaller in training than in a test make up for parts of photos
    /// that show them larger (Touvron et al. 2019, arXiv:1906.06423). Default 0. Not for networks that take one size only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub size: usize,
    /// How the rate goes. Default [`Schedule::Constant`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub schedule: Schedule,
    /// The part of all steps in which a `cosine` grows to its highest rate, 0 to 0.9. Default 0.1.
    #[serde(default = "tenth", skip_serializing_if = "is_tenth")]
    pub warm_up: f64,
    /// What takes the steps. Default [`OptimizerKind::Adam`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub optimizer: OptimizerKind,
    /// How strongly `adamw` and `sgd` pull weights (not norms, not biases) to 0; 0 to 10. Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub weight_decay: f64,
    /// How much of the last step `sgd` keeps; 0 to 1 (exclusive). Default 0.9.
    #[serde(default = "nine_tenths", skip_serializing_if = "is_nine_tenths")]
    pub momentum: f64,
    /// The rate of each stage is that of the one above it times this, from the head down; above 0, at most 1. Default 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub layer_decay: f64,
    /// The part of all steps in which the stages begin to train one after the other, from the head down; 0 (all at once) to 0.9. Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gradual: f64,
    /// Where all gradients together are longer than this (global norm), they are shortened to it; 0 is never. Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clip: f64,
    /// The part of each target that is spread evenly over all classes; 0 to 1 (exclusive). Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub label_smoothing: f64,
    /// α of mixup: each photo is mixed with another one, by a share from Beta(α, α); 0 is off, at most 10. Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mixup: f64,
    /// α of cutmix: a part of each photo is that of another one, its area from Beta(α, α); 0 is off, at most 10. Default 0. Not for the head.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cutmix: f64,
    /// The weights that are validated and kept are running means of those that train, of which so much stays at each step; 0 is off, below 1.
    /// Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ema: f64,
    /// Which epoch is better than another. Default [`Watch::Loss`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub watch: Watch,
    /// A batch goes through the network in so many parts, whose gradients are added: for batches that don't fit into memory. Default 1.
    #[serde(default = "in_one", skip_serializing_if = "is_in_one")]
    pub accumulate: usize,
}

impl PhaseConfig {
    /// So many epochs, with this patience and rate, and no technique more.
    pub const fn new(epochs: usize, patience: usize, learning_rate: f64) -> Self {
        Self {
            epochs,
            patience,
            least_steps: 0,
            learning_rate,
            method: Method::Steps,
            layers: Layers::Upper,
            size: 0,
            schedule: Schedule::Constant,
            warm_up: tenth(),
            optimizer: OptimizerKind::Adam,
            weight_decay: 0.0,
            momentum: nine_tenths(),
            layer_decay: one(),
            gradual: 0.0,
            clip: 0.0,
            label_smoothing: 0.0,
            mixup: 0.0,
            cutmix: 0.0,
            ema: 0.0,
            watch: Watch::Loss,
            accumulate: in_one(),
        }
    }

    /// The same for so many photos to train on, in batches of this size: with as many epochs as [`PhaseConfig::least_steps`] asks for, and patience in the same
    /// proportion.
    ///
    /// ```
    /// use petal::config::PhaseConfig;
    ///
    /// let settings = PhaseConfig { least_steps: 200, ..PhaseConfig::new(12, 3, 2e-4) };
    /// let few = settings.of_photos(160, 32); // 5 steps an epoch
    /// assert_eq!((few.epochs, few.patience, few.least_steps), (40, 10, 0));
    /// assert_eq!(settings.of_photos(2_000, 32).epochs, 12);
    /// ```
    pub fn of_photos(self, photos: usize, batch_size: usize) -> Self {
        let steps = photos.div_ceil(batch_size.max(1)).max(1);
        let is = Self { least_steps: 0, ..self };
        // No epochs leave the phase out.
        let epochs = self.least_steps.div_ceil(steps);
        if self.epochs == 0 || epochs <= self.epochs {
            return is;
        }
        Self { epochs, patience: (self.patience * epochs).div_ceil(self.epochs), ..is }
    }

    /// Checks every range; `phase` is what the phase is called in settings.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the key, the value and what is allowed.
    pub fn check(&self, phase: &str) -> Result<()> {
        let within = |key: &str, value: f64, ok: bool, allowed: &str| {
            if ok { Ok(()) } else { Err(Error::config(&format!("{phase}.{key}"), value, allowed)) }
        };
        let range = |key: &str, value: f64, low: f64, high: f64| {
            within(key, value, (low..=high).contains(&value), &format!("a number from {low} to {high}"))
        };
        let part = |key: &str, value: f64| within(key, value, (0.0..1.0).contains(&value), "from 0 to below 1");
        range("epochs", self.epochs as f64, 0.0, 100_000.0)?;
        range("patience", self.patience as f64, 1.0, 100_000.0)?;
        range("least_steps", self.least_steps as f64, 0.0, 100_000.0)?;
        let rate = self.learning_rate;
        within("learning_rate", rate, rate > 0.0 && rate <= 10.0, "above 0, at most 10")?;
        within(
            "size",
            self.size as f64,
            self.size == 0 || (32..=1024).contains(&self.size),
            "0 (as image_size), or 32 to 1024",
        )?;
        range("warm_up", self.warm_up, 0.0, 0.9)?;
        range("weight_decay", self.weight_decay, 0.0, 10.0)?;
        part("momentum", self.momentum)?;
        let decay = self.layer_decay;
        within("layer_decay", decay, decay > 0.0 && decay <= 1.0, "above 0, at most 1")?;
        range("gradual", self.gradual, 0.0, 0.9)?;
        within("clip", self.clip, self.clip >= 0.0 && self.clip.is_finite(), "0 (never) or a length above it")?;
        part("label_smoothing", self.label_smoothing)?;
        range("mixup", self.mixup, 0.0, 10.0)?;
        range("cutmix", self.cutmix, 0.0, 10.0)?;
        part("ema", self.ema)?;
        range("accumulate", self.accumulate as f64, 1.0, 4096.0)?;
        if self.weight_decay > 0.0 && self.optimizer == OptimizerKind::Adam {
            return Err(Error::config(&format!("{phase}.weight_decay"), self.weight_decay, "0 with optimizer adam")
                .mend(format!("set {phase}.optimizer to adamw, which has decay")));
        }
        if phase != "head" && self.method == Method::Instant {
            return Err(Error::config(&format!("{phase}.method"), "instant", "steps: only a head can be solved for")
                .mend("set head.method to instant"));
        }
        if phase == "head" && self.cutmix > 0.0 {
            return Err(Error::config("head.cutmix", self.cutmix, "0: features have no place to cut from")
                .mend("mix photos of the head's phase by head.mixup"));
        }
        Ok(())
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn tenth() -> f64 {
    0.1
}

fn is_tenth(value: &f64) -> bool {
    *value == tenth()
}

const fn nine_tenths() -> f64 {
    0.9
}

fn is_nine_tenths(value: &f64) -> bool {
    *value == nine_tenths()
}

const fn one() -> f64 {
    1.0
}

fn is_one(value: &f64) -> bool {
    *value == one()
}

const fn in_one() -> usize {
    1
}

fn is_in_one(value: &usize) -> bool {
    *value == in_one()
}
