//! Layer norm: the channels of each pixel moved and scaled to a mean of 0 and a variance of 1, then by numbers of their own; and the gradients.
//!
//! `x` and `y` are `[positions, C]`, whichever pictures the positions are of; `gamma` and `beta` are `[C]`. Forward leaves the mean of each position and
//! the inverse of its deviation, `[positions, 2]`, for the way back.

#[cfg(test)]
mod tests;

use super::frame::{CHUNK, parts_in_order};
use super::memory::Memory;
use super::simd::{self, Kernel, lanes};
use super::sums::PartialSums;
use rayon::prelude::*;

/// `y = (x − mean) / √(variance + eps) · gamma + beta`, overwritten, with mean and variance (over `C`, not `C − 1`) of each position. `kept`: where to
/// leave what the way back reads.
///
/// # Panics
/// Where the lengths don't fit each other, or there are no channels.
///
/// ```
/// use petal::kernels::layer_norm;
///
/// // Two positions of two channels: 1 and 3 are one deviation from their mean, 5 and 5 are none from theirs.
/// let (mut y, mut kept) = ([0.0; 4], [0.0; 4]);
/// layer_norm::forward(&[10.0, 100.0], &[0.0, 1.0], 0.0625, &[1.0, 3.0, 5.0, 5.0], &mut y, Some(&mut kept));
/// assert_eq!(kept, [2.0, 1.0 / 1.0625f32.sqrt(), 5.0, 4.0]);
/// assert_eq!(y, [-10.0 * kept[1], 100.0 * kept[1] + 1.0, 0.0, 1.0]);
/// ```
pub fn forward(gamma: &[f32], beta: &[f32], eps: f32, x: &[f32], y: &mut [f32], kept: Option<&mut [f32]>) {
    let (channels, positions) = check(gamma, x, y);
    assert_eq!(beta.len(), channels, "gamma and beta");
    let rows = rows_of_a_task(channels);
    let kept = kept.unwrap_or_default();
    assert!(kept.is_empty() || kept.len() == 2 * positions, "what is kept of {positions} positions");
    let kept = parts_in_order(kept, 2 * positions.max(1), 2 * rows);
    let tasks: Vec<_> = y.chunks_mut(rows * channels).zip(x.chunks(rows * channels)).zip(kept).collect();
    tasks.into_par_iter().for_each(|((y, x), kept)| simd::run(Forward { gamma, beta, eps, x, y, kept }));
}

/// The gradients that are asked for.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// Of the input: whether it is added to what is there, and where it goes.
    pub input: Option<(bool, &'a mut [f32])>,
    /// Of gamma, then of beta, `[2, C]`: likewise.
    pub weights: Option<(bool, &'a mut [f32])>,
}

/// The gradients, from `dy`, that of the output; `kept` is what [`forward`] left for `x`.
///
/// # Panics
/// As [`forward`].
///
/// ```
/// use petal::kernels::{Memory, layer_norm};
///
/// let (gamma, x, dy) = ([1.0, 1.0], [1.0, 3.0], [0.5, 2.0]);
/// let (mut y, mut kept, mut dx, mut sums) = ([0.0; 2], [0.0; 2], [7.0; 2], [0.0; 4]);
/// layer_norm::forward(&gamma, &[0.0; 2], 0.0, &x, &mut y, Some(&mut kept));
/// let wanted = layer_norm::Gradients { input: Some((false, &mut dx)), weights: Some((false, &mut sums)) };
/// layer_norm::backward(&gamma, &x, &kept, &dy, wanted, &Memory::default());
/// // Of two numbers always one is at -1 and the other at 1: moving them changes nothing.
/// assert_eq!((dx, sums), ([0.0, 0.0], [-0.5, 2.0, 0.5, 2.0]));
/// ```
pub fn backward(gamma: &[f32], x: &[f32], kept: &[f32], dy: &[f32], wanted: Gradients, memory: &Memory) {
    let (channels, positions) = check(gamma, x, dy);
    assert_eq!(kept.len(), 2 * positions, "what is kept of {positions} positions");
    let Gradients { input, weights } = wanted;
    let (accumulate, dx) = input.unwrap_or_default();
    assert!(dx.is_empty() || dx.len() == x.len(), "x and dx");
    let rows = rows_of_a_task(channels);
    let (part, tasks) = (rows * channels, positions.div_ceil(rows));
    let own = if weights.is_some() { 2 * channels } else { 0 };
    let mut sums = PartialSums::new(tasks, own, memory);
    let to: Vec<_> = sums.of_tasks().into_iter().zip(parts_in_order(dx, x.len().max(1), part)).collect();
    let from = x.par_chunks(part).zip(dy.par_chunks(part)).zip(kept.par_chunks(2 * rows));
    to.into_par_iter().zip(from).for_each(|((sums, dx), ((x, dy), kept))| {
        simd::run(Back { gamma, x, kept, dy, accumulate, dx, sums });
    });
    if let Some((accumulate, total)) = weights {
        sums.add_up(accumulate, total);
    }
}

/// Channels and positions.
fn check(gamma: &[f32], x: &[f32], y: &[f32]) -> (usize, usize) {
    let channels = gamma.len();
    assert!(channels > 0, "a norm over no channels");
    assert!(x.len().is_multiple_of(channels), "{} numbers in positions of {channels} channels", x.len());
    assert_eq!(x.len(), y.len(), "x and y");
    (channels, x.len() / channels)
}

/// Positions that one task takes.
fn rows_of_a_task(channels: usize) -> usize {
    CHUNK.div_ceil(channels)
}

/// Calls a method with as many lanes as divide the channels, where some do: 16 or 8.
macro_rules! by_lanes {
    ($self:expr, $channels:expr, $method:ident) => {
        if $channels.is_multiple_of(16) { $self.$method::<16>() } else { $self.$method::<8>() }
    };
}

struct Forward<'a> {
    gamma: &'a [f32],
    beta: &'a [f32],
    eps: f32,
    x: &'a [f32],
    y: &'a mut [f32],
    /// Empty where nothing is kept.
    kept: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        by_lanes!(self, self.gamma.len(), positions);
    }
}

impl Forward<'_> {
    #[inline(always)]
    fn positions<const L: usize>(self) {
        let Self { gamma, beta, eps, x, y, kept } = self;
        let channels = gamma.len();
        let share = 1.0 / channels as f32;
        let mut kept = kept.chunks_exact_mut(2);
        for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let mean = sum::<L>(x, |x| x) * share;
            let variance = sum::<L>(x, |x| (x - mean) * (x - mean)) * share;
            let inverse = 1.0 / (variance + eps).sqrt();
            for ((y, x), (gamma, beta)) in y.iter_mut().zip(x).zip(gamma.iter().zip(beta)) {
                *y = (x - mean) * inverse * gamma + beta;
            }
            if let Some(kept) = kept.next() {
                kept.copy_from_slice(&[mean, inverse]);
            }
        }
    }
}

/// The sum of a term of each number: lane by lane, then all lanes, in an order that no vector unit changes.
#[inline(always)]
fn sum<const L: usize>(x: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; L];
    let blocks = x.chunks_exact(L);
    let rest: f32 = blocks.remainder().iter().map(|x| term(*x)).sum();
    for x in blocks {
        let x = lanes::<L>(x, 0);
        (0..L).for_each(|lane| sums[lane] += term(x[lane]));
    }
    total(sums) + rest
}

/// The sum of all lanes, half by half.
#[inline(always)]
fn total<const L: usize>(mut sums: [f32; L]) -> f32 {
    let mut half = L / 2;
    while half > 0 {
        (0..half).for_each(|lane| sums[lane] += sums[lane + half]);
        half /= 2;
    }
    sums[0]
}

struct Back<'a> {
    gamma: &'a [f32],
    x: &'a [f32],
    kept: &'a [f32],
    dy: &'a [f32],
    accumulate: bool,
    /// Empty where it is not asked for.
    dx: &'a mut [f32],
    /// Of gamma, then of beta; empty where they are not asked for.
    sums: &'a mut [f32],
}

impl Kernel for Back<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        by_lanes!(self, self.gamma.len(), positions);
    }
}

impl Back<'_> {
    #[inline(always)]
    fn positions<const L: usize>(self) {
        let Self { gamma, x, kept, dy, accumulate, dx, sums } = self;
        let channels = gamma.len();
        let each = x.chunks_exact(channels).zip(dy.chunks_exact(channels)).zip(kept.chunks_exact(2));
        if !sums.is_empty() {
            sums.fill(0.0);
            let (dgamma, dbeta) = sums.split_at_mut(channels);
            for ((x, dy), kept) in each.clone() {
                let to = dgamma.iter_mut().zip(&mut *dbeta);
                for ((dgamma, dbeta), (x, dy)) in to.zip(x.iter().zip(dy)) {
                    *dgamma += dy * ((x - kept[0]) * kept[1]);
                    *dbeta += dy;
                }
            }
        }
        let share = 1.0 / channels as f32;
        for (dx, ((x, dy), kept)) in dx.chunks_exact_mut(channels).zip(each) {
            let (mean, inverse) = (kept[0], kept[1]);
            let [plain, along] = along::<L>(gamma, x, dy, mean);
            // The mean gradient moves all channels alike and so does nothing; what goes along with the deviations only scales them.
            let (plain, along) = (plain * share, along * share * inverse * inverse);
            let each = dx.iter_mut().zip(gamma).zip(x.iter().zip(dy));
            let back = |gamma: f32, x: f32, dy: f32| (dy * gamma - plain - (x - mean) * along) * inverse;
            if accumulate {
                each.for_each(|((dx, gamma), (x, dy))| *dx += back(*gamma, *x, *dy));
            } else {
                each.for_each(|((dx, gamma), (x, dy))| *dx = back(*gamma, *x, *dy));
            }
        }
    }
}

/// `Σ dy · gamma` and `Σ dy · gamma · (x − mean)` over the channels of a position.
#[inline(always)]
fn along<const L: usize>(gamma: &[f32], x: &[f32], dy: &[f32], mean: f32) -> [f32; 2] {
    let (mut plain, mut along) = ([0.0; L], [0.0; L]);
    let blocks = x.len() / L * L;
    for c in (0..blocks).step_by(L) {
        let (gamma, x, dy) = (lanes::<L>(gamma, c), lanes::<L>(x, c), lanes::<L>(dy, c));
        for lane in 0..L {
            let gradient = dy[lane] * gamma[lane];
            plain[lane] += gradient;
            along[lane] += gradient * (x[lane] - mean);
        }
    }
    let mut rest = [0.0; 2];
    for ((gamma, x), dy) in gamma[blocks..].iter().zip(&x[blocks..]).zip(&dy[blocks..]) {
        rest[0] += dy * gamma;
        rest[1] += dy * gamma * (x - mean);
    }
    [total(plain) + rest[0], total(along) + rest[1]]
}
