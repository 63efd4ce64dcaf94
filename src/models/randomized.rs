//! A copy of a model that has forgotten its end: for checks of whether an explanation hangs on what was learned.

use std::collections::BTreeMap;

use super::model::Model;
use crate::base::error::Result;
use crate::base::seed::Seed;

impl Model {
    /// A copy whose head, and so many stages below it, have the numbers that a new network has, drawn from the seed; what is below them is the same.
    ///
    /// ```
    /// use petal::candle::Device;
    /// use petal::models::{Architecture, Model};
    /// use petal::Seed;
    ///
    /// let architecture = Architecture::Baseline { classes: 2, image_size: 38 };
    /// let model = Model::new(&architecture, Seed(1), &Device::Cpu)?;
    /// let copy = model.randomized(0, Seed(2))?;
    /// let same = |name: &str| -> petal::Result<bool> {
    ///     let [one, other] = [&model, &copy].map(|model| model.params().get(name).map(|param| param.var.flatten_all()?.to_vec1::<f32>()));
    ///     Ok(one?? == other??)
    /// };
    /// let all = model.params().iter().filter(|(name, _)| name.ends_with("weight"));
    /// let changed: Vec<&str> = all.map(|(name, _)| name).filter(|name| !same(name).unwrap()).collect();
    /// assert_eq!(changed.len(), 2, "the two dense layers of the head: {changed:?}");
    /// # Ok::<(), petal::Error>(())
    /// ```
    ///
    /// # Errors
    /// What making a network gives.
    pub fn randomized(&self, stages: usize, seed: Seed) -> Result<Self> {
        let copy =
            Self::with_ops(self.architecture(), seed, &self.device(), self.ops())?.in_precision(self.precision())?;
        let network = self.body();
        let (head, prefix) = (self.head_names(), self.architecture().prefix());
        let mut kept = BTreeMap::new();
        for (name, param) in self.params().iter() {
            let is_head = head.iter().any(|of_head| of_head == name);
            if !is_head && network.depth(name.strip_prefix(prefix).unwrap_or(name))? > stages {
                kept.insert(name.to_string(), param.var.as_tensor().clone());
            }
        }
        copy.params().set_all(&kept)?;
        Ok(copy)
    }
}
