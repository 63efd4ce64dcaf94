//! Activations: what each makes of a number, its gradient, and what that gradient needs kept.
//!
//! Those that only cut a number off ([`None`](Activation::None), [`Relu`](Activation::Relu), [`Relu6`](Activation::Relu6)) are taken
//! inside the kernels, and their gradient reads what came out. The smooth ones are a pass over finished numbers, and their gradient
//! reads what went in: a new one is a new arm in this file, and no kernel knows of it.

mod exp;
#[cfg(test)]
mod tests;

use crate::kernels::frame::CHUNK;
use crate::kernels::simd::{self, Kernel, clamp};
pub(super) use exp::exp;
use exp::{bell, normal, sigmoid};
use rayon::prelude::*;
use std::f32::consts::TAU;

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
    /// `σ(x) = 1 / (1 + e⁻ˣ)`, a gate.
    Sigmoid,
    /// `min(max(x + 3, 0), 6) / 6`, a gate (Howard et al. 2019, as [`HardSwish`](Self::HardSwish)).
    HardSigmoid,
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
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Relu,
        Self::Relu6,
        Self::Silu,
        Self::HardSwish,
        Self::Gelu,
        Self::Sigmoid,
        Self::HardSigmoid,
    ];

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
            Self::Silu | Self::HardSwish | Self::Gelu | Self::Sigmoid | Self::HardSigmoid => Keeps::Input,
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
            Self::Gelu => x * normal(x, bell(x)),
            Self::Sigmoid => sigmoid(x),
            Self::HardSigmoid => clamp(x + 3.0, 0.0, 6.0) / 6.0,
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
            Self::Gelu => {
                let bell = bell(x);
                normal(x, bell) + x * bell / TAU.sqrt()
            }
            Self::Sigmoid => sigmoid(x) * sigmoid(-x),
            Self::HardSigmoid if x.abs() >= 3.0 => 0.0,
            Self::HardSigmoid => 1.0 / 6.0,
        }
    }

    /// The smallest and the largest value that the kernels let out, which take it inside themselves.
    pub(super) fn bounds(self) -> (f32, f32) {
        match self {
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
            _ => (f32::NEG_INFINITY, f32::INFINITY),
        }
    }

    /// Finishes what a kernel has taken within these [`bounds`](Self::bounds): nothing, where they are all of it.
    #[inline(always)]
    pub(super) fn finish(self, y: &mut [f32]) {
        if self.keeps() == Keeps::Input {
            Values { act: self, y }.run::<false>();
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
struct Values<'a> {
    act: Activation,
    y: &'a mut [f32],
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
            Activation::Sigmoid => self.each(|y| Activation::Sigmoid.value(y)),
            Activation::HardSigmoid => self.each(|y| Activation::HardSigmoid.value(y)),
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
            Activation::Sigmoid => self.each(|x, dy| dy * Activation::Sigmoid.slope(x)),
            Activation::HardSigmoid => self.each(|x, dy| dy * Activation::HardSigmoid.slope(x)),
        }
    }
}

impl Slopes<'_> {
    #[inline(always)]
    fn each(self, gradient: impl Fn(f32, f32) -> f32) {
        self.dy.iter_mut().zip(self.kept).for_each(|(dy, &kept)| *dy = gradient(kept, *dy));
    }
}

/// Whether an activation with this [`mask`](Activation::mask) gave `y` without letting its input through.
#[inline(always)]
pub(super) fn is_blocked(y: f32, (low, high): (f32, f32)) -> bool {
    // A NaN fails no comparison here, so it blocks nothing.
    (y <= low) | (y >= high)
}
