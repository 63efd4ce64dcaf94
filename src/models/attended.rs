//! What the attention of a vision transformer took, layer by layer, and what a class's logit makes of it.

use std::any::Any;

use candle_core::{Tensor, Var};

use super::model::Model;
use crate::base::error::{Error, ErrorKind, Result};
use crate::nn::steps::{Attention, Step};

/// One layer's attention on one photo.
#[derive(Clone, Debug)]
pub struct Attended {
    /// How much of each token's value each token takes, `[heads, tokens, tokens]`: a row for each that takes, whose sum is 1. The class token is the first,
    /// registers follow, then the patches, row by row.
    pub weights: Tensor,
    /// How much the logit grows with each weight: `[heads, tokens, tokens]`.
    pub gradients: Tensor,
}

impl Model {
    /// The attention of each layer on an image `[1, 3, H, W]`, the first layer first, with the gradients of this class's logit; by Candle's operations,
    /// whichever way the model computes.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a network without attention; [`ErrorKind::Tensor`] for more than one image, or a class that is not there.
    pub fn attended(&self, image: &Tensor, class: usize) -> Result<Vec<Attended>> {
        if image.dims4()?.0 != 1 {
            return Err(Error::new(
                ErrorKind::Tensor,
                format!("attention is looked at one image at a time; got {image:?}"),
            ));
        }
        let mut seen: Vec<(Tensor, Var)> = Vec::new();
        let mut instead = |step: &dyn Step, x: &Tensor| -> Result<Option<Tensor>> {
            let Some(attention) = (step as &dyn Any).downcast_ref::<Attention>() else { return Ok(None) };
            let weights = attention.weights(x)?;
            // Zeros that are added get the gradient, which Candle does not keep of what is made on the way.
            let none = Var::from_tensor(&weights.zeros_like()?)?;
            let taken = attention.taken(x, &(&weights + none.as_tensor())?)?;
            seen.push((weights, none));
            Ok(Some(taken))
        };
        let program = self.program();
        let logits = self.numbers().stage(program, program.steps.len()).composed_by(image, None, &mut instead)?;
        let gradients = logits.flatten_all()?.get(class)?.backward()?;
        if seen.is_empty() {
            let what = "this network has no attention: it is made of convolutions";
            return Err(
                Error::new(ErrorKind::Config, what).mend("use gradcam, or another of the methods that weigh maps")
            );
        }
        let turned = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.detach().squeeze(0)?.t()?.contiguous()?) };
        let attended = |(weights, none): &(Tensor, Var)| -> Result<Attended> {
            let gradients = match gradients.get(none) {
                Some(gradients) => turned(gradients)?,
                None => turned(&weights.zeros_like()?)?,
            };
            Ok(Attended { weights: turned(weights)?, gradients })
        };
        seen.iter().map(attended).collect()
    }

    /// Whether there is attention in it, so that [`Model::attended`] has something to say.
    pub fn has_attention(&self) -> bool {
        self.program().steps.iter().any(|node| (&*node.step as &dyn Any).is::<Attention>())
    }
}
