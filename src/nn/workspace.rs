//! What the operations of one model share: memory to use again, and the gradients of their parameters.

use std::sync::{Arc, Mutex};

use candle_core::backprop::GradStore;
use candle_core::{Tensor, TensorId, Var};

use super::operation::with_values;
use crate::base::error::Result;
use crate::kernels::{Buffer, Memory, add_to};

/// What the operations of one model share. Clones share it too.
///
/// Candle would add each gradient to fresh zeros, and give each large result fresh memory, whose first touch costs about as much
/// as computing it. So operations leave the gradients of their parameters here, and take their memory from here.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    pub(super) memory: Memory,
    /// Gradients by parameter.
    gradients: Arc<Mutex<Vec<(TensorId, Buffer)>>>,
}

impl Workspace {
    /// The gradients of a loss, with those that operations left here.
    ///
    /// # Errors
    /// What Candle's backward pass can give.
    pub fn backward(&self, loss: &Tensor) -> Result<Gradients> {
        self.take_gradients();
        let candle = loss.backward()?;
        let mut own: Vec<(TensorId, Buffer)> = Vec::new();
        for (parameter, gradient) in self.take_gradients() {
            match own.iter_mut().find(|(other, _)| *other == parameter) {
                Some((_, sum)) => add_to(sum, &gradient),
                None => own.push((parameter, gradient)),
            }
        }
        Ok(Gradients { own, candle: Some(candle), made: Vec::new() })
    }

    /// Leaves the gradient of a parameter for [`Workspace::backward`].
    pub(super) fn leave(&self, parameter: &Tensor, gradient: Buffer) {
        if let Ok(mut gradients) = self.gradients.lock() {
            gradients.push((parameter.id(), gradient));
        }
    }

    fn take_gradients(&self) -> Vec<(TensorId, Buffer)> {
        self.gradients.lock().map(|mut gradients| std::mem::take(&mut *gradients)).unwrap_or_default()
    }
}

/// The gradients of a loss, by parameter.
#[derive(Debug)]
pub struct Gradients {
    /// Those that operations of ours left.
    own: Vec<(TensorId, Buffer)>,
    /// Those from Candle's graph.
    candle: Option<GradStore>,
    /// Those that were made of others: they stand for all.
    made: Vec<(TensorId, Tensor)>,
}

impl From<GradStore> for Gradients {
    fn from(candle: GradStore) -> Self {
        Self { own: Vec::new(), candle: Some(candle), made: Vec::new() }
    }
}

impl Gradients {
    fn own(&self, parameter: &Tensor) -> Option<&Buffer> {
        self.own.iter().find(|(other, _)| *other == parameter.id()).map(|(_, gradient)| gradient)
    }

    fn other(&self, parameter: &Tensor) -> Option<&Tensor> {
        let made = self.made.iter().find(|(other, _)| *other == parameter.id()).map(|(_, gradient)| gradient);
        made.or_else(|| self.candle.as_ref()?.get(parameter))
    }

    /// The gradients of these tensors, each changed by `f`; those of others are left out.
    pub fn map(self, vars: &[(String, Var)], f: impl Fn(Tensor) -> Result<Tensor>) -> Result<Self> {
        let mut made = Vec::with_capacity(vars.len());
        for (_, var) in vars {
            if let Some(gradient) = self.get(var)? {
                made.push((var.id(), f(gradient)?.detach()));
            }
        }
        Ok(Self { own: Vec::new(), candle: None, made })
    }

    /// The sums of the gradients of these tensors in both; those of others are left out.
    pub fn plus(self, other: &Self, vars: &[(String, Var)]) -> Result<Self> {
        let mut made = Vec::with_capacity(vars.len());
        for (_, var) in vars {
            let sum = match (self.get(var)?, other.get(var)?) {
                (Some(a), Some(b)) => Some((a + b)?.detach()),
                (a, b) => a.or(b),
            };
            made.extend(sum.map(|sum| (var.id(), sum)));
        }
        Ok(Self { own: Vec::new(), candle: None, made })
    }

    /// The gradient of a parameter, a copy in its shape; none if the loss does not depend on it.
    pub fn get(&self, parameter: &Tensor) -> Result<Option<Tensor>> {
        match (self.own(parameter), self.other(parameter)) {
            (None, gradient) => Ok(gradient.cloned()),
            (Some(own), candle) => {
                let own = Tensor::from_slice(own, parameter.shape(), parameter.device())?;
                Ok(Some(candle.map_or(Ok(own.clone()), |candle| candle + own)?))
            }
        }
    }

    /// Calls `f` with the numbers of a parameter's gradient, without a copy where there is one only. On the CPU.
    pub(super) fn with<R>(&self, parameter: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<Option<R>> {
        match (self.own(parameter), self.other(parameter)) {
            (Some(own), None) => Ok(Some(f(own))),
            _ => match self.get(parameter)? {
                Some(gradient) => Ok(Some(with_values(&gradient.contiguous()?, f)?)),
                None => Ok(None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn gradients_that_were_left_are_added_to_candles_and_belong_to_one_backward_pass() {
        let workspace = Workspace::default();
        let x = Var::new(&[3f32], &Device::Cpu).unwrap();
        let left = |value: f32| {
            let mut gradient = workspace.memory.buffer(1);
            gradient.fill(value);
            workspace.leave(x.as_tensor(), gradient);
        };
        left(100.0);
        // Left by a pass that was given up: not this one's.
        let mut gradients = workspace.backward(&x.sqr().unwrap()).unwrap();
        assert_eq!(gradients.get(&x).unwrap().unwrap().to_vec1::<f32>().unwrap(), [6.0]);
        let mut own = workspace.memory.buffer(1);
        own.fill(10.0);
        gradients.own.push((x.id(), own));
        assert_eq!(gradients.get(&x).unwrap().unwrap().to_vec1::<f32>().unwrap(), [16.0]);
        assert_eq!(gradients.with(&x, |gradient| gradient.to_vec()).unwrap().unwrap(), [16.0]);
    }
}
