//! A convolution with its weights packed, ready to run.

use super::norm::Folded;
use super::step::{Left, Place, Ready, Sum, Wanted};
use crate::base::error::Result;
use crate::kernels::conv::{self, BackwardWeights, ForwardWeights, InputGradient, WeightGradient};
use crate::kernels::{self, Activation, Buffer, Keeps, Memory, backward_activation, forward_activation};
use crate::nn::operation::with_values;
use crate::nn::workspace::Workspace;

/// A convolution with its weights packed.
#[derive(Debug)]
pub(super) struct ReadyConv {
    pub(super) conv: kernels::Conv,
    pub(super) act: Activation,
    place: Place,
    pub(super) folded: Folded,
    pub(super) weights: ForwardWeights,
    /// In the order of the way back, where a gradient goes through them.
    pub(super) back: Option<BackwardWeights>,
}

impl ReadyConv {
    /// Packs the weights for the way forward.
    pub(super) fn new(
        conv: kernels::Conv,
        act: Activation,
        place: &Place,
        folded: Folded,
        memory: &Memory,
    ) -> Result<Self> {
        let pack = |weight: &[f32]| ForwardWeights::pack(&conv, weight, folded.scale(), memory);
        let weights = with_values(&folded.weight, pack)?;
        Ok(Self { conv, act, place: *place, folded, weights, back: None })
    }

    /// How long the sums of its weight gradients are; 0 where it does not train.
    pub(super) fn sums_len(&self) -> usize {
        if self.folded.trains() { conv::sums_len(&self.conv) } else { 0 }
    }

    /// Packs the weights for the way back.
    pub(super) fn pack_backward(&mut self, memory: &Memory) -> Result<()> {
        let pack = |weight: &[f32]| BackwardWeights::pack(&self.conv, weight, self.folded.scale(), memory);
        self.back = Some(with_values(&self.folded.weight, pack)?);
        Ok(())
    }

    /// What the kernels want to know of a gradient of the input.
    pub(super) fn input_gradient<'a>(&'a self, sum: Option<Sum<'a>>, through: Activation) -> Option<InputGradient<'a>> {
        let weights = self.back.as_ref()?;
        sum.map(|Sum { accumulate, to }| InputGradient { weights, before: through, accumulate, dx: to })
    }

    /// Leaves the gradients of its tensors, from the sums of its weight gradients.
    pub(super) fn leave(&self, sums: &[f32], workspace: &Workspace) -> Result<()> {
        let memory = &workspace.memory;
        let (mut dw, mut db) = (memory.buffer(self.conv.weights()), memory.buffer(self.conv.out_c));
        conv::finish_weight(&self.conv, sums, &mut dw, &mut db);
        self.folded.leave(dw, db, memory, workspace)
    }
}

impl Ready for ReadyConv {
    fn forward(
        &self,
        x: &[f32],
        residual: Option<&[f32]>,
        y: &mut [f32],
        before_activation: Option<&mut [f32]>,
        memory: &Memory,
    ) {
        let forward = |act, y: &mut [f32]| conv::forward(&self.weights, x, &self.folded.bias, residual, act, memory, y);
        match before_activation {
            None => forward(self.act, y),
            Some(before) => {
                forward(Activation::None, before);
                forward_activation(self.act, before, y);
            }
        }
    }

    fn ready_backward(&mut self, wants_input: bool, memory: &Memory) -> Result<()> {
        if wants_input { self.pack_backward(memory) } else { Ok(()) }
    }

    fn sums(&self) -> Vec<usize> {
        if self.folded.trains() { vec![self.sums_len()] } else { Vec::new() }
    }

    fn backward(&self, Left { x, y, extra }: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        if self.act.keeps() == Keeps::Input {
            backward_activation(self.act, extra, dy);
        } else if self.place.own != Activation::None {
            backward_activation(self.place.own, y, dy);
        }
        let input = self.input_gradient(wanted.input, self.place.through);
        let weights = wanted.weights.map(|sums| WeightGradient { accumulate: sums.accumulate, sums: &mut sums.to[0] });
        conv::backward(&self.conv, x, dy, input, weights, memory);
    }

    fn finish(&self, sums: Vec<Buffer>, workspace: &Workspace) -> Result<()> {
        self.leave(&sums[0], workspace)
    }
}
