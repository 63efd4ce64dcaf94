//! Any of the optimizers, by one name.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::adam::Adam;
use super::sgd::Sgd;
use super::trained::Trained;
use crate::base::error::Result;
use crate::nn::workspace::Gradients;

/// How steps are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rule {
    /// Adam without decay.
    #[default]
    Adam,
    /// Adam with decoupled decay of weights (not norms, not biases).
    AdamW {
        /// Of how much of the rate.
        decay: f64,
    },
    /// SGD with momentum.
    Sgd {
        /// How much of the last step stays.
        momentum: f64,
        /// How strongly weights (not norms, not biases) are pulled to 0.
        decay: f64,
    },
}

/// How fast a step goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace<'a> {
    /// The learning rate.
    pub learning_rate: f64,
    /// Adam's β₁, or SGD's momentum; none is the one before.
    pub momentum: Option<f64>,
    /// What each tensor's own rate ([`Trained::scale`]) is multiplied by in this step, in their order; empty is 1 for all.
    pub scales: &'a [f64],
}

/// What takes the steps of a training.
#[derive(Debug)]
pub enum Optimizer {
    /// Adam or AdamW.
    Adam(Adam),
    /// SGD.
    Sgd(Sgd),
}

impl Optimizer {
    /// A fresh one.
    pub fn new(rule: Rule, trained: Vec<Trained>, learning_rate: f64) -> Result<Self> {
        Ok(match rule {
            Rule::Adam => Self::Adam(Adam::with(trained, learning_rate, 0.0)?),
            Rule::AdamW { decay } => Self::Adam(Adam::with(trained, learning_rate, decay)?),
            Rule::Sgd { momentum, decay } => Self::Sgd(Sgd::new(trained, learning_rate, momentum, decay)?),
        })
    }

    /// How many steps were taken.
    pub fn steps(&self) -> usize {
        match self {
            Self::Adam(adam) => adam.steps(),
            Self::Sgd(sgd) => sgd.steps(),
        }
    }

    /// One step against the gradients.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`](crate::ErrorKind::Tensor) if a tensor got no gradient: it would silently not train.
    pub fn step(&mut self, gradients: &Gradients, pace: &Pace) -> Result<()> {
        match self {
            Self::Adam(adam) => {
                adam.set_learning_rate(pace.learning_rate);
                pace.momentum.into_iter().for_each(|momentum| adam.set_beta1(momentum));
                adam.step_of(gradients, pace.scales)
            }
            Self::Sgd(sgd) => {
                sgd.set_learning_rate(pace.learning_rate);
                pace.momentum.into_iter().for_each(|momentum| sgd.set_momentum(momentum));
                sgd.step_of(gradients, pace.scales)
            }
        }
    }

    /// What it keeps from step to step, by name.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        match self {
            Self::Adam(adam) => adam.state(),
            Self::Sgd(sgd) => Ok(sgd.state()),
        }
    }

    /// Goes on from what was saved, after `steps` steps.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if something is missing or has another shape; nothing is changed then.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, steps: usize) -> Result<()> {
        match self {
            Self::Adam(adam) => adam.restore(state, steps),
            Self::Sgd(sgd) => sgd.restore(state, steps),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, Var};

    use super::*;

    /// ```python
    /// def run(make, key):
    ///     w = torch.tensor([1., -2., 3.], requires_grad=True); b = torch.tensor([1., -2.], requires_grad=True)
    ///     o = make([{"params": [w]}, {"params": [b]}])
    ///     for rate, momentum, open in [(0.01, 0.95, 0), (0.005, 0.9, 0), (0.02, 0.85, 1)]:
    ///         for group, share in zip(o.param_groups, (1, open)):
    ///             group["lr"] = rate * share
    ///             group.update({"betas": (momentum, 0.999)} if key == "betas" else {"momentum": momentum})
    ///         o.zero_grad(); ((w ** 3).sum() + (b ** 3).sum()).backward(); o.step()
    ///     print(torch.cat([w, b]))
    /// run(lambda groups: torch.optim.Adam(groups, eps=1e-7), "betas")
    /// run(lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9), "momentum")
    /// ```
    #[test]
    fn rates_momenta_and_stages_that_begin_later_match_pytorch() {
        for (rule, expected) in [(Rule::Adam, ADAM), (Rule::Sgd { momentum: 0.9, decay: 0.0 }, SGD)] {
            let w = Var::new(&[1f32, -2., 3.], &Device::Cpu).unwrap();
            let b = Var::new(&[1f32, -2.], &Device::Cpu).unwrap();
            let trained = [("w", &w), ("b", &b)].map(|(name, var)| Trained::plain(name.into(), var.clone()));
            let mut optimizer = Optimizer::new(rule, trained.to_vec(), 0.1).unwrap();
            for (learning_rate, momentum, open) in [(0.01, 0.95, 0.0), (0.005, 0.9, 0.0), (0.02, 0.85, 1.0)] {
                let cubes = |var: &Var| var.powf(3.0).unwrap().sum_all().unwrap();
                let gradients = (cubes(&w) + cubes(&b)).unwrap().backward().unwrap().into();
                let pace = Pace { learning_rate, momentum: Some(momentum), scales: &[1.0, open] };
                optimizer.step(&gradients, &pace).unwrap();
            }
            let got = Tensor::cat(&[w.as_tensor(), b.as_tensor()], 0).unwrap().to_vec1::<f32>().unwrap();
            for (got, expected) in got.into_iter().zip(expected) {
                assert!((got - expected).abs() < 1e-6, "{rule:?}: {got} {expected}");
            }
        }
    }

    const ADAM: [f32; 5] = [0.972_115_9, -2.028_024_2, 2.972_052_6, 0.985_837_4, -2.014_162_5];
    const SGD: [f32; 5] = [0.795_215_1, -2.955_667, 1.329_496, 0.843_1, -2.627_6];
}
