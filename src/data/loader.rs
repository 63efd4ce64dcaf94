//! From photos to batches: decoded in parallel, in order, one batch ahead.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use candle_core::Tensor;
use rayon::prelude::*;

use super::{Facts, Sample, Subset, photo};
use crate::base::config::AugmentConfig;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::project::Device;
use crate::base::seed::{Purpose, Seed, Stream};
use crate::pixels::{self, Augmentation, Preprocess, Region, Rgb, Trivial};

/// Photos as tensors.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[B, 3, H, W]`, f32, normalized; channels-last in memory.
    pub images: Tensor,
    /// `[B]`, u32: index of the class.
    pub targets: Tensor,
    /// Index of each photo in its [`Subset`].
    pub indices: Vec<usize>,
    /// What is known of each photo beside what it shows; of none, but from a loader that was asked for it ([`Loader::with_facts`]).
    pub facts: Vec<Facts>,
}

/// Makes batches of a [`Subset`]. The last, smaller batch is never dropped; a photo that cannot be read, or is not the one that
/// was split, is an error that names it.
#[derive(Clone, Debug)]
pub struct Loader {
    subset: Subset,
    preprocess: Preprocess,
    batch_size: usize,
    device: Device,
    augment: Option<(AugmentConfig, Seed)>,
    tells_facts: bool,
}

impl Loader {
    /// Photos as the network was trained to see them, `batch_size` at a time.
    pub fn new(subset: &Subset, preprocess: Preprocess, batch_size: usize, device: &Device) -> Self {
        Self {
            subset: subset.clone(),
            preprocess,
            batch_size: batch_size.max(1),
            device: device.clone(),
            augment: None,
            tells_facts: false,
        }
    }

    /// Varies each photo; the variation is drawn from (seed, view, index of the photo). A photo whose shorter side is more than
    /// twice what the network needs is shrunk to that first.
    #[must_use]
    pub fn augmented(self, augment: AugmentConfig, seed: Seed) -> Self {
        Self { augment: Some((augment, seed)), ..self }
    }

    /// Says in each [`Batch`] what is known of its photos, too, so that they need not be read again for it.
    #[must_use]
    pub fn with_facts(self) -> Self {
        Self { tells_facts: true, ..self }
    }

    /// All photos in the subset's own order.
    pub fn batches(&self) -> impl Iterator<Item = Result<Batch>> + use<> {
        let order: Vec<usize> = (0..self.len()).collect();
        self.batches_of(&order, 0)
    }

    /// The photos with these indices, in this order, in their `view`-th variation.
    pub fn batches_of(&self, order: &[usize], view: u64) -> impl Iterator<Item = Result<Batch>> + use<> {
        let (loader, order) = (self.clone(), order.to_vec());
        // One batch waits here while another is being made: a reader that computes never waits for decoding, and one that
        // stops reading ends the thread at its next send.
        let (send, receive) = sync_channel(1);
        let left = order.len().div_ceil(self.batch_size);
        let thread = thread::spawn(move || {
            for indices in order.chunks(loader.batch_size) {
                if send.send(loader.pixels(indices, view)).is_err() {
                    return;
                }
            }
        });
        Batches { loader: self.clone(), left, receive: Some(receive), thread: Some(thread) }
    }

    /// What the network sees of a photo, before normalization.
    pub fn photo(&self, index: usize, view: u64) -> Result<Rgb> {
        Ok(self.told(index, view, false)?.0)
    }

    /// The same, and what is known of the photo where that is wanted.
    fn told(&self, index: usize, view: u64, wants_facts: bool) -> Result<(Rgb, Option<Facts>)> {
        let Subset { samples, hashes, .. } = &self.subset;
        let known = samples.get(index).zip(hashes.get(index));
        let (Sample { path, .. }, hash) = known.ok_or_else(|| no_photo(index, samples.len()))?;
        let (photo, bytes) = photo::known(path, hash)?;
        let told = || {
            let facts = if wants_facts { Some(Facts::of_picture(photo.clone(), &bytes)?) } else { None };
            let square = match &self.augment {
                None => self.preprocess.square(&photo),
                Some((config, seed)) => {
                    self.varied(photo, config, &mut seed.stream(Purpose::Augment, view, index as u64))
                }
            };
            Ok((square?, facts))
        };
        told().map_err(|error: Error| error.at(path))
    }

    /// A variation of a photo. What came later into the settings is drawn after what was there before.
    fn varied(&self, photo: Rgb, config: &AugmentConfig, stream: &mut Stream) -> Result<Rgb> {
        let Preprocess { size, crop, .. } = self.preprocess;
        let drawn = Augmentation::draw(config, stream);
        // Of a part that is shown alone, as much is to be there.
        let part = if config.crop > 0.0 { config.crop.sqrt().max(0.1) } else { 1.0 };
        let photo = pixels::resize::shrink(photo, (2.0 * size as f64 / crop / part) as usize)?;
        let photo = drawn.apply(&photo);
        let mut square = if config.crop > 0.0 {
            self.preprocess.region(&photo, Region::draw(config.crop, (photo.width, photo.height), stream))?
        } else {
            self.preprocess.square(&photo)?
        };
        if config.trivial {
            square = Trivial::draw(stream).apply(&square);
        }
        if let Some(region) = Region::to_cover(config.erase, (size, size), stream) {
            region.cover(&mut square, self.preprocess.mean_colour());
        }
        Ok(square)
    }

    /// The same photos as they are, not varied.
    #[must_use]
    pub fn plain(&self) -> Self {
        Self { augment: None, ..self.clone() }
    }

    /// Names exactly what [`Loader::photo`] gives for all photos in this view: by the hashes that it compares them with, not by their names and
    /// labels.
    pub fn key(&self, view: u64) -> String {
        let Self { subset, preprocess, augment, .. } = self;
        let photos = files::sha256(subset.hashes.join(",").as_bytes());
        match augment {
            Some((config, seed)) => format!("{photos} {preprocess:?} {config:?} {seed:?} view {view}"),
            None => format!("{photos} {preprocess:?}"),
        }
    }

    /// Photos in all.
    pub fn len(&self) -> usize {
        self.subset.samples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Photos a batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The photos.
    pub fn subset(&self) -> &Subset {
        &self.subset
    }

    /// What the network was trained to see.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// Where the tensors go.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn pixels(&self, indices: &[usize], view: u64) -> Pixels {
        let photo = |&index: &usize| {
            let (photo, facts) = self.told(index, view, self.tells_facts)?;
            Ok((self.preprocess.normalize(&photo), facts))
        };
        (indices.to_vec(), indices.par_iter().map(photo).collect())
    }

    fn batch(&self, indices: Vec<usize>, photos: Vec<(Vec<f32>, Option<Facts>)>) -> Result<Batch> {
        let (pixels, facts): (Vec<_>, Vec<_>) = photos.into_iter().unzip();
        let (count, side) = (indices.len(), self.preprocess.size);
        let targets: Vec<u32> = indices.iter().map(|&index| self.subset.samples[index].target as u32).collect();
        let images = Tensor::from_vec(pixels.concat(), (count, side, side, 3), &self.device)?.permute((0, 3, 1, 2))?;
        let targets = Tensor::from_vec(targets, count, &self.device)?;
        Ok(Batch { images, targets, indices, facts: facts.into_iter().flatten().collect() })
    }
}

fn no_photo(index: usize, len: usize) -> Error {
    Error::new(ErrorKind::Dataset, format!("there is no photo {index}: this part has {len}"))
}

/// What the thread hands over: the photos' indices, their pixels, and what is known of them.
type Pixels = (Vec<usize>, Result<Vec<(Vec<f32>, Option<Facts>)>>);

struct Batches {
    loader: Loader,
    /// Batches that are still to come.
    left: usize,
    receive: Option<Receiver<Pixels>>,
    thread: Option<JoinHandle<()>>,
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let received = self.receive.as_ref().and_then(|receive| receive.recv().ok());
        let Some((indices, pixels)) = received else {
            // The thread panicked, which nothing should bring about. Without a word, its photos would be missing from the epoch.
            let what = format!("loading photos ended {} batches too early", self.left);
            self.left = 0;
            return Some(Err(Error::new(ErrorKind::Image, what)));
        };
        self.left -= 1;
        Some(pixels.and_then(|pixels| self.loader.batch(indices, pixels)))
    }
}

impl Drop for Batches {
    /// No thread goes on reading files after its reader is gone.
    fn drop(&mut self) {
        drop(self.receive.take());
        self.thread.take().map(JoinHandle::join);
    }
}
