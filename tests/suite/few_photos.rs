//! Few photos get as many steps as a recipe asks for, and a phase shows its photos in the size that it is given.

use std::ops::ControlFlow;

use petal::ErrorKind;
use petal::config::{Config, Layers, PhaseConfig, Schedule};
use petal::learner::Learner;
use petal::train::{Ended, Event, Phase};

use crate::support::{flowers, small};

#[test]
fn few_photos_have_as_many_steps_as_the_settings_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let fine_tune = PhaseConfig { least_steps: 24, schedule: Schedule::Cosine, ..PhaseConfig::new(2, 1, 1e-4) };
    let config = Config { image_size: 32, head: PhaseConfig::new(1, 1, 1e-3), fine_tune, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let steps = splits.train.samples.len().div_ceil(config.batch_size);
    let expected = 24usize.div_ceil(steps);
    assert!(expected > 2, "{steps} steps an epoch");
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    // Patience is in the same proportion: half of the epochs.
    let upper = learner.upper();
    assert_eq!((upper.epochs, upper.patience), (expected, expected.div_ceil(2)));
    for phase in learner.phases() {
        learner.fit_with(&phase, &mut |_| ControlFlow::Continue(())).unwrap();
    }
    // What was trained is what the run's settings say, which any number of photos leaves as they are.
    let recorded = learner.run().record().unwrap().config;
    assert_eq!((recorded.fine_tune.epochs, recorded.fine_tune.least_steps), (expected, 0));
    let mut again = Learner::new(&project, &splits, &recorded).unwrap();
    assert_eq!(again.run().folder, learner.run().folder);
    let fitted = again.fit_with(&again.upper(), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(fitted.ended, Ended::Before);
    // Who gives a number of epochs gets it.
    let given = config.with(&["fine_tune.epochs=2"]).unwrap();
    assert_eq!(Learner::new(&project, &splits, &given).unwrap().upper().epochs, 2);
    let given = config.with(&["fine_tune.patience=2"]).unwrap();
    assert_eq!(Learner::new(&project, &splits, &given).unwrap().upper().epochs, expected);
}

#[test]
fn a_phase_shows_its_photos_in_the_size_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let tuned = |layers, size| PhaseConfig { layers, size, ..PhaseConfig::new(1, 9, 1e-3) };
    let config = |fine_tune| Config { head: PhaseConfig::new(1, 9, 1e-3), fine_tune, ..small() };
    let (project, splits) = flowers(folder.path(), &config(tuned(Layers::All, 0)));
    let trained = |layers, size| {
        let config = config(tuned(layers, size));
        let mut learner = Learner::new(&project, &splits, &config).unwrap();
        for phase in learner.phases() {
            learner.fit_with(&phase, &mut |_| ControlFlow::Continue(())).unwrap();
        }
        assert_eq!(learner.info().preprocess.size, 64, "the network itself has the size of the settings");
        learner.history().unwrap().epochs
    };
    for layers in [Layers::Upper, Layers::All] {
        let (own, same, smaller) = (trained(layers, 0), trained(layers, 64), trained(layers, 40));
        assert_eq!((own[1].train_loss, own[1].val_loss), (same[1].train_loss, same[1].val_loss));
        assert_ne!(own[1].train_loss, smaller[1].train_loss);
        assert_eq!(own[0], smaller[0], "the head's phase is the same one");
        // Validation photos have the network's size: with steps too small to change anything, the loss is the head's.
        let still = PhaseConfig { learning_rate: 1e-12, ..tuned(layers, 40) };
        let mut learner = Learner::new(&project, &splits, &config(still)).unwrap();
        for phase in learner.phases() {
            learner.fit_with(&phase, &mut |_| ControlFlow::Continue(())).unwrap();
        }
        let epochs = learner.history().unwrap().epochs;
        assert!((epochs[1].val_loss - epochs[0].val_loss).abs() < 1e-4, "{epochs:?}");
    }

    let baseline = Config { baseline: PhaseConfig { size: 40, ..PhaseConfig::new(1, 9, 1e-3) }, ..small() };
    let mut learner = Learner::baseline(&project, &splits, &baseline).unwrap();
    let mut epochs = 0;
    let error = learner
        .fit_with(&Phase::baseline(&baseline), &mut |event| {
            epochs += usize::from(matches!(event, Event::Epoch { .. }));
            ControlFlow::Continue(())
        })
        .unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.what().contains("size of phase baseline is 40"), "{error}");
    assert_eq!(epochs, 0);
}
