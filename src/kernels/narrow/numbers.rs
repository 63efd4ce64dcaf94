//! `f32` rounded to bf16, two in a word.

/// Numbers in a vector.
pub(super) const LANES: usize = 16;

/// The bf16 nearest to a number, ties to even, as the processor's own instruction has it: what is no normal number is 0 with its sign, what is not a
/// number stays so.
#[inline(always)]
pub(super) fn round(number: f32) -> u32 {
    let bits = number.to_bits();
    let sign = bits & 0x8000_0000;
    let size = bits & 0x7fff_ffff;
    // The lowest bit that stays decides where two are equally near.
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    let normal = if size < 0x0080_0000 { sign } else { nearest };
    (if size > 0x7f80_0000 { bits | 0x0040_0000 } else { normal }) >> 16
}

/// Two numbers as bf16, the first in the low half.
#[inline(always)]
pub(super) fn pair(first: f32, second: f32) -> u32 {
    round(first) | round(second) << 16
}

/// The first number of a pair.
#[inline(always)]
pub(super) fn first(pair: u32) -> f32 {
    f32::from_bits(pair << 16)
}

/// The second number of a pair.
#[inline(always)]
pub(super) fn second(pair: u32) -> f32 {
    f32::from_bits(pair & 0xffff_0000)
}

/// How many pairs a row of so many numbers is; an odd one is beside a 0.
pub(super) fn pairs_of(numbers: usize) -> usize {
    numbers.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;

    #[test]
    fn a_number_is_rounded_as_the_type_has_it_and_small_ones_to_nothing() {
        for i in 0..=u16::MAX as u32 {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let number = f32::from_bits(i << 16 | low);
                let expected = if number.is_normal() || number.is_infinite() {
                    bf16::from_f32(number).to_bits()
                } else {
                    (i & 0x8000) as u16
                };
                if number.is_nan() {
                    assert!(first(round(number)).is_nan());
                } else {
                    assert_eq!(round(number) as u16, expected, "{number:e}");
                }
            }
        }
    }
}
