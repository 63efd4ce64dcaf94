//! Grad-CAM: a map counts as much as its mean gradient says.

use candle_core::Tensor;

use super::super::seen::Seen;
use super::method::Method;
use crate::base::error::Result;

/// Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): a map's weight is the mean over all fields of the logit's gradient.
///
/// The numbers are pytorch-grad-cam's 1.5.7, and so are those of the other methods, each by its own class:
/// ```python
/// a = torch.tensor([[[[1., 2., 0.], [0.5, 1., 3.]], [[0., 1., 2.], [2., 0.5, 1.]]]], requires_grad=True)
/// w = torch.tensor([[[1., -2., 0.], [0.5, 1., -1.]], [[-1., 0., 2.], [1., 0.5, 0.25]]])
/// class Net(torch.nn.Module):
///     def __init__(self):
///         super().__init__()
///         self.maps, self.device = torch.nn.Identity(), torch.nn.Parameter(torch.zeros(1))
///     def forward(self, x):
///         return (self.maps(x) ** 2 * w).sum((1, 2, 3))[:, None] / 4
/// net = Net()
/// (g,) = torch.autograd.grad(net(a).sum(), a)
/// cam = GradCAM(model=net, target_layers=[net.maps])
/// print(cam.get_cam_image(a, net.maps, [lambda said: said[0]], a.detach().numpy(), g.numpy(), False).clip(0))
/// ```
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::{GradCam, Seen, cam::heat};
///
/// let maps = Tensor::new(&[[[1f32, 2., 0.], [0.5, 1., 3.]], [[0., 1., 2.], [2., 0.5, 1.]]], &Device::Cpu)?;
/// let w = Tensor::new(&[[[1f32, -2., 0.], [0.5, 1., -1.]], [[-1., 0., 2.], [1., 0.5, 0.25]]], &Device::Cpu)?;
/// let score = |maps: &Tensor| Ok((maps.sqr()?.broadcast_mul(&w)?.sum((1, 2, 3))? / 4.0)?);
/// let heat = heat(&GradCam, &Seen::new(&maps, &score)?)?.to_vec2::<f32>()?;
/// let expected = [[0.0, 0.0, 1.083333], [0.885417, 0.0, 0.0]];
/// for (got, expected) in heat.iter().flatten().zip(expected.as_flattened()) {
///     assert!((got - expected).abs() < 1e-5, "{heat:?}");
/// }
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GradCam;

impl Method for GradCam {
    fn name(&self) -> &'static str {
        "gradcam"
    }

    fn title(&self) -> &'static str {
        "Grad-CAM"
    }

    fn unit(&self) -> &'static str {
        "part in the logit"
    }

    fn heat(&self, seen: &Seen) -> Result<Tensor> {
        seen.weighed(&seen.gradients()?.mean_keepdim((1, 2))?)
    }
}
