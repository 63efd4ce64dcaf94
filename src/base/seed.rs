//! One seed drives everything random.
//!
//! A [`Stream`] is a ChaCha8 generator keyed by (seed, purpose, epoch, index). Nothing draws from a shared generator, so a
//! number does not depend on how many were drawn before it: a resumed run, another number of threads, or a cache that
//! skips work all see the same numbers.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a random number is for. Two purposes never share a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Which photo goes into which split.
    Split = 1,
    /// The first values of weights.
    Init = 2,
    /// The order of the photos in an epoch.
    Shuffle = 3,
    /// The augmentation of a photo.
    Augment = 4,
    /// Which activations dropout sets to zero.
    Dropout = 5,
    /// The drawn flowers.
    Synthetic = 6,
    /// Which examples are shown.
    Examples = 7,
    /// The order of the photos, and dropout, while a learning rate is looked for.
    LrFind = 8,
    /// Which photos are mixed with which, and how much of each is taken. (9 was another's, and is not used again.)
    Mix = 10,
    /// Which photos come more than once, where classes are evened out.
    Balance = 11,
    /// Which fold of a cross-validation a photo belongs to.
    Folds = 12,
    /// Which photos a bootstrap draws.
    Bootstrap = 13,
    /// Which training photos' features a model file carries.
    Bank = 17,
    /// Which part of its own probability a validation photo's score has (adaptive sets).
    Conformal = 18,
    /// Orders of chance beside those of heat maps, and which of those photos a bootstrap draws.
    CamCheck = 19,
    /// Which photos an audit compares with, and how it draws labels anew.
    Audit = 20,
}

/// The one number that makes a run repeatable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream for a purpose, an epoch (or view) and an index (of a sample, a tensor, a step).
    pub fn stream(self, purpose: Purpose, epoch: u64, index: u64) -> Stream {
        let mut key = [0u8; 32];
        for (part, value) in key.chunks_exact_mut(8).zip([self.0, purpose as u64, epoch, index]) {
            part.copy_from_slice(&value.to_le_bytes());
        }
        Stream(ChaCha8Rng::from_seed(key))
    }
}

/// A stream of random numbers, the same on every platform.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// A number in `[0, 1)`, with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in `[low, high)`.
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// An integer in `[0, n)`, without bias. `n` must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        // Lemire's method: reject the few values that would make some results more likely.
        loop {
            let wide = u128::from(self.0.next_u64()) * u128::from(n);
            if wide as u64 >= n.wrapping_neg() % n {
                return (wide >> 64) as usize;
            }
        }
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// A draw from the normal distribution with mean 0 and variance 1 (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A draw from Beta(`a`, `a`), for `a` above 0: the share of one of two gamma draws (Marsaglia & Tsang 2000) in both.
    pub fn beta(&mut self, a: f64) -> f64 {
        let (one, other) = (self.gamma(a), self.gamma(a));
        // Of a very small `a`, both may be nothing.
        if one + other > 0.0 { one / (one + other) } else { f64::from(u8::from(self.chance(0.5))) }
    }

    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = (1.0 - self.uniform()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Puts the items in a random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_fixed_by_its_key_alone() {
        let draw = |seed, purpose, epoch, index| Seed(seed).stream(purpose, epoch, index).uniform();
        let first = draw(42, Purpose::Init, 0, 0);
        assert_eq!(first, draw(42, Purpose::Init, 0, 0));
        for other in [
            draw(43, Purpose::Init, 0, 0),
            draw(42, Purpose::Split, 0, 0),
            draw(42, Purpose::Init, 1, 0),
            draw(42, Purpose::Init, 0, 1),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn draws_are_in_range_and_even() {
        let mut stream = Seed(1).stream(Purpose::Shuffle, 0, 0);
        let mut counts = [0usize; 7];
        for _ in 0..70_000 {
            counts[stream.below(7)] += 1;
        }
        // Five standard deviations of a binomial with p = 1/7 are 463.
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 463), "{counts:?}");
        let (mut sum, mut square) = (0.0, 0.0);
        for _ in 0..100_000 {
            let x = stream.normal();
            sum += x;
            square += x * x;
        }
        assert!((sum / 1e5).abs() < 0.02 && (square / 1e5 - 1.0).abs() < 0.03);
    }

    /// Of Beta(a, a), the mean is 1/2 and the variance 1 / (4 (2a + 1)).
    #[test]
    fn betas_have_their_mean_and_variance() {
        for a in [0.2, 1.0, 4.0] {
            let mut stream = Seed(2).stream(Purpose::Mix, 0, 0);
            let draws: Vec<f64> = (0..50_000).map(|_| stream.beta(a)).collect();
            assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
            let mean = draws.iter().sum::<f64>() / 5e4;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 5e4;
            assert!((mean - 0.5).abs() < 0.01, "{a}: {mean}");
            assert!((variance * 4.0 * (2.0 * a + 1.0) - 1.0).abs() < 0.03, "{a}: {variance}");
        }
    }

    #[test]
    fn a_shuffle_is_a_permutation() {
        let mut items: Vec<usize> = (0..100).collect();
        Seed(7).stream(Purpose::Shuffle, 3, 0).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
