//! Batches at the cut: from the cache, or computed each time.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;

use super::batch::AtCut;
use super::cache::file::{self, Cached};
use super::cache::folder;
use super::cache::key::FrozenPart;
use super::event::Event;
use crate::base::error::Result;
use crate::base::seed::{Purpose, Seed};
use crate::data::{Batch, Loader, Subset};
use crate::models::{Cut, Frozen, Model};

/// Gives batches at the cut, of which these views of each loader come from cache files. What is missing there is computed now, after it is
/// told how large it will be and what older files made room for it (see [`Cache`](super::Cache)).
///
/// # Errors
/// What `tell` gives, which ends the work; nothing half done is left behind. [`ErrorKind::DiskFull`](crate::ErrorKind::DiskFull) before anything
/// is computed.
pub fn cached<'a, const PARTS: usize>(
    model: &'a Model,
    cut: Cut,
    parts: [(&'a Loader, Vec<u64>); PARTS],
    at: &Path,
    limit: u64,
    tell: &mut dyn FnMut(&Event) -> Result<()>,
) -> Result<[Inputs<'a>; PARTS]> {
    let frozen = FrozenPart::of(model, cut)?;
    let mut inputs = parts.each_ref().map(|&(loader, _)| Inputs { cut, loader, frozen: None, cached: BTreeMap::new() });
    let (mut missing, mut needed, mut total, mut done) = (Vec::new(), 0, 0, 0);
    // All that is there is held before older files make room: none of them goes.
    for (part, (loader, views)) in parts.into_iter().enumerate() {
        inputs[part].frozen = self::frozen(model, cut, loader)?;
        for view in views {
            total += loader.len();
            let key = frozen.key(loader, view);
            match Cached::open(at, &key, loader.len())? {
                Some(found) => {
                    inputs[part].cached.insert(view, found);
                    done += loader.len();
                }
                None => {
                    needed += (loader.len() * row_bytes(model, cut, loader)) as u64;
                    missing.push((part, view, key));
                }
            }
        }
    }
    if !missing.is_empty() {
        tell(&Event::Room(folder::make_room(at, needed, limit)?))?;
    }
    for (part, view, key) in missing {
        let Inputs { loader, frozen, .. } = &inputs[part];
        let mut tick = |photos: usize| tell(&Event::Caching { done: done + photos, total });
        let computed = Cached::prepare(frozen.as_ref(), loader, view, &key, at, &mut tick)?;
        done += computed.len();
        inputs[part].cached.insert(view, computed);
    }
    Ok(inputs)
}

/// Bytes of a photo in the cache.
fn row_bytes(model: &Model, cut: Cut, loader: &Loader) -> usize {
    model.lens(cut, loader.preprocess().size).first().map_or(0, |len| len * file::number_bytes(cut))
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

    /// Photos in all.
    pub fn len(&self) -> usize {
        self.loader.len()
    }

    /// The photos.
    pub fn subset(&self) -> &Subset {
        self.loader.subset()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The order in which an epoch of training sees the photos.
    pub fn shuffled(&self, seed: Seed, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        seed.stream(Purpose::Shuffle, epoch, 0).shuffle(&mut order);
        order
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
                let targets = Tensor::from_vec(targets, indices.len(), device)?;
                Ok(AtCut::new(cached.rows(indices, device)?, targets, indices.to_vec()))
            }))),
            None => Ok(Box::new(self.loader.batches_of(order, view).map(move |batch| {
                let Batch { images, targets, indices, .. } = batch?;
                let values = match &self.frozen {
                    None => images,
                    Some(frozen) => file::round(&frozen.run(&images)?, self.cut)?,
                };
                Ok(AtCut::new(values, targets, indices))
            }))),
        }
    }
}

fn frozen<'a>(model: &'a Model, cut: Cut, loader: &Loader) -> Result<Option<Frozen<'a>>> {
    let side = loader.preprocess().size;
    (cut != Cut::Images).then(|| model.frozen(cut, side, side)).transpose()
}
