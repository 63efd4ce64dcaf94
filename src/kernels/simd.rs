//! One source for every vector unit: a kernel is written once, compiled for each, and chosen at run time.

/// A loop to compile for each vector unit.
///
/// `run` must be `#[inline(always)]`, as must what it calls, so that it is compiled with its caller's instructions.
pub(super) trait Kernel {
    /// Does the work. `FMA`: a multiplication and an addition make one instruction.
    fn run<const FMA: bool>(self);
}

/// `a * b + c`.
#[inline(always)]
pub(super) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    // Without the instruction, `f32::mul_add` is a slow call.
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `v` within `low..=high`. What is not a number stays so: a diverged network has to be noticed.
#[inline(always)]
pub(super) fn clamp(v: f32, low: f32, high: f32) -> f32 {
    let v = if v < low { low } else { v };
    if v > high { high } else { v }
}

/// `L` numbers from `at` on.
#[inline(always)]
pub(super) fn lanes<const L: usize>(from: &[f32], at: usize) -> &[f32; L] {
    from[at..].first_chunk().unwrap_or_else(|| panic!("{L} numbers from {at} on, of {}", from.len()))
}

/// As [`lanes`], to write.
#[inline(always)]
pub(super) fn lanes_mut<const L: usize>(to: &mut [f32], at: usize) -> &mut [f32; L] {
    let len = to.len();
    to[at..].first_chunk_mut().unwrap_or_else(|| panic!("{L} numbers from {at} on, of {len}"))
}

/// A vector unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// What every machine of this architecture has.
    Portable,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// All that this machine has, the widest last.
    pub(super) fn available() -> impl DoubleEndedIterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = cfg!(feature = "avx512") && avx2 && is_x86_feature_detected!("avx512f");
            [Some(Self::Portable), avx2.then_some(Self::Avx2), avx512.then_some(Self::Avx512)].into_iter().flatten()
        }
        #[cfg(not(target_arch = "x86_64"))]
        [Self::Portable].into_iter()
    }

    /// Runs `kernel` on this unit.
    ///
    /// # Safety
    /// The machine must have the unit: it comes from [`Level::available`].
    unsafe fn run(self, kernel: impl Kernel) {
        match self {
            Self::Portable => kernel.run::<{ cfg!(target_arch = "aarch64") }>(),
            // SAFETY: the caller has seen that the machine has these instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { run_avx2(kernel) },
            // SAFETY: the caller has seen that the machine has these instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { run_avx512(kernel) },
        }
    }
}

/// The widest vector unit of this machine.
fn widest() -> Level {
    Level::available().next_back().unwrap_or(Level::Portable)
}

/// The widest vector instructions that this machine computes with: another set sums in another order.
pub fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    return match widest() {
        Level::Portable => "SSE2",
        Level::Avx2 => "AVX2",
        Level::Avx512 => "AVX-512",
    };
    #[cfg(not(target_arch = "x86_64"))]
    "its own"
}

/// Whether this machine's registers hold 24 sums of 16 lanes.
pub(super) fn has_wide_registers() -> bool {
    #[cfg(target_arch = "x86_64")]
    return widest() == Level::Avx512;
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Runs `kernel` on the widest vector unit of this machine.
pub(super) fn run(kernel: impl Kernel) {
    let level = widest();
    // SAFETY: the level is one of those available.
    unsafe { level.run(kernel) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2(kernel: impl Kernel) {
    kernel.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f")]
fn run_avx512(kernel: impl Kernel) {
    kernel.run::<true>()
}

/// How the tests of a kernel run it on every vector unit of this machine.
#[cfg(test)]
pub(super) mod every_unit {
    use super::{Kernel, Level};
    use crate::kernels::tests::distance;

    /// A vector unit that this machine has.
    pub(in crate::kernels) struct Unit(Level);

    impl Unit {
        pub(in crate::kernels) fn run(&self, kernel: impl Kernel) {
            // SAFETY: the level is one of those available.
            unsafe { self.0.run(kernel) }
        }
    }

    /// Checks that `all` gives the same on every unit, to the byte.
    #[track_caller]
    pub(in crate::kernels) fn gives_the_same_bytes<T: PartialEq>(all: impl Fn(&Unit) -> T) {
        let portable = all(&Unit(Level::Portable));
        for level in Level::available() {
            assert!(all(&Unit(level)) == portable, "{level:?}");
        }
    }

    /// Checks that `all` gives nearly the same on every unit: they differ in whether a product is rounded before it is added.
    #[track_caller]
    pub(in crate::kernels) fn agrees<const N: usize>(tolerance: f64, all: impl Fn(&Unit) -> [Vec<f32>; N]) {
        let portable = all(&Unit(Level::Portable)).map(|v| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
        for level in Level::available() {
            for (i, (got, expected)) in all(&Unit(level)).iter().zip(&portable).enumerate() {
                let distance = distance(got, expected);
                assert!(distance < tolerance, "{level:?}, result {i}: {distance:e}");
            }
        }
    }
}
