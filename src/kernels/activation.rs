//! Activations: what each makes of a number, its gradient, and what that gradient needs kept.
//!
//! Those that only cut a number off ([`None`](Activation::None), [`Relu`](Activation::Relu), [`Relu6`](Activation::Relu6)) are taken
//! inside the kernels, and their gradient reads what came out. The smooth ones are a pass over finished numbers, and their gradient
//! reads what went in: a new one is a new arm in this file, and no kernel knows of it.

use super::elementwise::CHUNK;
use super::simd::{self, Kernel};
use rayon::prelude::*;
use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E, TAU};

/// What follows a convolution or a dense layer.
///
/// ```
/// use petal::kernels::Activation;
///
/// assert_eq!(Activation::Relu6.value(7.5), 6.0);
/// assert_eq!(Activation::HardSwish.value(1.0), 4.0 / 6.0);
/// assert!((Activation::Silu.value(1.0) - 0.731_058_6).abs() < 1e-6);
/// assert!((Activation::Gelu.value(-1.0) + 0.158_655_3).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x · σ(x)`, also called swish (Elfwing, Uchibe and Doya 2017, <https://arxiv.org/abs/1702.03118>).
    Silu,
    /// `x · min(max(x + 3, 0), 6) / 6` (Howard et al. 2019, <https://arxiv.org/abs/1905.02244>).
    HardSwish,
    /// `x · Φ(x)`, with the normal distribution itself, not its approximation by tanh (Hendrycks and Gimpel 2016,
    /// <https://arxiv.org/abs/1606.08415>).
    Gelu,
}

/// What the gradient of an activation is computed from, and so what training has to keep of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// What came out: it may be computed in place.
    Output,
    /// What went in.
    Input,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::None, Self::Relu, Self::Relu6, Self::Silu, Self::HardSwish, Self::Gelu];

    /// What [`slope`](Self::slope) and [`backward_activation`] are to be given.
    ///
    /// ```
    /// use petal::kernels::{Activation, Keeps};
    ///
    /// assert_eq!((Activation::Relu.keeps(), Activation::Silu.keeps()), (Keeps::Output, Keeps::Input));
    /// ```
    pub const fn keeps(self) -> Keeps {
        match self {
            Self::None | Self::Relu | Self::Relu6 => Keeps::Output,
            Self::Silu | Self::HardSwish | Self::Gelu => Keeps::Input,
        }
    }

    /// What comes out for `x`. What is not a number stays so.
    #[inline(always)]
    pub fn value(self, x: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Relu | Self::Relu6 => clamp(x, self.bounds().0, self.bounds().1),
            Self::Silu => x * sigmoid(x),
            Self::HardSwish => x * clamp(x + 3.0, 0.0, 6.0) / 6.0,
            Self::Gelu => x * normal(x),
        }
    }

    /// The derivative where `kept` went in, or came out, as [`keeps`](Self::keeps) says. At a corner it is 0, as in PyTorch.
    ///
    /// ```
    /// use petal::kernels::Activation;
    ///
    /// assert_eq!([0.0, 3.0, 6.0].map(|y| Activation::Relu6.slope(y)), [0.0, 1.0, 0.0]);
    /// assert_eq!([-3.0, 0.0, 3.0].map(|x| Activation::HardSwish.slope(x)), [0.0, 0.5, 1.0]);
    /// ```
    #[inline(always)]
    pub fn slope(self, kept: f32) -> f32 {
        let x = kept;
        match self {
            Self::None => 1.0,
            Self::Relu | Self::Relu6 => f32::from(!is_blocked(kept, self.bounds())),
            Self::Silu => sigmoid(x) * (1.0 + x * sigmoid(-x)),
            Self::HardSwish if x <= -3.0 => 0.0,
            Self::HardSwish if x >= 3.0 => 1.0,
            Self::HardSwish => x / 3.0 + 0.5,
            Self::Gelu => normal(x) + x * exp(-0.5 * x * x) / TAU.sqrt(),
        }
    }

    /// The smallest and the largest value that the kernels let out, which take it inside themselves.
    pub(super) fn bounds(self) -> (f32, f32) {
        match self {
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
            Self::None | Self::Silu | Self::HardSwish | Self::Gelu => (f32::NEG_INFINITY, f32::INFINITY),
        }
    }

    /// The bounds that an output must lie between for its gradient to pass; none where all pass.
    ///
    /// # Panics
    /// Where the output doesn't say.
    pub(super) fn mask(self) -> Option<(f32, f32)> {
        assert_eq!(self.keeps(), Keeps::Output, "the gradient of {self:?} needs what went in");
        (self != Self::None).then(|| self.bounds())
    }
}

/// `y = act(x)`, number by number.
///
/// # Panics
/// Where the two lengths differ.
///
/// ```
/// use petal::kernels::{Activation, forward_activation};
///
/// let mut y = [0.0; 4];
/// forward_activation(Activation::HardSwish, &[-4.0, -1.5, 0.0, 5.0], &mut y);
/// assert_eq!(y, [0.0, -0.375, 0.0, 5.0]);
/// ```
pub fn forward_activation(act: Activation, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "x and y");
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| {
        y.copy_from_slice(x);
        simd::run(Values { act, y });
    });
}

/// Takes the gradient before the activation from the gradient after it, in place: `dy` is multiplied by the slope. `kept` is what
/// came out of the activation or went in, as [`Activation::keeps`] says.
///
/// # Panics
/// Where the two lengths differ.
///
/// ```
/// use petal::kernels::{Activation, backward_activation};
///
/// let mut dy = [1.0, 2.0, 3.0];
/// backward_activation(Activation::Relu6, &[0.0, 1.0, 6.0], &mut dy);
/// assert_eq!(dy, [0.0, 2.0, 0.0]);
/// backward_activation(Activation::HardSwish, &[-3.0, 0.0, 3.0], &mut dy);
/// assert_eq!(dy, [0.0, 1.0, 0.0]);
/// ```
pub fn backward_activation(act: Activation, kept: &[f32], dy: &mut [f32]) {
    assert_eq!(kept.len(), dy.len(), "what was kept and dy");
    if act != Activation::None {
        dy.par_chunks_mut(CHUNK).zip(kept.par_chunks(CHUNK)).for_each(|(dy, kept)| simd::run(Slopes { act, kept, dy }));
    }
}

/// `y = act(y)`, in place, on one thread.
pub(super) struct Values<'a> {
    pub(super) act: Activation,
    pub(super) y: &'a mut [f32],
}

impl Kernel for Values<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // One loop for each, so that none decides within.
        match self.act {
            Activation::None => {}
            Activation::Relu => self.each(|y| Activation::Relu.value(y)),
            Activation::Relu6 => self.each(|y| Activation::Relu6.value(y)),
            Activation::Silu => self.each(|y| Activation::Silu.value(y)),
            Activation::HardSwish => self.each(|y| Activation::HardSwish.value(y)),
            Activation::Gelu => self.each(|y| Activation::Gelu.value(y)),
        }
    }
}

impl Values<'_> {
    #[inline(always)]
    fn each(self, value: impl Fn(f32) -> f32) {
        self.y.iter_mut().for_each(|y| *y = value(*y));
    }
}

/// As [`backward_activation`], on one thread.
pub(super) struct Slopes<'a> {
    pub(super) act: Activation,
    pub(super) kept: &'a [f32],
    pub(super) dy: &'a mut [f32],
}

impl Kernel for Slopes<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        match self.act {
            Activation::None => {}
            // What is blocked is 0, not a product: a gradient that is not finite stays behind it.
            Activation::Relu => self.each(|y, dy| if is_blocked(y, Activation::Relu.bounds()) { 0.0 } else { dy }),
            Activation::Relu6 => self.each(|y, dy| if is_blocked(y, Activation::Relu6.bounds()) { 0.0 } else { dy }),
            Activation::Silu => self.each(|x, dy| dy * Activation::Silu.slope(x)),
            Activation::HardSwish => self.each(|x, dy| dy * Activation::HardSwish.slope(x)),
            Activation::Gelu => self.each(|x, dy| dy * Activation::Gelu.slope(x)),
        }
    }
}

impl Slopes<'_> {
    #[inline(always)]
    fn each(self, gradient: impl Fn(f32, f32) -> f32) {
        self.dy.iter_mut().zip(self.kept).for_each(|(dy, &kept)| *dy = gradient(kept, *dy));
    }
}

/// `v` within `low..=high`. What is not a number stays so: a diverged network has to be noticed.
#[inline(always)]
pub(super) fn clamp(v: f32, low: f32, high: f32) -> f32 {
    let v = if v < low { low } else { v };
    if v > high { high } else { v }
}

/// Whether an activation with this [`mask`](Activation::mask) gave `y` without letting its input through.
#[inline(always)]
pub(super) fn is_blocked(y: f32, (low, high): (f32, f32)) -> bool {
    // A NaN fails no comparison here, so it blocks nothing.
    (y <= low) | (y >= high)
}

/// σ(x).
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Φ(x), the share of a normal distribution below `x`, by Chebyshev's approximation of erfc with a relative error of 1.2e-7
/// (Press et al., "Numerical Recipes", section 6.2).
#[inline(always)]
fn normal(x: f32) -> f32 {
    const TERMS: [f32; 10] = [
        -1.265_512_2,
        1.000_023_7,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_204,
        1.488_515_9,
        -0.822_152_2,
        0.170_872_77,
    ];
    let z = x.abs() * FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * z);
    let terms = TERMS.iter().rev().fold(0.0, |sum, term| sum * t + term);
    let below = 0.5 * t * exp(terms - z * z);
    if x > 0.0 { 1.0 - below } else { below }
}

/// eˣ between e⁻⁸⁷ and e⁸⁸, after Moshier's Cephes: without a branch or a call, so that it runs on vectors, and the same on each.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const TERMS: [f32; 6] = [0.5, 0.166_666_65, 4.166_579_6e-2, 8.333_452e-3, 1.398_2e-3, 1.987_569_1e-4];
    /// 1.5 · 2²³: the last bits of a sum with it are the other number, rounded.
    const ROUND: f32 = 12_582_912.0;
    let x = clamp(x, -87.0, 88.0);
    // x = n ln 2 + rest, with ln 2 in two parts, the first short enough for exact products.
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let rest = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let terms = TERMS.iter().rev().fold(0.0, |sum, term| sum * rest + term);
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    (terms * rest * rest + rest + 1.0) * power
}
