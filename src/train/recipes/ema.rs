//! Weights that are running means of those that train.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::recipe::{At, Recipe, State};
use crate::base::config::PhaseConfig;
use crate::base::error::Result;

/// Exponential moving averages of the weights (Polyak & Juditsky 1992): after each step, `mean = decay · mean + (1 − decay) · weight`, from
/// the weights before the first one; timm's `ModelEmaV2`. The means are what is validated and kept. They are in the checkpoint.
///
/// ```
/// use petal::prelude::*;
/// use petal::train::recipes::Ema;
///
/// let phase = Phase::upper(&Config::seed()).by(Ema { decay: 0.99 });
/// assert_eq!(phase.computes()["ema"], "0.99");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    /// How much of a mean stays at each step: 0 (off) to below 1.
    pub decay: f64,
}

const PREFIX: &str = "ema.";

impl Recipe for Ema {
    fn key(&self, _: &PhaseConfig) -> BTreeMap<String, String> {
        if self.decay == 0.0 { BTreeMap::new() } else { BTreeMap::from([("ema".into(), self.decay.to_string())]) }
    }

    fn begin(&self, vars: &[(String, Var)], state: &mut State) -> Result<()> {
        for (name, var) in vars.iter().filter(|_| self.decay > 0.0) {
            state.insert(format!("{PREFIX}{name}"), var.as_tensor().copy()?);
        }
        Ok(())
    }

    fn after_step(&self, _: &At, vars: &[(String, Var)], state: &mut State) -> Result<()> {
        for (name, var) in vars.iter().filter(|_| self.decay > 0.0) {
            let name = format!("{PREFIX}{name}");
            let now = var.as_tensor();
            let mean = match state.get(&name) {
                Some(mean) => ((mean * self.decay)? + (now * (1.0 - self.decay))?)?,
                None => now.copy()?,
            };
            state.insert(name, mean.detach());
        }
        Ok(())
    }

    fn measured(&self, state: &State) -> Result<Option<BTreeMap<String, Tensor>>> {
        let means =
            state.iter().filter_map(|(name, mean)| Some((name.strip_prefix(PREFIX)?.to_string(), mean.clone())));
        let means: BTreeMap<_, _> = means.collect();
        Ok((!means.is_empty()).then_some(means))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::base::seed::Seed;

    /// ```python
    /// m = torch.nn.Linear(2, 1, bias=False); m.weight.data = torch.tensor([[1., 2.]]); e = timm.utils.ModelEmaV2(m, decay=0.9)
    /// for w in ([3., -1.], [5., 0.5]): m.weight.data = torch.tensor([w]); e.update(m)
    /// print(e.module.weight)
    /// ```
    #[test]
    fn means_are_timms() {
        let w = Var::new(&[1f32, 2.], &Device::Cpu).unwrap();
        let (ema, vars) = (Ema { decay: 0.9 }, [("w".to_string(), w.clone())]);
        let at = At { seed: Seed(1), epoch: 0, step: 0, taken: 0, planned: 1, learning_rate: 1.0 };
        let mut state = State::new();
        ema.begin(&vars, &mut state).unwrap();
        for next in [[3f32, -1.], [5., 0.5]] {
            w.set(&Tensor::new(&next, &Device::Cpu).unwrap()).unwrap();
            ema.after_step(&at, &vars, &mut state).unwrap();
        }
        let mean = ema.measured(&state).unwrap().unwrap()["w"].to_vec1::<f32>().unwrap();
        for (got, expected) in mean.iter().zip(EXPECTED) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }

    const EXPECTED: [f32; 2] = [1.58, 1.58];
}
