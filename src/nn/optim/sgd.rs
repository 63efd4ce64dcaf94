//! Stochastic gradient descent with momentum, with state that can be saved by name.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::trained::Trained;
use crate::base::error::Result;
use crate::nn::workspace::Gradients;

/// SGD with momentum as PyTorch writes it, without dampening and not Nesterov's: `m = momentum · m + g + decay · p`, `p −= rate · m`.
///
/// ```
/// use petal::candle::{Device, Var};
/// use petal::nn::optim::{Sgd, Trained};
///
/// // p = torch.tensor([1., -2., 3.], requires_grad=True); o = torch.optim.SGD([p], lr=0.01, momentum=0.9)
/// // for _ in range(3): o.zero_grad(); (p ** 3).sum().backward(); o.step()
/// let p = Var::new(&[1f32, -2., 3.], &Device::Cpu)?;
/// let mut sgd = Sgd::new(vec![Trained::plain("p".into(), p.clone())], 0.01, 0.9, 0.0)?;
/// for _ in 0..3 {
///     sgd.step(&p.powf(3.0)?.sum_all()?.backward()?.into())?;
/// }
/// for (got, expected) in p.to_vec1::<f32>()?.iter().zip([0.8399644, -2.7488699, 1.6897936]) {
///     assert!((got - expected).abs() < 2e-6, "{got} {expected}");
/// }
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Debug)]
pub struct Sgd {
    slots: Vec<(Trained, Tensor)>,
    learning_rate: f64,
    momentum: f64,
    decay: f64,
    steps: usize,
}

impl Sgd {
    /// A fresh optimizer for these tensors; `decay` is for those that decay.
    pub fn new(trained: Vec<Trained>, learning_rate: f64, momentum: f64, decay: f64) -> Result<Self> {
        let slot = |trained: Trained| Ok((trained.var.zeros_like()?, trained));
        let slots = trained.into_iter().map(slot).map(|slot: Result<_>| slot.map(|(zeros, trained)| (trained, zeros)));
        Ok(Self { slots: slots.collect::<Result<_>>()?, learning_rate, momentum, decay, steps: 0 })
    }

    /// How many steps were taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The next steps are taken with this learning rate.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    /// The next steps keep so much of the last one.
    pub fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }

    /// One step against the gradients.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`](crate::ErrorKind::Tensor) if a tensor got no gradient: it would silently not train.
    pub fn step(&mut self, gradients: &Gradients) -> Result<()> {
        self.step_of(gradients, &[])
    }

    /// The same, each tensor at its rate times its scale.
    pub(super) fn step_of(&mut self, gradients: &Gradients, scales: &[f64]) -> Result<()> {
        self.steps += 1;
        for (place, (trained, velocity)) in self.slots.iter_mut().enumerate() {
            let Trained { var, scale, decays, .. } = &*trained;
            let mut gradient = gradients.get(var)?.ok_or_else(|| trained.missing())?;
            if *decays && self.decay > 0.0 {
                gradient = (gradient + (var.as_tensor() * self.decay)?)?;
            }
            let next = ((&*velocity * self.momentum)? + gradient)?.detach();
            var.set(
                &(var.as_tensor() - (&next * (self.learning_rate * *scale * scales.get(place).unwrap_or(&1.0)))?)?,
            )?;
            *velocity = next;
        }
        Ok(())
    }

    /// The velocities by name: `velocity.<name>`.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        self.slots.iter().map(|(trained, velocity)| (format!("velocity.{}", trained.name), velocity.clone())).collect()
    }

    /// Goes on from saved velocities, after `steps` steps.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if a velocity is missing or has another shape; nothing is changed then.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, steps: usize) -> Result<()> {
        let found = self
            .slots
            .iter()
            .map(|(trained, _)| Ok(trained.find(state, "velocity")?.to_device(trained.var.device())?));
        let found: Vec<Tensor> = found.collect::<Result<_>>()?;
        self.slots.iter_mut().zip(found).for_each(|((_, velocity), found)| *velocity = found);
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// ```python
    /// w = torch.tensor([[1., -2.], [3., 4.]], requires_grad=True); b = torch.tensor([1., -2.], requires_grad=True)
    /// o = torch.optim.SGD([{"params": [w], "lr": 0.01, "weight_decay": 0.5}, {"params": [b], "lr": 0.005}], momentum=0.9)
    /// for _ in range(4): o.zero_grad(); ((w ** 3).sum() + (b ** 3).sum()).backward(); o.step()
    /// print(w, b)
    /// ```
    #[test]
    fn four_steps_match_pytorch_and_going_on_gives_the_same_bytes() {
        let run = |stops: bool| {
            let w = Var::new(&[[1f32, -2.], [3., 4.]], &Device::Cpu).unwrap();
            let b = Var::new(&[1f32, -2.], &Device::Cpu).unwrap();
            let fresh = || {
                let bias = Trained { scale: 0.5, ..Trained::by_shape("b".into(), b.clone()) };
                Sgd::new(vec![Trained::by_shape("w".into(), w.clone()), bias], 0.01, 0.9, 0.5).unwrap()
            };
            let mut sgd = fresh();
            for step in 0..4 {
                if stops && step == 2 {
                    let (state, steps) = (sgd.state(), sgd.steps());
                    sgd = fresh();
                    sgd.restore(&state, steps).unwrap();
                }
                let loss = (w.powf(3.0).unwrap().sum_all().unwrap() + b.powf(3.0).unwrap().sum_all().unwrap()).unwrap();
                sgd.step(&loss.backward().unwrap().into()).unwrap();
            }
            [w.flatten_all().unwrap(), b.as_tensor().clone()].map(|t| t.to_vec1::<f32>().unwrap()).concat()
        };
        let whole = run(false);
        for (got, expected) in whole.iter().zip(EXPECTED) {
            assert!((got - expected).abs() < 2e-6 * expected.abs().max(1.0), "{got} {expected}");
        }
        assert_eq!(run(true), whole);
    }

    const EXPECTED: [f32; 6] = [0.712_096_8, -3.202_071_4, 0.993_752_7, 0.713_180_1, 0.870_236_8, -2.597_161_8];
}
