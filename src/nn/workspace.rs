//! What the operations of one model share: memory to use again, and the gradients of their parameters.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use crate::error::Result;

/// What the operations of one model share. Clones share it too.
///
/// Candle would add each gradient to fresh zeros, and give each large result fresh memory, whose first touch costs about as much
/// as computing it. So operations leave the gradients of their parameters here, and take their memory from here.
#[derive(Clone, Debug, Default)]
pub struct Workspace(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// A parameter and its gradient each.
    gradients: Mutex<Vec<(Tensor, Tensor)>>,
    /// Memory that nobody uses.
    free: Mutex<Vec<Vec<f32>>>,
}

impl Workspace {
    /// The gradients of a loss, with those that operations left here.
    ///
    /// # Errors
    /// What Candle's backward pass can give.
    pub fn backward(&self, loss: &Tensor) -> Result<GradStore> {
        self.take_gradients();
        let mut gradients = loss.backward()?;
        for (parameter, gradient) in self.take_gradients() {
            let sum = match gradients.get(&parameter) {
                Some(other) => (other + gradient)?,
                None => gradient,
            };
            gradients.insert(&parameter, sum);
        }
        Ok(gradients)
    }

    /// Leaves the gradient of a parameter for [`Workspace::backward`].
    pub(super) fn leave(&self, parameter: &Tensor, gradient: Tensor) {
        if let Ok(mut gradients) = self.0.gradients.lock() {
            gradients.push((parameter.clone(), gradient));
        }
    }

    fn take_gradients(&self) -> Vec<(Tensor, Tensor)> {
        self.0.gradients.lock().map(|mut gradients| std::mem::take(&mut *gradients)).unwrap_or_default()
    }

    /// Memory for `len` numbers. What is in it is left from earlier use: it must be written before it is read.
    pub(super) fn buffer(&self, len: usize) -> Buffer {
        let kept = self.0.free.lock().ok().and_then(|mut free| {
            let fits = free.iter().enumerate().filter(|(_, values)| values.capacity() >= len);
            let best = fits.min_by_key(|(_, values)| values.capacity()).map(|(index, _)| index);
            best.map(|index| free.swap_remove(index))
        });
        let mut values = kept.unwrap_or_else(|| Vec::with_capacity(len));
        values.resize(len, 0.0);
        Buffer { values, home: self.clone() }
    }
}

/// Numbers whose memory goes back to its workspace.
#[derive(Debug)]
pub(super) struct Buffer {
    values: Vec<f32>,
    home: Workspace,
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Ok(mut free) = self.home.0.free.lock() {
            free.push(std::mem::take(&mut self.values));
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn memory_is_used_again_and_the_smallest_that_fits_is_taken() {
        let workspace = Workspace::default();
        let (large, small) = (workspace.buffer(100), workspace.buffer(10));
        let (at_large, at_small) = (large.as_ptr(), small.as_ptr());
        drop((large, small));
        let again = workspace.buffer(8);
        assert_eq!((again.as_ptr(), again.len()), (at_small, 8));
        assert_eq!(workspace.buffer(20).as_ptr(), at_large);
        assert_eq!(workspace.buffer(1000).len(), 1000);
    }

    #[test]
    fn gradients_that_were_left_are_added_to_candles_and_belong_to_one_backward_pass() {
        let workspace = Workspace::default();
        let x = Var::new(&[3f32], &Device::Cpu).unwrap();
        workspace.leave(x.as_tensor(), Tensor::new(&[100f32], &Device::Cpu).unwrap());
        // Left by a pass that was given up: not this one's.
        let gradients = workspace.backward(&x.sqr().unwrap()).unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec1::<f32>().unwrap(), [6.0]);
    }
}
