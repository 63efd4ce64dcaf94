//! F44–F46: batches, settings and memory at their limits.

use std::fs;

use petal::config::{Config, PhaseConfig};
use petal::learner::Learner;
use petal::models::Cut;
use petal::project::Machine;
use petal::train::preflight::Needs;
use petal::train::{Ended, Event, Phase};
use petal::{ErrorKind, files};

use super::diverged::values;
use super::{ON, names, petal};
use crate::support::{flowers, small, small_for};
use crate::training::bytes_of;

#[test]
fn f44_batches_of_one_photo_train_and_leave_the_running_statistics_alone() {
    let folder = tempfile::tempdir().unwrap();
    // Fifty photos in batches of seven: the last is of one. Then all of one.
    for batch_size in [7, 1] {
        let config = Config { batch_size, ..small_for(1, 1, 1) };
        let (project, splits) = flowers(folder.path(), &config);
        assert_eq!(splits.train.samples.len() % batch_size, usize::from(batch_size == 7));
        let mut learner = Learner::new(&project, &splits, &config).unwrap();
        let buffers = |learner: &Learner| -> Vec<_> {
            let params = learner.model().params().iter();
            params.filter(|(_, param)| param.buffer).map(|(name, _)| values(learner.model(), name)).collect()
        };
        let before = buffers(&learner);
        for phase in [Phase::head(&config), Phase::upper(&config)] {
            learner.fit_with(&phase, &mut |_| ON).unwrap();
        }
        assert!(before.len() > 50 && buffers(&learner) == before, "batch norm's statistics moved");
        let history = learner.history().unwrap();
        assert!(history.epochs.len() == 2 && history.epochs.iter().all(|epoch| epoch.val_loss.is_finite()));
    }
}

#[test]
fn f45_settings_at_their_limits_are_refused_or_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let none = PhaseConfig { epochs: 0, ..small().fine_tune };
    let config =
        Config { head: PhaseConfig { epochs: 1, ..small().head }, fine_tune: none, batch_size: 4096, ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let zero = PhaseConfig { patience: 0, ..config.head };
    let error = Config { head: zero, ..config.clone() }.check().unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.what().contains("head.patience is 0"), "{error}");

    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let error = learner.fit_with(&Phase::new("mine", Cut::Features, zero), &mut |_| ON).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.what().contains("mine.patience is 0"), "{error}");
    // A phase of no epochs is left out; nothing of it is written.
    let fitted = learner.fit_with(&Phase::new("mine", Cut::Features, none), &mut |_| panic!("no event")).unwrap();
    assert!(matches!(fitted.ended, Ended::Finished(_)) && fitted.history.epochs.is_empty());
    assert!(names(&project.models).is_empty(), "{:?}", names(&project.models));

    // A batch that is larger than the data set is one step.
    let mut steps = Vec::new();
    let mut look = |event: &Event| {
        steps.extend(match event {
            Event::Step { done, total, .. } => Some((*done, *total)),
            _ => None,
        });
        ON
    };
    learner.fit_with(&Phase::head(&config), &mut look).unwrap();
    assert_eq!(steps, [(50, 50)]);
    let before = bytes_of(&learner);
    learner.fit_with(&Phase::upper(&config), &mut |_| panic!("no event")).unwrap();
    assert_eq!(learner.history().unwrap().epochs.len(), 1);

    // No threads are as many as there are cores.
    fs::write(folder.path().join("petal.toml"), config.to_toml()).unwrap();
    let output = petal(folder.path(), &["train", "--config", "petal.toml", "--run", "zero", "--json"])
        .env("RAYON_NUM_THREADS", "0")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(files::read(&project.models.join("runs/zero/best.safetensors")).unwrap() == before);
}

#[test]
fn f46_too_little_memory_is_told_before_it_is_asked_for_with_a_batch_that_fits() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { image_size: 1024, batch_size: 4096, ..small() };
    let (project, mut splits) = flowers(folder.path(), &config);
    // As many photos as one batch takes.
    splits.train.samples = (0..100).flat_map(|_| splits.train.samples.to_vec()).collect();
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let all = Phase::new("all layers", Cut::Images, config.baseline);
    let error = learner.fit_with(&all, &mut |_| panic!("training began")).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Memory, Some(learner.run().folder.as_path())));
    assert!(error.what().contains("training needs about "), "{error}");
    assert!(names(&project.models).is_empty(), "{:?}", names(&project.models));

    // The batch that it names does fit.
    let machine = Machine { threads: 2, memory: 16 << 30, memory_free: 8 << 30, disk_free: 1 << 40 };
    let needs = |config: &Config| Needs::of(learner.model(), Cut::Images, config, 5000).unwrap();
    let error = needs(&config).check(&machine).unwrap_err();
    let mend = error.how_to_mend().unwrap();
    let fits: usize = mend.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(mend, format!("set batch_size to {fits} (it is 4096)"));
    needs(&Config { batch_size: fits, ..config.clone() }).check(&machine).unwrap();
    needs(&Config { batch_size: fits + 1, ..config }).check(&machine).unwrap_err();
}
