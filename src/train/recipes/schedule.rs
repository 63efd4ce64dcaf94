//! Learning rates that go up and down.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use super::recipe::{At, Recipe};
use crate::base::config::{self, PhaseConfig};

/// A learning rate that follows a schedule; see [`config::Schedule`].
///
/// ```
/// use petal::train::recipes::Schedule;
///
/// let schedule = Schedule { kind: petal::config::Schedule::Cosine, warm_up: 0.2 };
/// // Two steps of ten up to the whole rate, then down.
/// let shares: Vec<f64> = (0..10).map(|step| schedule.share(step, 10)).collect();
/// assert_eq!(shares[..3], [0.5, 1.0, 1.0]);
/// assert!((shares[6] - 0.5).abs() < 1e-12 && shares[9] > 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Which one.
    pub kind: config::Schedule,
    /// The part of all steps in which a cosine grows to its highest rate; 0 to 0.9.
    pub warm_up: f64,
}

impl Schedule {
    /// The rate of a step (counted from 0) of so many, over the phase's rate. Steps beyond those planned have the last one's.
    pub fn share(&self, step: usize, planned: usize) -> f64 {
        let step = step.min(planned.saturating_sub(1)) as f64;
        let planned = planned.max(1) as f64;
        match self.kind {
            config::Schedule::Constant => 1.0,
            config::Schedule::Cosine => {
                let warm = (self.warm_up * planned).round();
                if step < warm { (step + 1.0) / warm } else { along(1.0, 0.0, (step - warm) / (planned - warm)) }
            }
            config::Schedule::OneCycle => {
                let part = step / planned;
                if part < UP {
                    along(1.0 / FIRST, 1.0, part / UP)
                } else {
                    along(1.0, 1.0 / LAST, (part - UP) / (1.0 - UP))
                }
            }
        }
    }

    /// The momentum of a step, where the schedule has one: `one-cycle` lowers it while the rate grows.
    pub fn momentum_at(&self, step: usize, planned: usize) -> Option<f64> {
        if self.kind != config::Schedule::OneCycle {
            return None;
        }
        let part = step.min(planned.saturating_sub(1)) as f64 / planned.max(1) as f64;
        let (high, low) = MOMENTUM;
        Some(if part < UP { along(high, low, part / UP) } else { along(low, high, (part - UP) / (1.0 - UP)) })
    }
}

/// Along half a cosine.
fn along(from: f64, to: f64, part: f64) -> f64 {
    from + (to - from) * (1.0 - (PI * part).cos()) / 2.0
}

/// fastai's `pct_start`, `div`, `div_final` and `moms`.
const UP: f64 = 0.25;
const FIRST: f64 = 25.0;
const LAST: f64 = 1e5;
const MOMENTUM: (f64, f64) = (0.95, 0.85);

impl Recipe for Schedule {
    fn key(&self, phase: &PhaseConfig) -> BTreeMap<String, String> {
        let name = match self.kind {
            config::Schedule::Constant => return BTreeMap::new(),
            config::Schedule::Cosine => format!("cosine after {}", self.warm_up),
            config::Schedule::OneCycle => "one-cycle, momentum too".into(),
        };
        // How fast it goes depends on the epochs: with others, these are other numbers.
        BTreeMap::from([("schedule".into(), format!("{name}, {} epochs", phase.epochs))])
    }

    fn learning_rate(&self, at: &At) -> f64 {
        at.learning_rate * self.share(at.taken, at.planned)
    }

    fn momentum(&self, at: &At) -> Option<f64> {
        self.momentum_at(at.taken, at.planned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(kind: config::Schedule) -> Vec<f64> {
        let schedule = Schedule { kind, warm_up: 0.2 };
        (0..10).map(|step| 0.2 * schedule.share(step, 10)).collect()
    }

    fn agree(got: &[f64], expected: [f64; 10]) {
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }

    /// ```python
    /// from torch.optim.lr_scheduler import *; o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    /// s = SequentialLR(o, [LinearLR(o, start_factor=1/2, total_iters=1), CosineAnnealingLR(o, T_max=8)], [2])
    /// for _ in range(10): print(o.param_groups[0]["lr"]); o.step(); s.step()
    /// ```
    #[test]
    fn a_cosine_after_a_warm_up_is_pytorchs() {
        agree(&rates(config::Schedule::Cosine), COSINE);
    }

    /// fastai's formula, as its callback/schedule.py has it:
    /// ```python
    /// def SchedCos(start, end): return lambda pos: start + (1 + math.cos(math.pi * (1 - pos))) * (end - start) / 2
    /// up, down = SchedCos(0.2/25, 0.2), SchedCos(0.2, 0.2/1e5)
    /// print([up(i/10 / 0.25) if i/10 < 0.25 else down((i/10 - 0.25) / 0.75) for i in range(10)])
    /// # and the same of moms: up, down = SchedCos(0.95, 0.85), SchedCos(0.85, 0.95)
    /// ```
    #[test]
    fn one_cycle_is_fastais() {
        agree(&rates(config::Schedule::OneCycle), ONE_CYCLE);
        let schedule = Schedule { kind: config::Schedule::OneCycle, warm_up: 0.0 };
        let momentum: Vec<f64> = (0..10).filter_map(|step| schedule.momentum_at(step, 10)).collect();
        agree(&momentum, MOMENTA);
    }

    const COSINE: [f64; 10] = [
        0.100_000_000_000_000,
        0.200_000_000_000_000,
        0.200_000_000_000_000,
        0.192_387_953_251_129,
        0.170_710_678_118_655,
        0.138_268_343_236_509,
        0.100_000_000_000_000,
        0.061_731_656_763_491,
        0.029_289_321_881_345,
        0.007_612_046_748_871,
    ];
    const ONE_CYCLE: [f64; 10] = [
        0.008_000_000_000_000,
        0.074_334_368_540_005,
        0.181_665_631_459_995,
        0.197_814_781_925_780,
        0.180_901_890_420_500,
        0.150_000_500_000_000,
        0.110_453_741_798_302,
        0.069_099_609_579_500,
        0.033_088_608_494_721,
        0.008_647_367_781_198,
    ];

    const MOMENTA: [f64; 10] = [
        0.950_000_000_000_000,
        0.915_450_849_718_747,
        0.859_549_150_281_253,
        0.851_092_619_963_310,
        0.859_549_150_281_253,
        0.875_000_000_000_000,
        0.894_773_576_836_617,
        0.915_450_849_718_747,
        0.933_456_530_317_943,
        0.945_677_272_882_130,
    ];

    #[test]
    fn odd_lengths_give_rates_all_the_same() {
        for kind in [config::Schedule::Constant, config::Schedule::Cosine, config::Schedule::OneCycle] {
            for (step, planned) in [(0, 0), (0, 1), (3, 1), (1, 2), (99, 7)] {
                let share = Schedule { kind, warm_up: 0.9 }.share(step, planned);
                assert!((0.0..=1.0).contains(&share), "{kind:?} {step} {planned} {share}");
            }
        }
    }
}
