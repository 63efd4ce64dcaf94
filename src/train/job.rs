//! Everything that one phase of training needs.

use std::ops::{ControlFlow, Range};
use std::path::Path;

use super::event::Event;
use super::inputs::{self, Inputs};
use super::phase::Phase;
use super::run::folder::Run;
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind, Result};
use crate::data::Loader;
use crate::export::ModelInfo;
use crate::models::{Cut, Model};

/// Everything that one phase of training needs.
pub struct Job<'a> {
    /// The network. Its trainable part is changed; when [`fit`](super::fit()) returns, however it ended, it has the best epoch's values.
    pub model: &'a Model,
    /// What the model file of the best epoch says beside its weights.
    pub info: &'a ModelInfo,
    /// Photos to learn from, augmented.
    pub train: &'a Loader,
    /// Photos that decide which epoch is best.
    pub val: &'a Loader,
    /// Which layers, how long, how fast, by which recipe.
    pub phase: &'a Phase,
    /// Seed, views, cache.
    pub config: &'a Config,
    /// Where to go on from, and to save to.
    pub run: &'a Run,
    /// Folder of the cache files.
    pub cache: &'a Path,
}

impl<'a> Job<'a> {
    /// What training and validation read in these epochs, which are counted over all phases.
    pub(super) fn inputs(
        &self,
        epochs: Range<usize>,
        stop: &mut bool,
        observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<(Inputs<'a>, Inputs<'a>)> {
        let cut = self.phase.cut;
        if cut == Cut::Images || !self.config.cache {
            return Ok((Inputs::direct(self.model, cut, self.train)?, Inputs::direct(self.model, cut, self.val)?));
        }
        let views = epochs.take(self.config.views).map(|epoch| self.view(epoch as u64)).collect();
        let mut tell = |event: &Event| -> Result<()> {
            *stop |= observe(event).is_break() || self.run.take_stop_request()?;
            if *stop { Err(Error::new(ErrorKind::Interrupted, "stopped")) } else { Ok(()) }
        };
        let parts = [(self.train, views), (self.val, vec![0])];
        inputs::cached(self.model, cut, parts, self.cache, self.config.cache_bytes(), &mut tell)
            .map(|[train, val]| (train, val))
    }

    /// The view of the photos that an epoch sees. Where all layers train, everything is computed anew each epoch, so every epoch may as well see
    /// a new one.
    pub(super) fn view(&self, epoch: u64) -> u64 {
        if self.phase.cut == Cut::Images { epoch } else { epoch % self.config.views as u64 }
    }

    /// Steps of an epoch.
    pub(super) fn steps(&self) -> usize {
        self.train.len().div_ceil(self.train.batch_size())
    }
}
