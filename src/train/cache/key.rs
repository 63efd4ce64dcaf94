//! What decides the content of a cache file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::error::Result;
use crate::base::files;
use crate::data::Loader;
use crate::models::{Architecture, Cut, Model};
use crate::nn::codec;
use crate::train::versions::versions;

/// The format of the files that are written.
const FORMAT: u32 = 3;

/// The frozen part of a network: everything that decides what it makes of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenPart {
    /// Name of the network: `resnet50`.
    pub network: String,
    /// Where it ends.
    pub cut: Cut,
    /// SHA-256 over its tensors, with their names and shapes.
    pub weights: String,
    /// How it is computed: device and operations, versions of petal and of the crates that compute, the machine's instructions. With others, the
    /// last bits may differ.
    pub computed_by: BTreeMap<String, String>,
}

/// Everything that decides what a cache file holds: the frozen part, and what it is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Version of the files' format.
    pub format: u32,
    /// What computes.
    pub part: FrozenPart,
    /// The photos' hashes in their order, preprocessing, and, where they are varied, how: [`Loader::key`].
    pub photos: String,
}

impl FrozenPart {
    /// What comes before the cut of a model, as its tensors are now.
    pub fn of(model: &Model, cut: Cut) -> Result<Self> {
        let tensor = |name: String| Ok((name.clone(), model.params().get(&name)?.var.as_tensor().clone()));
        let tensors = model.read_before(cut).into_iter().map(tensor).collect::<Result<BTreeMap<_, _>>>()?;
        let network = match model.architecture() {
            Architecture::Baseline { .. } => "baseline".to_string(),
            Architecture::Transfer { backbone, .. } => backbone.to_string(),
        };
        let mut computed_by = versions();
        computed_by.insert("device".into(), format!("{:?}", model.device().location()));
        computed_by.insert("operations".into(), format!("{:?}", model.ops()));
        if !model.precision().is_f32() {
            computed_by.insert("precision".into(), model.precision().name().into());
        }
        Ok(Self { network, cut, weights: codec::digest(&tensors)?, computed_by })
    }

    /// The key of what it makes of all photos of a loader in this view.
    pub fn key(&self, loader: &Loader, view: u64) -> Key {
        Key { format: FORMAT, part: self.clone(), photos: loader.key(view) }
    }
}

impl Key {
    /// The name of its file: a hash of all of it.
    pub fn file_name(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_else(|cause| unreachable!("plain values serialize: {cause}"));
        format!("{}.bin", files::sha256(&json))
    }
}
