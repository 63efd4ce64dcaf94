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

/// The same with label smoothing (Szegedy et al. 2015, arXiv:1512.00567): the part `smoothing` of each target is spread evenly over all
/// classes. PyTorch's `CrossEntropyLoss(label_smoothing=…)`. With 0 it is [`cross_entropies`], to the bit.
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::nn::loss::smoothed_cross_entropies;
///
/// // Of two equal logits, the smoothed target costs the same.
/// let logits = Tensor::new(&[[3f32, 3.]], &Device::Cpu)?;
/// let losses = smoothed_cross_entropies(&logits, &Tensor::new(&[1u32], &Device::Cpu)?, 0.1)?.to_vec1::<f32>()?;
/// assert!((losses[0] - 2f32.ln()).abs() < 1e-6);
/// # Ok::<(), petal::Error>(())
/// ```
pub fn smoothed_cross_entropies(logits: &Tensor, targets: &Tensor, smoothing: f64) -> Result<Tensor> {
    if smoothing == 0.0 {
        return cross_entropies(logits, targets);
    }
    let log_probabilities = candle_nn::ops::log_softmax(logits, 1)?;
    let own = log_probabilities.gather(&targets.unsqueeze(1)?, 1)?.squeeze(1)?;
    let all = log_probabilities.mean(1)?;
    Ok(((own * (smoothing - 1.0))? - (all * smoothing)?)?)
}

/// The mean of losses `[B]`, each by its weight where there are some: `Σ w·l / Σ w`, as PyTorch's `CrossEntropyLoss(weight=…)`.
pub fn mean(losses: &Tensor, weights: Option<&Tensor>) -> Result<Tensor> {
    match weights {
        None => Ok(losses.mean_all()?),
        Some(weights) => Ok(((losses * weights)?.sum_all()? / weights.sum_all()?)?),
    }
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

    /// ```python
    /// x = torch.tensor([[1., 2., 3.], [0., -1., 4.], [2., 0.5, -1.]], requires_grad=True); y = torch.tensor([2, 0, 1])
    /// F.cross_entropy(x, y, label_smoothing=0.1).backward()
    /// F.cross_entropy(x, y, weight=torch.tensor([0.5, 2.0, 1.0])).backward()
    /// ```
    #[test]
    fn smoothing_and_weights_match_pytorch_in_value_and_gradient() {
        let logits = Var::new(&[[1f32, 2., 3.], [0., -1., 4.], [2., 0.5, -1.]], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[2u32, 0, 1], &Device::Cpu).unwrap();
        let smoothed = mean(&smoothed_cross_entropies(&logits, &targets, 0.1).unwrap(), None).unwrap();
        let weights = Tensor::new(&[1f32, 0.5, 2.0], &Device::Cpu).unwrap();
        let weighted = mean(&cross_entropies(&logits, &targets).unwrap(), Some(&weights)).unwrap();
        for (loss, (value, gradient)) in [(smoothed, SMOOTHED), (weighted, WEIGHTED)] {
            let got = loss.to_scalar::<f32>().unwrap();
            assert!((got - value).abs() < 1e-6, "{got} {value}");
            let got = loss.backward().unwrap().get(&logits).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (got, expected) in got.iter().zip(gradient) {
                assert!((got - expected).abs() < 1e-6, "{got} {expected}");
            }
        }
    }

    const SMOOTHED: (f32, [f32; 9]) = (
        2.057_887_3,
        [
            0.018_899_1,
            0.070_465_1,
            -0.089_364_1,
            -0.305_155_1,
            -0.008_920_0,
            0.314_075_1,
            0.250_754_5,
            -0.252_681,
            0.001_926_4,
        ],
    );
    const WEIGHTED: (f32, [f32; 9]) = (
        1.686_457_5,
        [
            0.025_723_0,
            0.069_922_4,
            -0.095_645_4,
            -0.140_304_6,
            0.000_939_0,
            0.139_365_5,
            0.448_912_6,
            -0.471_262_7,
            0.022_350_0,
        ],
    );

    #[test]
    fn large_logits_stay_finite() {
        let logits = Tensor::new(&[[1000f32, -1000.]], &Device::Cpu).unwrap();
        let wrong = cross_entropy(&logits, &Tensor::new(&[1u32], &Device::Cpu).unwrap()).unwrap();
        assert_eq!(wrong.to_scalar::<f32>().unwrap(), 2000.0);
    }
}
