//! Batches at the cut: from the cache, or computed each time.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;

use super::cache::{self, Cached};
use crate::data::{Batch, Loader};
use crate::error::Result;
use crate::files;
use crate::models::{Cut, Frozen, Model};

/// A batch as the trainable part takes it.
#[derive(Clone, Debug)]
pub struct AtCut {
    /// Images `[B, 3, H, W]`, activations `[B, C, h, w]` or features `[B, D]`.
    pub values: Tensor,
    /// `[B]`, u32: index of the class.
    pub targets: Tensor,
    /// Index of each photo in its subset.
    pub indices: Vec<usize>,
}

/// Gives batches at the cut.
pub struct Inputs<'a> {
    cut: Cut,
    loader: &'a Loader,
    /// What computes uncached batches; none where the cut is before everything.
    frozen: Option<Frozen<'a>>,
    /// By view; empty where nothing is cached.
    cached: BTreeMap<u64, Cached>,
}

impl<'a> Inputs<'a> {
    /// Everything is computed each time it is asked for.
    pub fn direct(model: &'a Model, cut: Cut, loader: &'a Loader) -> Result<Self> {
        Ok(Self { cut, loader, frozen: frozen(model, cut, loader)?, cached: BTreeMap::new() })
    }

    /// Views `0..views` come from cache files, which are made now where they are missing.
    pub fn cached(
        model: &'a Model,
        cut: Cut,
        loader: &'a Loader,
        views: u64,
        frozen_hash: &str,
        folder: &Path,
        tick: &mut dyn FnMut(usize, usize) -> Result<()>,
    ) -> Result<Self> {
        let mut cached = BTreeMap::new();
        let frozen = frozen(model, cut, loader)?;
        let total = loader.len() * views as usize;
        let keys = (0..views).map(|view| {
            let key = files::sha256(format!("1;{frozen_hash};{cut:?};{};{view}", loader.key(view)).as_bytes());
            (view, key)
        });
        let keys: Vec<_> = keys.collect();
        // All views at once: a disk that is too small is found before the first is computed.
        let missing = keys.iter().filter(|(_, key)| !cache::path(folder, key).exists()).count();
        if missing > 0 {
            let row = model.lens(cut, loader.preprocess().size).first().map_or(0, |len| len * cache::cut_bytes(cut));
            cache::check_room(folder, missing * loader.len() * row)?;
        }
        for (view, key) in keys {
            let before = loader.len() * view as usize;
            let mut tick = |done: usize, _: usize| tick(before + done, total);
            cached.insert(view, Cached::prepare(frozen.as_ref(), cut, loader, view, &key, folder, &mut tick)?);
        }
        Ok(Self { cut, loader, frozen, cached })
    }

    /// Photos in all.
    pub fn len(&self) -> usize {
        self.loader.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The photos with these indices in this order, in this view, a batch at a time; the last, smaller one too.
    pub fn batches<'b>(
        &'b self,
        order: &'b [usize],
        view: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<AtCut>> + 'b>> {
        match self.cached.get(&view) {
            Some(cached) => Ok(Box::new(order.chunks(self.loader.batch_size()).map(move |indices| {
                let device = self.loader.device();
                let targets: Vec<u32> =
                    indices.iter().map(|&i| self.loader.subset().samples[i].target as u32).collect();
                Ok(AtCut {
                    values: cached.rows(indices, self.cut, device)?,
                    targets: Tensor::from_vec(targets, indices.len(), device)?,
                    indices: indices.to_vec(),
                })
            }))),
            None => Ok(Box::new(self.loader.batches_of(order, view).map(move |batch| {
                let Batch { images, targets, indices } = batch?;
                let values = match &self.frozen {
                    None => images,
                    Some(frozen) => cache::round(&frozen.run(&images)?, self.cut)?,
                };
                Ok(AtCut { values, targets, indices })
            }))),
        }
    }
}

fn frozen<'a>(model: &'a Model, cut: Cut, loader: &Loader) -> Result<Option<Frozen<'a>>> {
    let side = loader.preprocess().size;
    (cut != Cut::Images).then(|| model.frozen(cut, side, side)).transpose()
}

/// Names the frozen part of a model exactly: the hash over the tensors that do not train after this cut, and over what
/// the model was built from.
pub fn frozen_hash(model: &Model, cut: Cut) -> Result<String> {
    use sha2::Digest;
    let trainable = model.trainable(cut);
    let mut hasher = sha2::Sha256::new();
    hasher.update(format!("{:?}", model.architecture()));
    for (name, param) in model.params().iter() {
        if trainable.binary_search_by(|t| t.as_str().cmp(name)).is_err() {
            hasher.update(name);
            let values = param.var.flatten_all()?.to_device(&candle_core::Device::Cpu)?.to_vec1::<f32>()?;
            for chunk in values.chunks(1 << 14) {
                hasher.update(chunk.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
            }
        }
    }
    Ok(files::hex(&hasher.finalize()))
}
