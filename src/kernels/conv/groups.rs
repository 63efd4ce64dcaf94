//! How the gradient of dense weights is divided: the batch into groups, each with sums of its own where these are small; and the
//! weights into blocks of output channels.

use super::geometry::Conv;
use super::gradient::WeightGradient;
use crate::kernels::memory::Memory;
use crate::kernels::sums::PartialSums;
use rayon::prelude::*;
use std::ops::Range;

/// Numbers in all the partial sums of a weight gradient together.
const PARTIAL_SUMS: usize = 1 << 21;

/// Into how many tasks a weight gradient is divided.
const TASKS: usize = 8;

/// Output channels in a block of a weight gradient, at least: each block reads all that the weights meet.
const MIN_BLOCK: usize = 128;

/// A division into groups and blocks.
#[derive(Clone, Copy)]
pub(super) struct Division {
    /// What is divided into groups: rows of the output, or tiles of it.
    units: usize,
    groups: usize,
    /// Output channels of a block.
    block: usize,
    /// Weights of an output channel.
    depth: usize,
}

impl Division {
    /// Of `units`, of which a group has at `least` so many.
    pub(super) fn new(conv: &Conv, units: usize, least: usize) -> Self {
        let sums = conv.weights() + conv.out_c;
        let groups = (units / least).min(PARTIAL_SUMS / sums).clamp(1, TASKS);
        let block = conv.out_c.div_ceil(TASKS / groups).max(MIN_BLOCK).min(conv.out_c);
        Self { units, groups, block, depth: conv.depth() }
    }

    /// Whether the groups alone give most threads work.
    pub(super) fn fills_threads(&self) -> bool {
        2 * self.groups >= rayon::current_num_threads()
    }

    /// The units of each group.
    pub(super) fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let Self { units, groups, .. } = *self;
        (0..groups).map(move |i| i * units / groups..(i + 1) * units / groups)
    }

    /// Calls `f` for every block of every group, with the group's units.
    pub(super) fn each_block(
        &self,
        weight: WeightGradient,
        memory: &Memory,
        f: impl Fn(Range<usize>, Block) + Sync + Send,
    ) {
        self.each_group(vec![(); self.groups], weight, memory, |units, (), Block { accumulate, dw, db, .. }| {
            let blocks = dw.par_chunks_mut(self.block * self.depth).zip(db.par_chunks_mut(self.block));
            blocks.enumerate().for_each(|(j, (dw, db))| {
                f(units.clone(), Block { from: j * self.block, accumulate, dw, db });
            });
        });
    }

    /// Calls `f` for every group with its units, what there is for it in `own`, and all channels as one block.
    pub(super) fn each_group<T: Send>(
        &self,
        own: Vec<T>,
        WeightGradient { accumulate, sums }: WeightGradient,
        memory: &Memory,
        f: impl Fn(Range<usize>, T, Block) + Sync + Send,
    ) {
        let groups: Vec<_> = self.groups().zip(own).collect();
        if self.groups == 1 {
            return groups.into_iter().for_each(|(units, own)| f(units, own, Block::all(self.depth, accumulate, sums)));
        }
        let mut partial = PartialSums::new(self.groups, sums.len(), memory);
        let tasks = groups.into_par_iter().zip(partial.of_tasks());
        tasks.for_each(|((units, own), sums)| f(units, own, Block::all(self.depth, false, sums)));
        partial.add_up(accumulate, sums);
    }
}

/// The gradients of some output channels, `from` and those that follow.
pub(super) struct Block<'a> {
    pub(super) from: usize,
    pub(super) accumulate: bool,
    /// `[channels, depth]`.
    pub(super) dw: &'a mut [f32],
    /// `[channels]`.
    pub(super) db: &'a mut [f32],
}

impl<'a> Block<'a> {
    /// All channels, from sums of the weights' and, behind them, the bias' gradients.
    fn all(depth: usize, accumulate: bool, sums: &'a mut [f32]) -> Self {
        let (dw, db) = sums.split_at_mut(sums.len() / (depth + 1) * depth);
        Self { from: 0, accumulate, dw, db }
    }
}
