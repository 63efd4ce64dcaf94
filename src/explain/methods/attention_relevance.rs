//! Attention relevance: a patch counts as much as it reached the class token, through all layers.

use candle_core::{Device, Tensor};

use super::super::seen::Seen;
use super::method::Method;
use crate::base::error::{Error, ErrorKind, Result};
use crate::models::Attended;

/// Attention weighed by its gradients, from layer to layer (Chefer, Gur & Wolf 2021, <https://arxiv.org/abs/2103.15679>, the rule of self-attention): of each
/// layer what is positive of weight × gradient, as a mean over heads, is added to how much each token has of each patch so far. What the class token has in
/// the end is shown. It is made for vision transformers; other networks have no attention.
///
/// The numbers are those of the authors' `generate_relevance`:
/// ```python
/// # `weights` and `gradients` below, [layers, heads, tokens, tokens]
/// R = torch.eye(3)
/// for a, g in zip(weights, gradients):
///     R = R + (a * g).clamp(min=0).mean(0) @ R
/// print(R[0, 1:])
/// ```
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::{AttentionRelevance, Method, Seen};
/// use petal::models::Attended;
///
/// let weights = [
///     0.34f32, 0.44, 0.22, 0.26, 0.31, 0.43, 0.29, 0.43, 0.28,
///     0.39, 0.3, 0.31, 0.29, 0.33, 0.38, 0.28, 0.34, 0.38,
///     0.26, 0.3, 0.44, 0.39, 0.23, 0.38, 0.26, 0.3, 0.44,
///     0.28, 0.33, 0.39, 0.27, 0.5, 0.23, 0.37, 0.33, 0.29,
/// ];
/// let gradients = [
///     0.4f32, 0.1, 0.6, 0.4, -0.2, -0.7, 0.6, 0.3, 0.5,
///     2.3, -1.5, -1.6, 1.2, 0.1, -1.2, -0., -0.2, -0.4,
///     0.5, -0.4, 1.5, 2.1, 1.7, 2.4, -1.1, -0.3, -1.1,
///     -0.1, 0.3, -0.8, -1.6, 0., -0.8, 0.2, 0.6, 0.6,
/// ];
/// let layer = |layer: usize| -> petal::Result<Attended> {
///     let of = |all: &[f32]| Tensor::from_slice(&all[18 * layer..][..18], (2, 3, 3), &Device::Cpu);
///     Ok(Attended { weights: of(&weights)?, gradients: of(&gradients)? })
/// };
/// // Two patches side by side, behind a class token.
/// let (maps, score) = (Tensor::zeros((4, 1, 2), petal::candle::DType::F32, &Device::Cpu)?, |maps: &Tensor| Ok(maps.sum((1, 2, 3))?));
/// let attended = || Ok(vec![layer(0)?, layer(1)?]);
/// let heat = AttentionRelevance.heat(&Seen::new(&maps, &score)?.attending(&attended))?.to_vec2::<f32>()?;
/// assert!((heat[0][0] - 0.095032).abs() < 1e-5 && (heat[0][1] - 0.423390).abs() < 1e-5, "{heat:?}");
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttentionRelevance;

impl Method for AttentionRelevance {
    fn name(&self) -> &'static str {
        "attentionrelevance"
    }

    fn title(&self) -> &'static str {
        "Attention relevance"
    }

    fn unit(&self) -> &'static str {
        "attention × gradient"
    }

    fn heat(&self, seen: &Seen) -> Result<Tensor> {
        let layers = seen.attended()?;
        let (_, h, w) = seen.maps().dims3()?;
        let tokens = layers.first().map_or(Ok(0), |layer| layer.weights.dim(1))?;
        if tokens <= h * w {
            let what = format!("attention is among {tokens} tokens; expected more than the {} of the patches", h * w);
            return Err(Error::new(ErrorKind::Tensor, what));
        }
        // Only the class token's row of the product is asked for: from the last layer to the first.
        let mut has = vec![0f32; tokens];
        has[0] = 1.0;
        for layer in layers.iter().rev() {
            let taken = taken(layer)?;
            let more: Vec<f32> = (0..tokens).map(|of| (0..tokens).map(|by| has[by] * taken[by][of]).sum()).collect();
            has.iter_mut().zip(more).for_each(|(has, more)| *has += more);
        }
        Ok(Tensor::from_vec(has.split_off(tokens - h * w), (h, w), &Device::Cpu)?)
    }
}

/// What is positive of weight × gradient, the mean over heads: a row for each token that takes.
fn taken(Attended { weights, gradients }: &Attended) -> Result<Vec<Vec<f32>>> {
    let product = (weights * gradients)?.to_device(&Device::Cpu)?;
    Ok(product.relu()?.mean(0)?.to_vec2::<f32>()?)
}
