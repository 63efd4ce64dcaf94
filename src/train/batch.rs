//! A batch as the trainable part takes it.

use std::ops::Range;

use candle_core::Tensor;

use crate::base::error::Result;
use crate::nn::loss;

/// A batch as the trainable part takes it.
#[derive(Clone, Debug)]
pub struct AtCut {
    /// Images `[B, 3, H, W]`, activations `[B, C, h, w]` or features `[B, D]`.
    pub values: Tensor,
    /// `[B]`, u32: index of the class.
    pub targets: Tensor,
    /// Index of each photo in its subset.
    pub indices: Vec<usize>,
    /// `[B]`: how much each photo counts in the loss; all alike without.
    pub weights: Option<Tensor>,
    /// What each photo was mixed with, if it was.
    pub others: Option<Others>,
}

/// What the photos of a batch were mixed with.
#[derive(Clone, Debug)]
pub struct Others {
    /// `[B]`, u32: the classes of the other photos.
    pub targets: Tensor,
    /// `[B]`: how much the others count in the loss; all alike without.
    pub weights: Option<Tensor>,
    /// How much of each photo is its own, 0 to 1; the rest is the other's.
    pub share: f64,
}

impl AtCut {
    /// Photos as they are, all of which count alike.
    pub fn new(values: Tensor, targets: Tensor, indices: Vec<usize>) -> Self {
        Self { values, targets, indices, weights: None, others: None }
    }

    /// The same, where each photo counts in the loss by its class's weight (`[K]`).
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`](crate::ErrorKind::Tensor) if a target has no weight.
    pub fn weighted(self, classes: &[f32]) -> Result<Self> {
        let classes = Tensor::from_slice(classes, classes.len(), self.targets.device())?;
        let weights = classes.index_select(&self.targets, 0)?;
        Ok(Self { weights: Some(weights), ..self })
    }

    /// The photos in these places of the batch.
    pub fn rows(&self, rows: Range<usize>) -> Result<Self> {
        let of = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.narrow(0, rows.start, rows.len())?) };
        let maybe = |tensor: &Option<Tensor>| tensor.as_ref().map(of).transpose();
        let others = |others: &Others| -> Result<Others> {
            Ok(Others { targets: of(&others.targets)?, weights: maybe(&others.weights)?, share: others.share })
        };
        Ok(Self {
            values: of(&self.values)?,
            targets: of(&self.targets)?,
            indices: self.indices[rows.clone()].to_vec(),
            weights: maybe(&self.weights)?,
            others: self.others.as_ref().map(others).transpose()?,
        })
    }

    /// The loss of logits `[B, K]`, a scalar: cross-entropy with so much label smoothing; where photos were mixed, that of both targets, each by its
    /// share; where they have weights, the weighted mean.
    pub fn cross_entropy(&self, logits: &Tensor, smoothing: f64) -> Result<Tensor> {
        let own =
            loss::mean(&loss::smoothed_cross_entropies(logits, &self.targets, smoothing)?, self.weights.as_ref())?;
        let Some(others) = &self.others else { return Ok(own) };
        let losses = loss::smoothed_cross_entropies(logits, &others.targets, smoothing)?;
        let other = loss::mean(&losses, others.weights.as_ref())?;
        Ok(((own * others.share)? + (other * (1.0 - others.share))?)?)
    }

    /// How much all of it counts beside other batches: the sum of the weights, or the number of photos.
    pub(super) fn weight(&self) -> Result<f64> {
        match &self.weights {
            Some(weights) => Ok(f64::from(weights.sum_all()?.to_scalar::<f32>()?)),
            None => Ok(self.indices.len() as f64),
        }
    }
}
