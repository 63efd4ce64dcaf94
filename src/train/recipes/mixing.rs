//! Photos that are mixed with others: mixup and cutmix.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::recipe::{At, Recipe};
use crate::base::config::PhaseConfig;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Stream};
use crate::train::batch::{AtCut, Others};

/// Mixup (Zhang et al. 2017, arXiv:1710.09412) and cutmix (Yun et al. 2019, arXiv:1905.04899), as timm's `Mixup` does them: one share a batch, and the
/// first photo meets the last. What is mixed is what the trainable part takes: pictures, activations or, by mixup alone, features; so the cache
/// serves as before. The loss is that of both targets, each by its share. With both α above 0, each batch is mixed by one of the two.
///
/// ```
/// use petal::prelude::*;
/// use petal::train::recipes::Mixing;
///
/// let phase = Phase::head(&Config::seed()).by(Mixing { mixup: 0.2, cutmix: 0.0 });
/// assert_eq!(phase.computes()["mixup"], "0.2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixing {
    /// α of mixup: shares are from Beta(α, α); 0 is off.
    pub mixup: f64,
    /// α of cutmix; 0 is off.
    pub cutmix: f64,
}

/// A part of a picture: rows and columns from, to (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    top: usize,
    bottom: usize,
    left: usize,
    right: usize,
}

impl Mixing {
    /// Mixes each photo of a batch with the one that is as far from the other end, this share its own.
    pub fn mix(batch: AtCut, share: f64) -> Result<AtCut> {
        let others = reversed(&batch.values)?;
        let values = ((&batch.values * share)? + (others * (1.0 - share))?)?;
        with_others(AtCut { values, ..batch }, share)
    }

    /// Puts a part of the other photo into each photo of a batch. The part has about `1 − share` of its area; where it reaches beyond the border, less.
    fn cut(batch: AtCut, share: f64, stream: &mut Stream) -> Result<AtCut> {
        let Ok((_, _, height, width)) = batch.values.dims4() else {
            let what = format!("cutmix needs pictures; got numbers of shape {:?}", batch.values.dims());
            return Err(Error::new(ErrorKind::Config, what).mend("set cutmix to 0, or use mixup"));
        };
        let (frame, share) = frame((height, width), share, stream);
        with_others(AtCut { values: paste(&batch.values, frame)?, ..batch }, share)
    }
}

impl Recipe for Mixing {
    fn key(&self, _: &PhaseConfig) -> BTreeMap<String, String> {
        let both = [("mixup", self.mixup), ("cutmix", self.cutmix)].into_iter();
        both.filter(|(_, alpha)| *alpha > 0.0).map(|(name, alpha)| (name.into(), alpha.to_string())).collect()
    }

    fn batch(&self, at: &At, batch: AtCut) -> Result<AtCut> {
        let mut stream = at.seed.stream(Purpose::Mix, at.epoch, at.step as u64);
        let by_cutmix = stream.chance(0.5);
        match (self.mixup > 0.0, self.cutmix > 0.0) {
            (false, false) => Ok(batch),
            (true, cuts) if !(cuts && by_cutmix) => Self::mix(batch, stream.beta(self.mixup)),
            _ => {
                let share = stream.beta(self.cutmix);
                Self::cut(batch, share, &mut stream)
            }
        }
    }
}

/// Where the other photo shows, and how much of each photo is then its own: timm's `rand_bbox`, with `correct_lam`.
fn frame((height, width): (usize, usize), share: f64, stream: &mut Stream) -> (Frame, f64) {
    let ratio = (1.0 - share).sqrt();
    let (middle_y, middle_x) = (stream.below(height) as isize, stream.below(width) as isize);
    let range = |middle: isize, side: usize| {
        let half = (side as f64 * ratio) as isize / 2;
        let within = |at: isize| at.clamp(0, side as isize) as usize;
        (within(middle - half), within(middle + half))
    };
    let ((top, bottom), (left, right)) = (range(middle_y, height), range(middle_x, width));
    let area = (bottom - top) * (right - left);
    (Frame { top, bottom, left, right }, 1.0 - area as f64 / (height * width) as f64)
}

/// `[B, C, H, W]`, where the other photo shows in the frame.
fn paste(values: &Tensor, frame: Frame) -> Result<Tensor> {
    let (_, _, height, width) = values.dims4()?;
    let inside = |y: usize, x: usize| (frame.top..frame.bottom).contains(&y) && (frame.left..frame.right).contains(&x);
    let mask = (0..height).flat_map(|y| (0..width).map(move |x| u8::from(inside(y, x))));
    let mask = Tensor::from_iter(mask, values.device())?.reshape((1, 1, height, width))?;
    let mask = mask.broadcast_as(values.shape())?;
    // Channels-last in memory, as the photos were.
    let channels_last = |tensor: &Tensor| tensor.permute((0, 2, 3, 1))?.contiguous();
    let mixed = channels_last(&mask)?.where_cond(&channels_last(&reversed(values)?)?, &channels_last(values)?)?;
    Ok(mixed.permute((0, 3, 1, 2))?.to_dtype(DType::F32)?)
}

fn with_others(batch: AtCut, share: f64) -> Result<AtCut> {
    let others = Others {
        targets: reversed(&batch.targets)?,
        weights: batch.weights.as_ref().map(reversed).transpose()?,
        share,
    };
    Ok(AtCut { others: Some(others), ..batch })
}

/// The rows from the last to the first.
fn reversed(of: &Tensor) -> Result<Tensor> {
    let rows = of.dim(0)? as u32;
    let index = Tensor::from_iter((0..rows).rev(), of.device())?;
    if of.dims().len() != 4 {
        return Ok(of.index_select(&index, 0)?);
    }
    Ok(of.permute((0, 2, 3, 1))?.contiguous()?.index_select(&index, 0)?.permute((0, 3, 1, 2))?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::base::seed::Seed;

    /// ```python
    /// x = torch.tensor([[1., 2., 3.], [0., -1., 4.], [2., 0.5, -1.]]); y = torch.tensor([2, 0, 1])
    /// t = timm.data.mixup.mixup_target(y, 3, lam=0.7, smoothing=0.1); print(timm.loss.SoftTargetCrossEntropy()(x, t))
    /// print(x * 0.7 + x.flip(0) * 0.3)
    /// ```
    #[test]
    fn a_mixed_batch_and_its_loss_are_timms() {
        let logits = Tensor::new(&[[1f32, 2., 3.], [0., -1., 4.], [2., 0.5, -1.]], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[2u32, 0, 1], &Device::Cpu).unwrap();
        let batch = Mixing::mix(AtCut::new(logits.clone(), targets, vec![0, 1, 2]), 0.7).unwrap();
        let loss = batch.cross_entropy(&logits, 0.1).unwrap().to_scalar::<f32>().unwrap();
        assert!((loss - MIXED).abs() < 1e-6, "{loss}");
        let values = batch.values.to_vec2::<f32>().unwrap().concat();
        for (got, expected) in values.iter().zip([1.3, 1.55, 1.8, 0.0, -1.0, 4.0, 1.7, 0.95, 0.2]) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }

    const MIXED: f32 = 2.282_887_2;

    #[test]
    fn a_frame_is_as_large_as_asked_and_counted_as_it_is() {
        for draw in 0..200 {
            let (frame, share) = frame((8, 10), 0.75, &mut Seed(draw).stream(Purpose::Mix, 0, 0));
            let Frame { top, bottom, left, right } = frame;
            // Half of each side, and less at the border.
            assert!(bottom - top <= 4 && right - left <= 4 && bottom <= 8 && right <= 10, "{frame:?}");
            assert_eq!(share, 1.0 - ((bottom - top) * (right - left)) as f64 / 80.0);
        }
        let values = Tensor::arange(0f32, 2.0 * 12.0, &Device::Cpu).unwrap().reshape((2, 1, 3, 4)).unwrap();
        let pasted = paste(&values, Frame { top: 1, bottom: 3, left: 2, right: 4 }).unwrap();
        let first = pasted.get(0).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(first, [0., 1., 2., 3., 4., 5., 18., 19., 8., 9., 22., 23.]);
    }

    #[test]
    fn features_cannot_be_cut() {
        let batch = AtCut::new(
            Tensor::ones((2, 3), DType::F32, &Device::Cpu).unwrap(),
            Tensor::new(&[0u32, 1], &Device::Cpu).unwrap(),
            vec![0, 1],
        );
        let at = At { seed: Seed(1), epoch: 0, step: 0, taken: 0, planned: 1, learning_rate: 1.0 };
        let error = Mixing { mixup: 0.0, cutmix: 1.0 }.batch(&at, batch).unwrap_err();
        assert!(error.how_to_mend().unwrap().contains("mixup"), "{error}");
    }
}
