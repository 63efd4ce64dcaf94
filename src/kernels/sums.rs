//! Sums over rows and over tasks, in an order that the number of threads doesn't change.

use super::elementwise::{Add, add};
use super::frame::CHUNK;
use super::memory::{Buffer, Memory};
use super::simd::{self, Kernel, lanes, lanes_mut};
use rayon::prelude::*;

/// Columns that are summed together.
const LANES: usize = 16;

/// Rows that are summed together.
const SUMMED_ROWS: usize = 32;

/// Sums that several tasks make at once, each in memory of its own.
pub(super) struct PartialSums {
    parts: Buffer,
    tasks: usize,
    len: usize,
}

impl PartialSums {
    /// For `tasks` tasks of `len` sums each. What is in them must be written before it is read.
    pub(super) fn new(tasks: usize, len: usize, memory: &Memory) -> Self {
        Self { parts: memory.buffer(tasks * len), tasks, len }
    }

    /// Each task's own; empty where no sums are asked for.
    pub(super) fn of_tasks(&mut self) -> Vec<&mut [f32]> {
        let mut parts = self.parts.chunks_mut(self.len.max(1));
        (0..self.tasks).map(|_| parts.next().unwrap_or_default()).collect()
    }

    /// `total = Σ parts`, or `total += Σ parts` where `accumulate`, in the order of the tasks.
    pub(super) fn add_up(&self, accumulate: bool, total: &mut [f32]) {
        assert_eq!(total.len(), self.len, "partial sums and their total");
        total.par_chunks_mut(CHUNK).enumerate().for_each(|(i, total)| {
            if !accumulate {
                total.fill(0.0);
            }
            for part in self.parts.chunks_exact(self.len) {
                simd::run(Add { a: total, b: &part[i * CHUNK..] });
            }
        });
    }

    /// As [`add_up`](Self::add_up), of sums that were made as `[depth, outputs]` and the `outputs` biases', to `[outputs, depth]` and
    /// the biases'.
    pub(super) fn add_up_turned(&self, outputs: usize, accumulate: bool, memory: &Memory, sums: &mut [f32]) {
        let mut total = memory.buffer(sums.len());
        self.add_up(false, &mut total);
        let (all, depth) = (sums.len() - outputs, sums.len() / outputs - 1);
        let (weights, bias) = sums.split_at_mut(all);
        for (o, sums) in weights.chunks_exact_mut(depth).chain([bias]).enumerate() {
            let is_bias = o == outputs;
            let from = if is_bias { &total[all..] } else { &total[o..] };
            let step = if is_bias { 1 } else { outputs };
            for (sum, from) in sums.iter_mut().zip(from.iter().step_by(step)) {
                *sum = if accumulate { *sum + from } else { *from };
            }
        }
    }
}

/// `sums[c] += Σ rows[.., c]`; `rows` is `[positions, stride]` and `sums` a part of its columns, from `from` on.
pub(super) struct AddRows<'a> {
    pub(super) rows: &'a [f32],
    pub(super) stride: usize,
    pub(super) from: usize,
    pub(super) sums: &'a mut [f32],
}

impl Kernel for AddRows<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // Some rows at a time, which stay in the nearest cache while each block of their columns is summed in registers.
        for rows in self.rows.chunks(self.stride * SUMMED_ROWS) {
            let blocks = self.sums.len() / LANES * LANES;
            for c in (0..blocks).step_by(LANES) {
                add_column::<LANES>(rows, self.stride, self.from + c, lanes_mut(self.sums, c));
            }
            for c in blocks..self.sums.len() {
                add_column::<1>(rows, self.stride, self.from + c, lanes_mut(self.sums, c));
            }
        }
    }
}

/// Adds the `L` columns of `rows` from `c` on.
#[inline(always)]
fn add_column<const L: usize>(rows: &[f32], stride: usize, c: usize, sums: &mut [f32; L]) {
    let mut total = *sums;
    for row in rows.chunks_exact(stride) {
        add(&mut total, lanes::<L>(row, c));
    }
    *sums = total;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;

    #[test]
    fn every_vector_unit_adds_the_rows() {
        let rows = numbers(37 * 5, 3);
        every_unit::gives_the_same_bytes(|unit| {
            let mut sums = vec![1.0; 20];
            unit.run(AddRows { rows: &rows, stride: 37, from: 10, sums: &mut sums });
            for (c, &sum) in sums.iter().enumerate() {
                assert_eq!(sum, rows.chunks(37).fold(1.0, |sum, row| sum + row[10 + c]));
            }
            sums
        });
    }

    #[test]
    fn what_tasks_summed_is_added_in_their_order() {
        let memory = &Memory::default();
        let mut sums = PartialSums::new(2, 6, memory);
        for (i, task) in sums.of_tasks().into_iter().enumerate() {
            task.iter_mut().enumerate().for_each(|(j, sum)| *sum = (10 * i + j) as f32);
        }
        let mut total = [1.0; 6];
        sums.add_up(true, &mut total);
        assert_eq!(total, [11.0, 13.0, 15.0, 17.0, 19.0, 21.0]);
        sums.add_up_turned(2, false, memory, &mut total);
        assert_eq!(total, [10.0, 14.0, 12.0, 16.0, 18.0, 20.0]);
        assert!(PartialSums::new(3, 0, memory).of_tasks().iter().all(|sums| sums.is_empty()));
    }
}
