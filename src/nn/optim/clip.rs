//! Gradients that are too long are shortened, all by the same factor (Pascanu et al. 2012, arXiv:1211.5063).

use candle_core::{Tensor, Var};

use crate::base::error::Result;
use crate::nn::workspace::Gradients;

/// The length of all gradients of these tensors together. Summed in their order, in f64: the number of threads changes nothing.
pub fn global_norm(gradients: &Gradients, vars: &[(String, Var)]) -> Result<f64> {
    let mut sum = 0.0;
    for (_, var) in vars {
        if let Some(gradient) = gradients.get(var)? {
            let values = gradient.to_device(&candle_core::Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
            sum += values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
        }
    }
    Ok(sum.sqrt())
}

/// Where the gradients are longer than `longest`, all are multiplied by `longest / (length + 1e-6)`: PyTorch's `clip_grad_norm_`. Gives the gradients, and
/// how long they were.
///
/// ```
/// use petal::candle::{Device, Var};
/// use petal::nn::optim::clip;
///
/// // p = torch.tensor([1., -2., 3.], requires_grad=True); (p ** 2).sum().backward()
/// // torch.nn.utils.clip_grad_norm_([p], 1.0), p.grad
/// let p = Var::new(&[1f32, -2., 3.], &Device::Cpu)?;
/// let (clipped, length) = clip(p.sqr()?.sum_all()?.backward()?.into(), &[("p".into(), p.clone())], 1.0)?;
/// assert!((length - 7.483315).abs() < 1e-6);
/// let gradient = clipped.get(&p)?.unwrap().to_vec1::<f32>()?;
/// for (got, expected) in gradient.iter().zip([0.26726121, -0.53452241, 0.80178362]) {
///     assert!((got - expected).abs() < 1e-7, "{got} {expected}");
/// }
/// # Ok::<(), petal::Error>(())
/// ```
pub fn clip(gradients: Gradients, vars: &[(String, Var)], longest: f64) -> Result<(Gradients, f64)> {
    let length = global_norm(&gradients, vars)?;
    // One that is not finite stays as it is: the step's loss, or the next one's, says so.
    if !(length > longest && length.is_finite()) {
        return Ok((gradients, length));
    }
    let factor = longest / (length + 1e-6);
    let shorter = |gradient: Tensor| Ok((gradient * factor)?);
    Ok((gradients.map(vars, shorter)?, length))
}
