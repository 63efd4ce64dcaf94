//! The learning-rate range test: its suggestions are fastai's, it survives divergence, and nothing of it stays.

use std::ops::ControlFlow;
use std::path::Path;

use petal::config::{Config, Source};
use petal::learner::Learner;
use petal::train::{LrFind, LrStep, Phase, Sweep, SweepEnd, Sweeping};
use petal::{ErrorKind, files};

use crate::support::{flowers, small_for};

fn small() -> Config {
    Config { source: Source::Synthetic { per_class: 10 }, ..small_for(2, 1, 1) }
}

/// Every number of the network, by name.
fn numbers(learner: &Learner) -> Vec<(String, Vec<u32>)> {
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
    let params = learner.model().params().iter();
    params.map(|(name, p)| (name.to_string(), bits(p.var.flatten_all().unwrap().to_vec1().unwrap()))).collect()
}

/// Every file below a folder but the cache, with its hash.
fn files_below(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in files::sorted_dir(folder).unwrap() {
        if path.file_name().unwrap() == "cache" {
            continue;
        }
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push((path.display().to_string(), files::sha256_file(&path).unwrap()));
        }
    }
    found
}

fn quiet(_: Sweeping) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn fit(learner: &mut Learner, phase: &Phase) {
    learner.fit_with(phase, &mut |_| ControlFlow::Continue(())).unwrap();
}

/// A loss that falls where the learning rate reaches `10^-shift`, then grows, with a ripple.
fn made_up(planned: usize, shift: f64) -> LrFind {
    let step = |i: usize| {
        let learning_rate = 1e-7 * 1e8f64.powf(i as f64 / (planned - 1) as f64);
        let x = learning_rate.log10();
        let loss = 1.6 - 1.2 / (1.0 + (-2.5 * (x + shift)).exp())
            + 10f64.powf(1.5 * (x - 0.3))
            + 0.004 * (40.0 * i as f64).sin();
        LrStep { learning_rate, loss, smoothed: loss }
    };
    let steps = (0..planned).map(step).collect();
    LrFind { phase: "head".into(), current: 1e-3, planned, steps, ended: SweepEnd::AllSteps }
}

/// `valley`, `steep` and `minimum` of fastai/callback/schedule.py on the same losses:
/// ```python
/// lrs = torch.tensor([1e-7 * 1e8 ** (i / (steps - 1)) for i in range(steps)], dtype=torch.float64)
/// x = lrs.log10()
/// losses = (1.6 - 1.2 / (1 + torch.exp(-2.5 * (x + shift))) + 10 ** (1.5 * (x - 0.3))
///           + 0.004 * torch.sin(40.0 * torch.arange(steps, dtype=torch.float64)))
/// a, b = lrs[steps // 10:-5], losses[steps // 10:-5]
/// print([f(a, b, steps)[0] for f in (valley, steep, minimum)])
/// ```
#[test]
fn suggestions_are_those_of_fastai() {
    for (steps, shift, expected) in [
        (100, 3.0, [0.0010974987654930567, 0.0010974987654930567, 0.007924828983539169]),
        (100, 1.5, [0.004862601580065354, 0.037649358067924715, 0.03511191734215134]),
        (60, 4.0, [0.00013141473626117567, 0.00013141473626117567, 0.002652948464431895]),
    ] {
        let suggested = made_up(steps, shift).suggestion().unwrap();
        let got = [suggested.valley, suggested.steepest, suggested.tenth_of_lowest];
        for (got, expected) in got.iter().zip(expected) {
            assert!((got / expected - 1.0).abs() < 1e-9, "{steps} {shift}: {got} {expected}");
        }
    }
    let mut short = made_up(100, 3.0);
    short.steps.truncate(15);
    assert_eq!(short.suggestion(), None, "too few steps to tell");
    assert!(short.text().contains("no learning rate to suggest"), "{}", short.text());
    short.steps.clear();
    assert!(short.text().contains("there is no curve"), "{}", short.text());
}

#[test]
fn nothing_of_it_stays_in_the_model_or_on_the_disk() {
    let config = small();
    let folder = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let (before, on_disk) = (numbers(&learner), files_below(folder.path()));
    let found = learner.lr_find_with(&Phase::head(&config), &Sweep::default(), &mut quiet).unwrap();
    assert!(found.steps.len() > 50 && found.suggestion().is_some(), "{found:?}");
    // It did train: the loss fell.
    assert!(found.fall() > 0.2, "the loss fell by {}", found.fall());
    assert!(numbers(&learner) == before);
    assert_eq!(files_below(folder.path()), on_disk);

    fit(&mut learner, &Phase::head(&config));
    let (before, on_disk) = (numbers(&learner), files_below(folder.path()));
    for phase in [Phase::head(&config), Phase::upper(&config)] {
        let sweep = Sweep { steps: 20, ..Sweep::default() };
        learner.lr_find_with(&phase, &sweep, &mut quiet).unwrap();
        assert!(numbers(&learner) == before, "{}", phase.name);
        assert_eq!(files_below(folder.path()), on_disk, "{}", phase.name);
    }
    fit(&mut learner, &Phase::upper(&config));

    // A training without any test in between ends with the same bytes.
    let plain = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(plain.path(), &config);
    let mut other = Learner::new(&project, &splits, &config).unwrap();
    fit(&mut other, &Phase::head(&config));
    fit(&mut other, &Phase::upper(&config));
    assert!(numbers(&other) == numbers(&learner));
    let model_file = |learner: &Learner| files::sha256_file(&learner.run().best()).unwrap();
    assert_eq!(model_file(&other), model_file(&learner));
}

#[test]
fn one_thread_or_two_and_cached_or_not_give_the_same_curve() {
    let folder = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(folder.path(), &small());
    let sweep = Sweep { steps: 25, ..Sweep::default() };
    let find = |config: &Config| {
        let learner = Learner::new(&project, &splits, config).unwrap();
        learner.lr_find_with(&Phase::head(config), &sweep, &mut quiet).unwrap()
    };
    // In the second, a photo is alone in its batch, and its last maps are of one pixel: products of a single row.
    let alone = Config { image_size: 32, batch_size: splits.train.samples.len() - 1, ..small() };
    for config in [small(), alone] {
        let two = find(&config);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one.install(|| find(&config)), two);
        assert_eq!(find(&Config { cache: false, ..config.clone() }), two);
    }
}

#[test]
fn a_loss_that_explodes_ends_the_test_and_leaves_the_weights() {
    let config = small();
    let folder = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(folder.path(), &config);
    let learner = Learner::new(&project, &splits, &config).unwrap();
    let before = numbers(&learner);
    let find = |from, to| {
        let sweep = Sweep { from, to, steps: 40 };
        learner.lr_find_with(&Phase::head(&config), &sweep, &mut quiet).unwrap()
    };
    let grew = find(1e-4, 1000.0);
    assert_eq!(grew.ended, SweepEnd::Grew);
    assert!(grew.steps.len() < 40 && grew.text().contains("four times its lowest"), "{}", grew.text());
    // Weights beyond what f32 can hold from the first step on.
    let burst = find(1e30, 1e38);
    assert_eq!(burst.ended, SweepEnd::NotFinite);
    assert!(burst.steps.iter().all(|step| step.loss.is_finite()) && burst.suggestion().is_none());
    assert!(burst.text().contains("no longer finite"), "{}", burst.text());
    assert!(numbers(&learner) == before);
    learner.model().params().iter().for_each(|(name, param)| {
        let values: Vec<f32> = param.var.flatten_all().unwrap().to_vec1().unwrap();
        assert!(values.iter().all(|value| value.is_finite()), "{name}");
    });
}

#[test]
fn a_stop_and_a_wrong_sweep_are_answered() {
    let config = small();
    let folder = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(folder.path(), &config);
    let learner = Learner::new(&project, &splits, &config).unwrap();
    let before = numbers(&learner);
    let phase = Phase::head(&config);
    let stop_after = |steps: usize| {
        let mut observe = |event: Sweeping| match event {
            Sweeping::Step { done, .. } if done == steps => ControlFlow::Break(()),
            Sweeping::Caching { .. } if steps == 0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        learner.lr_find_with(&phase, &Sweep::default(), &mut observe).unwrap()
    };
    // While the frozen layers are computed, then among the steps.
    for steps in [0, 7] {
        let found = stop_after(steps);
        assert_eq!((found.ended, found.steps.len()), (SweepEnd::Stopped, steps));
        assert!(found.text().contains("a stop was asked for"), "{}", found.text());
        assert!(numbers(&learner) == before);
    }
    for sweep in [
        Sweep { from: 0.0, ..Sweep::default() },
        Sweep { from: 1.0, to: 0.1, ..Sweep::default() },
        Sweep { to: f64::INFINITY, ..Sweep::default() },
        Sweep { from: f64::NAN, ..Sweep::default() },
        Sweep { steps: 3, ..Sweep::default() },
    ] {
        let error = learner.lr_find_with(&phase, &sweep, &mut quiet).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{sweep:?}");
    }
}

#[test]
fn a_run_that_is_being_trained_is_not_disturbed() {
    let config = small();
    let folder = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(folder.path(), &config);
    let learner = Learner::new(&project, &splits, &config).unwrap();
    let _training = learner.run().lock().unwrap();
    files::write_bytes(&learner.run().stop_file(), b"").unwrap();
    let error = learner.lr_find_with(&Phase::head(&config), &Sweep::default(), &mut quiet).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(learner.run().stop_file().exists(), "the request to stop is the training's");
}

#[test]
fn the_curve_shows_the_fall_and_the_suggestion() {
    let found = made_up(100, 3.0);
    let text = found.text();
    for words in ["suggested learning rate for phase head: 1.1e-3", "Smith 2015", "steepest fall", "100 of 100 steps"] {
        assert!(text.contains(words) && found.html().contains(words), "{words}: {text}");
    }
    let figure = found.curve().unwrap();
    assert!(figure.text().contains("suggested: 1.1e-3"), "{}", figure.text());
    let picture = petal::pixels::decode(figure.png(), &Default::default()).unwrap();
    let near = |[r, g, b]: [u8; 3]| {
        let is = |p: &&[u8]| p[0].abs_diff(r) < 8 && p[1].abs_diff(g) < 8 && p[2].abs_diff(b) < 8;
        picture.data.chunks_exact(3).filter(is).count()
    };
    assert!(near([0, 114, 178]) > 1000, "the smoothed loss");
    assert!(near([213, 94, 0]) > 200, "the suggestion");
    assert!(near([110, 110, 110]) > 200, "the present rate and the axes");
    // The loss at the end is above the picture: nothing is drawn over its edge.
    let row = |y: usize| &picture.data[y * picture.width * 3..][..picture.width * 3];
    assert!(row(0).iter().chain(row(picture.height - 1)).all(|value| *value == 255));
}

#[test]
fn a_curve_that_hardly_falls_is_said_to_say_little() {
    assert!(made_up(100, 3.0).fall() > 0.5 && !made_up(100, 3.0).text().contains("says little"));
    let mut flat = made_up(100, 3.0);
    for (index, step) in flat.steps.iter_mut().enumerate() {
        // A network that has learned: the loss wanders, then grows.
        let grown = if index > 80 { 0.01 * (index - 80) as f64 } else { 0.0 };
        step.smoothed = 0.05 + 0.002 * (index as f64 * 0.7).sin() + grown;
    }
    assert!(flat.fall() < 0.15, "{}", flat.fall());
    assert!(flat.text().contains("says little") && flat.suggestion().is_some(), "{}", flat.text());
}
