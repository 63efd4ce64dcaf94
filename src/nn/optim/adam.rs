//! Adam and AdamW, with state that can be saved by name.

use std::collections::BTreeMap;
use std::sync::Mutex;

use candle_core::{CpuStorage, InplaceOp1, Layout, Tensor, Var};

use super::moments::Moments;
use super::trained::Trained;
use crate::base::error::Result;
use crate::kernels::adam;
use crate::nn::workspace::Gradients;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-7;

/// Adam (Kingma & Ba 2014) as PyTorch writes it, ε after the bias correction; β 0.9 and 0.999, ε 1e-7 (Keras' default), no
/// weight decay; or AdamW ([`Adam::with`]), whose decay is decoupled: before each step, weights are multiplied by `1 − rate · decay`.
///
/// Candle's own AdamW keeps its moments private, so that a run could not be continued exactly.
///
/// ```
/// use petal::candle::{Device, Var};
/// use petal::nn::optim::Adam;
///
/// // p = torch.tensor([1., -2., 3.], requires_grad=True); o = torch.optim.Adam([p], lr=0.1, eps=1e-7)
/// // for _ in range(3): o.zero_grad(); (p ** 3).sum().backward(); o.step()
/// let p = Var::new(&[1f32, -2., 3.], &Device::Cpu)?;
/// let mut adam = Adam::new(vec![("p".into(), p.clone())], 0.1)?;
/// for _ in 0..3 {
///     adam.step(&p.powf(3.0)?.sum_all()?.backward()?.into())?;
/// }
/// for (got, expected) in p.to_vec1::<f32>()?.iter().zip([0.7041537, -2.3004937, 2.7008688]) {
///     assert!((got - expected).abs() < 5e-7, "{got} {expected}");
/// }
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Debug)]
pub struct Adam {
    slots: Vec<Slot>,
    learning_rate: f64,
    beta1: f64,
    decay: f64,
    steps: usize,
}

#[derive(Debug)]
struct Slot {
    trained: Trained,
    moments: Moments,
}

impl Adam {
    /// A fresh optimizer for these named tensors.
    pub fn new(vars: Vec<(String, Var)>, learning_rate: f64) -> Result<Self> {
        Self::with(vars.into_iter().map(|(name, var)| Trained::plain(name, var)).collect(), learning_rate, 0.0)
    }

    /// AdamW: the same with decay, and with rates of each tensor's own.
    pub fn with(trained: Vec<Trained>, learning_rate: f64, decay: f64) -> Result<Self> {
        let slot = |trained: Trained| Ok(Slot { moments: Moments::new(&trained.var)?, trained });
        let slots = trained.into_iter().map(slot).collect::<Result<_>>()?;
        Ok(Self { slots, learning_rate, beta1: BETA1, decay, steps: 0 })
    }

    /// How many steps were taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The next steps are taken with this learning rate.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    /// The next steps are taken with this β₁. The bias correction is by the β₁ of the step, as PyTorch has it.
    pub fn set_beta1(&mut self, beta1: f64) {
        self.beta1 = beta1;
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
        let beta1 = self.beta1;
        let correction1 = 1.0 - beta1.powi(self.steps as i32);
        let correction2 = 1.0 - BETA2.powi(self.steps as i32);
        for (place, Slot { trained, moments }) in self.slots.iter_mut().enumerate() {
            let var = &trained.var;
            let rate = self.learning_rate * trained.scale * scales.get(place).unwrap_or(&1.0);
            let update = adam::Adam {
                beta1,
                beta2: BETA2,
                epsilon: EPSILON,
                step: rate / correction1,
                root: correction2.sqrt(),
            };
            let keep = trained.decays.then_some(1.0 - rate * self.decay).filter(|keep| *keep != 1.0);
            match moments {
                Moments::Cpu(mean, square) => {
                    let apply = |gradient: &[f32]| {
                        var.inplace_op1(&Apply { update, keep, moments: Mutex::new((mean, square)), gradient })
                    };
                    gradients.with(var, apply)?.ok_or_else(|| trained.missing())??;
                }
                Moments::Device(mean, square) => {
                    let gradient = gradients.get(var)?.ok_or_else(|| trained.missing())?;
                    let new_mean = ((&*mean * beta1)? + (&gradient * (1.0 - beta1))?)?;
                    let new_square = ((&*square * BETA2)? + (gradient.sqr()? * (1.0 - BETA2))?)?;
                    let denominator = ((new_square.sqrt()? / update.root)? + EPSILON)?;
                    let kept = keep.map_or(Ok(var.as_tensor().clone()), |keep| var.as_tensor() * keep)?;
                    var.set(&(kept - ((&new_mean / denominator)? * update.step)?)?)?;
                    (*mean, *square) = (new_mean.detach(), new_square.detach());
                }
            }
        }
        Ok(())
    }

    /// The moments by name: `mean.<name>` and `square.<name>`.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for Slot { trained: Trained { name, var, .. }, moments } in &self.slots {
            let [mean, square] = moments.tensors(var)?;
            state.insert(format!("mean.{name}"), mean);
            state.insert(format!("square.{name}"), square);
        }
        Ok(state)
    }

    /// Goes on from saved moments, after `steps` steps.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if a moment is missing or has another shape; nothing is changed then.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, steps: usize) -> Result<()> {
        let mut found = Vec::with_capacity(self.slots.len());
        for Slot { trained, .. } in &self.slots {
            found.push((trained.find(state, "mean")?, trained.find(state, "square")?));
        }
        for (slot, (mean, square)) in self.slots.iter_mut().zip(found) {
            slot.moments.restore(mean, square, &slot.trained.var)?;
        }
        self.steps = steps;
        Ok(())
    }
}

/// One parameter's update, with its moments.
struct Apply<'a> {
    update: adam::Adam,
    /// What the parameter is multiplied by first.
    keep: Option<f64>,
    /// Candle calls an operation by a shared reference.
    moments: Mutex<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
    gradient: &'a [f32],
}

impl InplaceOp1 for Apply<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, parameter: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (Some((from, to)), CpuStorage::F32(parameter)) = (layout.contiguous_offsets(), parameter) else {
            candle_core::bail!("Adam wants contiguous f32 tensors")
        };
        let Ok(mut moments) = self.moments.lock() else { candle_core::bail!("Adam was stopped by a panic before") };
        let (mean, square) = &mut *moments;
        if let Some(keep) = self.keep {
            parameter[from..to].iter_mut().for_each(|value| *value *= keep as f32);
        }
        self.update.update(&mut parameter[from..to], mean, square, self.gradient);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// ```python
    /// p = torch.tensor([1., -2., 3.], requires_grad=True); o = torch.optim.Adam([p], lr=0.1, eps=1e-7)
    /// for _ in range(3): o.zero_grad(); (p ** 3).sum().backward(); o.step()
    /// print(p)
    /// ```
    #[test]
    fn three_steps_match_pytorch() {
        let (mut adam, p) = fresh();
        for _ in 0..3 {
            adam.step(&gradients(&p)).unwrap();
        }
        let expected = [0.704_153_7, -2.300_493_7, 2.700_868_8];
        for (got, expected) in p.to_vec1::<f32>().unwrap().iter().zip(expected) {
            assert!((got - expected).abs() < 5e-7, "{got} {expected}");
        }
    }

    /// The same with `(1e-8 * p ** 3).sum()`: gradients as small as ε show its size and its place.
    #[test]
    fn three_steps_on_tiny_gradients_match_pytorch() {
        let (mut adam, p) = fresh();
        for _ in 0..3 {
            let loss = (p.powf(3.0).unwrap() * 1e-8).unwrap().sum_all().unwrap();
            adam.step(&loss.backward().unwrap().into()).unwrap();
        }
        let expected = [0.932_089, -2.165_905, 2.782_935];
        for (got, expected) in p.to_vec1::<f32>().unwrap().iter().zip(expected) {
            assert!((got - expected).abs() < 5e-7, "{got} {expected}");
        }
    }

    /// ```python
    /// w = torch.tensor([[1., -2.], [3., 4.]], requires_grad=True); b = torch.tensor([1., -2.], requires_grad=True)
    /// o = torch.optim.AdamW([{"params": [w], "lr": 0.1, "weight_decay": 0.5}, {"params": [b], "lr": 0.05, "weight_decay": 0}], eps=1e-7)
    /// for _ in range(3): o.zero_grad(); ((w ** 3).sum() + (b ** 3).sum()).backward(); o.step()
    /// print(w, b)
    /// ```
    #[test]
    fn adamw_matches_pytorch_and_spares_biases() {
        let w = Var::new(&[[1f32, -2.], [3., 4.]], &Device::Cpu).unwrap();
        let b = Var::new(&[1f32, -2.], &Device::Cpu).unwrap();
        let trained = |name: &str, var: &Var, scale| Trained { scale, ..Trained::by_shape(name.into(), var.clone()) };
        let mut adam = Adam::with(vec![trained("w", &w, 1.0), trained("b", &b, 0.5)], 0.1, 0.5).unwrap();
        for _ in 0..3 {
            let loss = (w.powf(3.0).unwrap().sum_all().unwrap() + b.powf(3.0).unwrap().sum_all().unwrap()).unwrap();
            adam.step(&loss.backward().unwrap().into()).unwrap();
        }
        let got = [w.flatten_all().unwrap(), b.as_tensor().clone()].map(|t| t.to_vec1::<f32>().unwrap()).concat();
        for (got, expected) in got.iter().zip(ADAMW) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }

    const ADAMW: [f32; 6] = [0.579_909_5, -2.000_000_0, 2.289_884_3, 3.146_816_3, 0.850_743_8, -2.150_178_7];

    #[test]
    fn restored_state_goes_on_with_the_same_bytes() {
        let (mut whole, p) = fresh();
        for _ in 0..4 {
            whole.step(&gradients(&p)).unwrap();
        }
        let (mut first, q) = fresh();
        for _ in 0..2 {
            first.step(&gradients(&q)).unwrap();
        }
        let mut second = Adam::new(vec![("p".into(), q.clone())], 0.1).unwrap();
        second.restore(&first.state().unwrap(), first.steps()).unwrap();
        for _ in 0..2 {
            second.step(&gradients(&q)).unwrap();
        }
        assert_eq!(p.to_vec1::<f32>().unwrap(), q.to_vec1::<f32>().unwrap());
    }

    #[test]
    fn a_tensor_without_gradient_is_an_error() {
        let (mut adam, _) = fresh();
        let other = Var::new(&[1f32], &Device::Cpu).unwrap();
        assert!(adam.step(&gradients(&other)).unwrap_err().what().contains("p got no gradient"));
    }

    fn fresh() -> (Adam, Var) {
        let p = Var::new(&[1f32, -2., 3.], &Device::Cpu).unwrap();
        (Adam::new(vec![("p".into(), p.clone())], 0.1).unwrap(), p)
    }

    fn gradients(p: &Var) -> Gradients {
        p.powf(3.0).unwrap().sum_all().unwrap().backward().unwrap().into()
    }
}
