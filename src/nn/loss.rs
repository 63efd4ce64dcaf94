//! The loss that classifiers are trained with.

use candle_core::Tensor;

use crate::base::error::Result;

/// Mean cross-entropy in nats of logits `[B, K]` against class indices `[B]` (u32): PyTorch's `CrossEntropyLoss`.
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::nn::loss::cross_entropy;
///
/// // torch.nn.functional.cross_entropy(torch.tensor([[1., 2., 3.], [0., -1., 4.]]), torch.tensor([2, 0]))
/// let logits = Tensor::new(&[[1f32, 2., 3.], [0., -1., 4.]], &Device::Cpu)?;
/// let loss = cross_entropy(&logits, &Tensor::new(&[2u32, 0], &Device::Cpu)?)?;
/// assert!((loss.to_scalar::<f32>()? - 2.2161756).abs() < 1e-6);
/// # Ok::<(), petal::Error>(())
/// ```
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    Ok(cross_entropies(logits, targets)?.mean_all()?)
}

/// The cross-entropy of each row, `[B]`.
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::nn::loss::cross_entropies;
///
/// // Of two equal logits, each has the probability 1/2.
/// let logits = Tensor::new(&[[3f32, 3.]], &Device::Cpu)?;
/// let losses = cross_entropies(&logits, &Tensor::new(&[1u32], &Device::Cpu)?)?.to_vec1::<f32>()?;
/// assert!((losses[0] - 2f32.ln()).abs() < 1e-6);
/// # Ok::<(), petal::Error>(())
/// ```
pub fn cross_entropies(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let log_probabilities = candle_nn::ops::log_softmax(logits, 1)?;
    Ok(log_probabilities.gather(&targets.unsqueeze(1)?, 1)?.squeeze(1)?.neg()?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// ```python
    /// x = torch.tensor([[1., 2., 3.], [0., -1., 4.]], requires_grad=True)
    /// loss = torch.nn.functional.cross_entropy(x, torch.tensor([2, 0])); loss.backward(); print(loss, x.grad)
    /// ```
    #[test]
    fn matches_pytorch_in_value_and_gradient() {
        let logits = Var::new(&[[1f32, 2., 3.], [0., -1., 4.]], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[2u32, 0], &Device::Cpu).unwrap();
        let loss = cross_entropy(&logits, &targets).unwrap();
        assert!((loss.to_scalar::<f32>().unwrap() - 2.216_175_6).abs() < 1e-6);
        let gradient = loss.backward().unwrap().get(&logits).unwrap().to_vec2::<f32>().unwrap();
        let expected = [[0.045_015_3, 0.122_364_2, -0.167_379_5], [-0.491_066, 0.003_286_6, 0.487_779_4]];
        for (got, expected) in gradient.iter().flatten().zip(expected.iter().flatten()) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }

    #[test]
    fn large_logits_stay_finite() {
        let logits = Tensor::new(&[[1000f32, -1000.]], &Device::Cpu).unwrap();
        let wrong = cross_entropy(&logits, &Tensor::new(&[1u32], &Device::Cpu).unwrap()).unwrap();
        assert_eq!(wrong.to_scalar::<f32>().unwrap(), 2000.0);
    }
}
