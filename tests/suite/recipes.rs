//! What a recipe may change by hooks, and that a training by any recipe goes on where it was.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use candle_core::{Device, Tensor, Var};
use petal::config::{Config, PhaseConfig};
use petal::learner::{Kind, Learner};
use petal::nn::{codec, loss};
use petal::train::recipes::State;
use petal::train::{At, AtCut, Ended, Event, Phase, Recipe};
use petal::{Purpose, Result};

use crate::support::{flowers, small};

/// All hooks at once: a falling rate, pairs of photos that are mixed, a loss of two targets, and averaged weights, which are what is measured.
#[derive(Debug)]
struct Everything;

/// How much of itself a photo keeps in this step. Drawn by the epoch and the step, it is the same wherever it is asked for.
fn share(at: &At) -> f64 {
    at.seed.stream(Purpose::Augment, at.epoch, 1 << 32 | at.step as u64).range(0.5, 1.0)
}

/// Each row's partner: the rows from the last to the first.
fn partners(of: &Tensor) -> Result<Tensor> {
    let rows = of.dim(0)? as u32;
    Ok(of.index_select(&Tensor::from_iter((0..rows).rev(), of.device())?, 0)?)
}

const KEEP: f64 = 0.9;

impl Recipe for Everything {
    fn key(&self, phase: &PhaseConfig) -> BTreeMap<String, String> {
        BTreeMap::from([("recipe".into(), format!("everything, {} epochs", phase.epochs))])
    }

    fn learning_rate(&self, at: &At) -> f64 {
        at.learning_rate * (1.0 - at.taken as f64 / at.planned as f64)
    }

    fn batch(&self, at: &At, batch: AtCut) -> Result<AtCut> {
        let (own, others) = (share(at), partners(&batch.values)?);
        Ok(AtCut { values: ((batch.values * own)? + (others * (1.0 - own))?)?, ..batch })
    }

    fn loss(&self, at: &At, logits: &Tensor, batch: &AtCut) -> Result<Tensor> {
        let own = loss::cross_entropy(logits, &batch.targets)?;
        let others = loss::cross_entropy(logits, &partners(&batch.targets)?)?;
        Ok(((own * share(at))? + (others * (1.0 - share(at)))?)?)
    }

    fn after_step(&self, _: &At, vars: &[(String, Var)], state: &mut State) -> Result<()> {
        for (name, var) in vars {
            let now = var.as_tensor();
            let mean = match state.get(name) {
                Some(mean) => ((mean * KEEP)? + (now * (1.0 - KEEP))?)?,
                None => now.copy()?,
            };
            state.insert(name.clone(), mean.detach());
        }
        Ok(())
    }

    fn measured(&self, state: &State) -> Result<Option<BTreeMap<String, Tensor>>> {
        Ok(Some(state.clone()))
    }
}

#[test]
fn a_recipe_changes_a_training_by_hooks_and_what_it_keeps_is_gone_on_from() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = small();
    let phase = |config: &Config| Phase::head(config).by(Everything);
    let train = |folder: &std::path::Path, stop_after: Option<usize>| {
        let (project, splits) = flowers(folder, &config);
        let open = || Learner::in_run(&project, &splits, &config, Kind::Transfer, None).unwrap();
        let (mut learner, mut steps) = (open(), 0);
        let mut observe = |event: &Event| {
            steps += usize::from(matches!(event, Event::Step { .. }));
            if Some(steps) == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        if learner.fit_with(&phase(&config), &mut observe).unwrap().ended == Ended::Stopped {
            learner = open();
            learner.fit_with(&phase(&config), &mut |_| ControlFlow::Continue(())).unwrap();
        }
        learner
    };
    let learner = train(whole.path(), None);
    let rates: Vec<f64> = learner.history().unwrap().epochs.iter().map(|epoch| epoch.learning_rate).collect();
    assert!(rates.windows(2).all(|pair| pair[1] < pair[0]) && rates[2] > 0.0, "{rates:?}");

    // What is measured and kept are the averages, and what trains are not.
    let checkpoint = learner.run().load(&Device::Cpu).unwrap();
    let [model, best, state] =
        [&checkpoint.model, &checkpoint.best, &checkpoint.recipe].map(|values| codec::digest(values).unwrap());
    let is_last = learner.history().unwrap().best().unwrap().epoch == 3;
    assert!(model != state && (best == state || !is_last));
    assert!(checkpoint.recipe.keys().eq(checkpoint.model.keys()));

    // Stopped in the middle of an epoch and gone on with, it is the same to the byte.
    let stopped = train(parts.path(), Some(7));
    let digest = |learner: &Learner| codec::digest(&learner.run().load(&Device::Cpu).unwrap().tensors()).unwrap();
    assert_eq!(digest(&learner), digest(&stopped));
    assert_eq!(crate::training::bytes_of(&learner), crate::training::bytes_of(&stopped));

    // Another recipe is another phase, in a run of its own.
    let (project, splits) = flowers(whole.path(), &config);
    let mut plain = Learner::in_run(&project, &splits, &config, Kind::Transfer, None).unwrap();
    plain.fit_with(&Phase::head(&config), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_ne!(plain.run().folder, learner.run().folder);
    assert!(plain.run().load(&Device::Cpu).unwrap().recipe.is_empty());
}
