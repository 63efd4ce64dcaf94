//! What decides the content of a cache file.

use std::collections::BTreeMap;

use candle_core::Device;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::versions;
use crate::data::Loader;
use crate::error::Result;
use crate::files;
use crate::models::{Architecture, Cut, Model};

/// The format of the files that are written.
const FORMAT: u32 = 2;

/// The frozen part of a network: everything that decides what it makes of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenPart {
    /// Name of the network: `resnet50`.
    pub network: String,
    /// Where it ends.
    pub cut: Cut,
    /// SHA-256 over its tensors, with their names.
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
        let mut hasher = Sha256::new();
        for name in model.read_before(cut) {
            let values = model.params().get(&name)?.var.flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<f32>()?;
            hasher.update(format!("{name} {}\n", values.len()));
            for chunk in values.chunks(1 << 14) {
                hasher.update(chunk.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
            }
        }
        let network = match model.architecture() {
            Architecture::Baseline { .. } => "baseline".to_string(),
            Architecture::Transfer { backbone, .. } => backbone.to_string(),
        };
        let mut computed_by = versions();
        computed_by.insert("device".into(), format!("{:?}", model.device().location()));
        computed_by.insert("operations".into(), format!("{:?}", model.ops()));
        Ok(Self { network, cut, weights: files::hex(&hasher.finalize()), computed_by })
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
