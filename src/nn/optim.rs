//! Adam, with state that can be saved by name.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Tensor, Var};
use rayon::prelude::*;

use crate::error::{Error, ErrorKind, Result};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-7;

/// Adam (Kingma & Ba 2014) as PyTorch writes it, ε after the bias correction; β 0.9 and 0.999, ε 1e-7 (Keras' default), no
/// weight decay.
///
/// Candle's own AdamW keeps its moments private, so that a run could not be continued exactly.
#[derive(Debug)]
pub struct Adam {
    slots: Vec<Slot>,
    learning_rate: f64,
    steps: usize,
}

#[derive(Debug)]
struct Slot {
    name: String,
    var: Var,
    /// Running mean of the gradient.
    mean: Tensor,
    /// Running mean of its square.
    square: Tensor,
}

impl Adam {
    /// A fresh optimizer for these named tensors.
    pub fn new(vars: Vec<(String, Var)>, learning_rate: f64) -> Result<Self> {
        let mut slots = Vec::with_capacity(vars.len());
        for (name, var) in vars {
            // Two separate buffers: a clone of one would be updated twice in place.
            let (mean, square) = (var.zeros_like()?, var.zeros_like()?);
            slots.push(Slot { name, var, mean, square });
        }
        Ok(Self { slots, learning_rate, steps: 0 })
    }

    /// How many steps were taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// One step against the gradients.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] if a tensor got no gradient: it would silently not train.
    pub fn step(&mut self, gradients: &GradStore) -> Result<()> {
        self.steps += 1;
        let correction1 = 1.0 - BETA1.powi(self.steps as i32);
        let correction2 = 1.0 - BETA2.powi(self.steps as i32);
        for slot in &self.slots {
            let gradient = gradients.get(&slot.var).ok_or_else(|| {
                Error::new(ErrorKind::Tensor, format!("{} got no gradient, though it is to be trained", slot.name))
            })?;
            let apply = Apply { step: self.learning_rate / correction1, root: correction2.sqrt() };
            if slot.var.device().is_cpu() {
                let gradient = gradient.contiguous()?;
                slot.mean.inplace_op2(&gradient, &Blend { keep: BETA1, squared: false })?;
                slot.square.inplace_op2(&gradient, &Blend { keep: BETA2, squared: true })?;
                slot.var.inplace_op3(&slot.mean, &slot.square, &apply)?;
            } else {
                let mean = ((&slot.mean * BETA1)? + (gradient * (1.0 - BETA1))?)?;
                let square = ((&slot.square * BETA2)? + (gradient.sqr()? * (1.0 - BETA2))?)?;
                slot.mean.slice_set(&mean.contiguous()?, 0, 0)?;
                slot.square.slice_set(&square.contiguous()?, 0, 0)?;
                let denominator = ((square.sqrt()? / apply.root)? + EPSILON)?;
                slot.var.set(&(slot.var.as_tensor() - (mean / denominator)? * apply.step)?)?;
            }
        }
        Ok(())
    }

    /// The moments by name: `mean.<name>` and `square.<name>`.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let entries = self.slots.iter().flat_map(|slot| {
            [(format!("mean.{}", slot.name), slot.mean.clone()), (format!("square.{}", slot.name), slot.square.clone())]
        });
        entries.collect()
    }

    /// Goes on from saved moments, after `steps` steps.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`] if a moment is missing or has another shape; nothing is changed then.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, steps: usize) -> Result<()> {
        let find = |name: String, like: &Tensor| -> Result<Tensor> {
            let found = state
                .get(&name)
                .ok_or_else(|| Error::new(ErrorKind::Checkpoint, format!("the optimizer's {name} is missing")))?;
            if found.dims() != like.dims() {
                let what = format!("the optimizer's {name} is {:?}; expected {:?}", found.dims(), like.dims());
                return Err(Error::new(ErrorKind::Checkpoint, what));
            }
            Ok(found.to_device(like.device())?.copy()?)
        };
        let mut moments = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            moments.push((
                find(format!("mean.{}", slot.name), &slot.mean)?,
                find(format!("square.{}", slot.name), &slot.square)?,
            ));
        }
        for (slot, (mean, square)) in self.slots.iter_mut().zip(moments) {
            (slot.mean, slot.square) = (mean, square);
        }
        self.steps = steps;
        Ok(())
    }
}

/// `a = keep · a + (1 − keep) · b`, or with `b²`.
struct Blend {
    keep: f64,
    squared: bool,
}

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "adam-blend"
    }

    fn cpu_fwd(&self, a: &mut CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<()> {
        let (a, b) = (slice_mut(a, la)?, slice(b, lb)?);
        // The difference in f32 would be off by 5e-5 of its size.
        let (keep, fresh) = (self.keep as f32, (1.0 - self.keep) as f32);
        a.par_chunks_mut(CHUNK).zip(b.par_chunks(CHUNK)).for_each(|(a, b)| {
            for (a, b) in a.iter_mut().zip(b) {
                let b = if self.squared { b * b } else { *b };
                *a = keep * *a + fresh * b;
            }
        });
        Ok(())
    }
}

/// `p −= step · mean / (√square / root + ε)`.
struct Apply {
    step: f64,
    root: f64,
}

impl InplaceOp3 for Apply {
    fn name(&self) -> &'static str {
        "adam-apply"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        lp: &Layout,
        mean: &CpuStorage,
        lm: &Layout,
        square: &CpuStorage,
        ls: &Layout,
    ) -> candle_core::Result<()> {
        let (p, mean, square) = (slice_mut(p, lp)?, slice(mean, lm)?, slice(square, ls)?);
        let (step, root, epsilon) = (self.step as f32, self.root as f32, EPSILON as f32);
        p.par_chunks_mut(CHUNK).zip(mean.par_chunks(CHUNK)).zip(square.par_chunks(CHUNK)).for_each(
            |((p, mean), square)| {
                for ((p, mean), square) in p.iter_mut().zip(mean).zip(square) {
                    *p -= step * mean / (square.sqrt() / root + epsilon);
                }
            },
        );
        Ok(())
    }
}

/// Elements a task; every element is computed alone, so this changes no result.
const CHUNK: usize = 1 << 16;

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("Adam wants contiguous tensors"),
    }
}

fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> candle_core::Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => candle_core::bail!("Adam wants contiguous f32 tensors"),
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
            adam.step(&loss.backward().unwrap()).unwrap();
        }
        let expected = [0.932_088_97, -2.165_905, 2.782_934_9];
        for (got, expected) in p.to_vec1::<f32>().unwrap().iter().zip(expected) {
            assert!((got - expected).abs() < 5e-7, "{got} {expected}");
        }
    }

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
        second.restore(&first.state(), first.steps()).unwrap();
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

    fn gradients(p: &Var) -> GradStore {
        p.powf(3.0).unwrap().sum_all().unwrap().backward().unwrap()
    }
}
