//! Numbers kept as bf16: half the memory.

use super::numbers::{first, pairs_of, second};
use super::pairs::of_neighbours;
use crate::kernels::memory::{Buffer, Memory};
use crate::kernels::simd::{self, Kernel};

/// Numbers rounded to bf16, ties to even, two in a word; what is no normal number is 0 with its sign.
///
/// ```
/// use petal::kernels::{Memory, Rounded};
///
/// let memory = Memory::default();
/// let kept = Rounded::new(&[1.0, -2.5, 1.001], &memory);
/// assert_eq!(&kept.widened(&memory)[..], [1.0, -2.5, 1.0]);
/// ```
#[derive(Debug)]
pub struct Rounded {
    words: Buffer,
    len: usize,
}

impl Rounded {
    /// The numbers, rounded.
    pub fn new(numbers: &[f32], memory: &Memory) -> Self {
        let len = numbers.len();
        let mut words = memory.buffer(pairs_of(len));
        if len > 0 {
            of_neighbours(numbers, len, len, bytemuck::cast_slice_mut(&mut words));
        }
        Self { words, len }
    }

    /// The same as `f32`, without a further loss.
    pub fn widened(&self, memory: &Memory) -> Buffer {
        let mut numbers = memory.buffer(self.len);
        simd::run(Widen { words: bytemuck::cast_slice(&self.words), numbers: &mut numbers });
        numbers
    }
}

struct Widen<'a> {
    words: &'a [u32],
    numbers: &'a mut [f32],
}

impl Kernel for Widen<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let mut numbers = self.numbers.chunks_exact_mut(2);
        for (two, &word) in (&mut numbers).zip(self.words) {
            (two[0], two[1]) = (first(word), second(word));
        }
        if let ([last], [.., word]) = (numbers.into_remainder(), self.words) {
            *last = first(*word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::narrow::numbers::round;
    use crate::kernels::simd::every_unit;
    use crate::kernels::tests::numbers;

    #[test]
    fn numbers_come_back_rounded_whatever_their_count() {
        let memory = Memory::default();
        let mut all = numbers(101, 12);
        (all[3], all[50], all[99]) = (1e-40, f32::INFINITY, -0.0);
        for len in [0, 1, 2, 15, 31, 32, 33, 64, 101] {
            let expected: Vec<u32> = all[..len].iter().map(|&number| round(number) << 16).collect();
            let kept = Rounded::new(&all[..len], &memory);
            let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&kept.widened(&memory)), expected, "{len}");
            every_unit::gives_the_same_bytes(|unit| {
                let mut numbers = vec![7.0; len];
                unit.run(Widen { words: bytemuck::cast_slice(&kept.words), numbers: &mut numbers });
                bits(&numbers)
            });
            // Again they are the same.
            let again = Rounded::new(&kept.widened(&memory), &memory);
            assert_eq!(bits(&again.widened(&memory)), expected);
        }
    }
}
