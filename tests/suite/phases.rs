//! What a phase computes is its identity: a changed cell trains, the same one is found, and nothing of either is lost.

use std::ops::ControlFlow;
use std::path::PathBuf;

use petal::config::{Config, PhaseConfig};
use petal::data::{Split, Splits};
use petal::learner::{Fitted, Kind, Learner};
use petal::models::Cut;
use petal::project::Project;
use petal::train::{Ended, Event, Phase, Runs, Standing};
use petal::{ErrorKind, files};

use crate::support::{flowers, small_for};
use crate::training::{bytes_of, numbers};

fn fit(learner: &mut Learner, phase: &Phase) -> Fitted {
    learner.fit_with(phase, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Small pictures, two epochs of each phase.
fn settings() -> Config {
    Config { image_size: 32, ..small_for(2, 2, 2) }
}

fn open(project: &Project, splits: &Splits, config: &Config) -> Learner {
    Learner::new(project, splits, config).unwrap()
}

fn folder(learner: &Learner) -> PathBuf {
    learner.run().folder.clone()
}

/// The bytes of every file that training reads or a person uses.
fn kept(folder: &std::path::Path) -> Vec<(PathBuf, Vec<u8>)> {
    let is_kept = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "safetensors" || ending == "csv");
    let files = files::sorted_dir(folder).unwrap().into_iter().filter(is_kept);
    files.map(|path| (path.clone(), files::read(&path).unwrap())).collect()
}

#[test]
fn f62_a_phase_with_another_rate_trains_anew_and_the_earlier_result_stays() {
    let temporary = tempfile::tempdir().unwrap();
    let config = settings();
    let (project, splits) = flowers(temporary.path(), &config);
    let mut learner = open(&project, &splits, &config);
    fit(&mut learner, &Phase::head(&config));
    let (first, before) = (folder(&learner), (bytes_of(&learner), numbers(&learner)));
    let files_before = kept(&first);

    // The cell is changed and run again.
    let changed = Phase { learning_rate: 3e-2, ..Phase::head(&config) };
    let fitted = fit(&mut learner, &changed);
    assert!(matches!(fitted.ended, Ended::Finished(_)));
    let note = fitted.note.clone().unwrap();
    for words in ["learning_rate was 0.001, is 0.03", "trains anew, from the beginning", first.to_str().unwrap()] {
        assert!(note.contains(words), "{words}: {note}");
    }
    assert!(fitted.text().contains("learning_rate was 0.001"), "{}", fitted.text());
    assert!(fitted.history.epochs.iter().all(|epoch| epoch.learning_rate == 3e-2) && fitted.history.epochs.len() == 2);
    let second = (folder(&learner), bytes_of(&learner), numbers(&learner));
    assert!(second.0 != first && second.1 != before.0);
    assert!(kept(&first) == files_before, "the earlier result was touched");

    // It has the numbers of a training that never knew another rate.
    let elsewhere = tempfile::tempdir().unwrap();
    let (project_alone, splits_alone) = flowers(elsewhere.path(), &config);
    let mut alone = open(&project_alone, &splits_alone, &config);
    fit(&mut alone, &changed);
    assert!((bytes_of(&alone), numbers(&alone)) == (second.1.clone(), second.2.clone()));

    // Each is found again, in this kernel and in another one; nothing is trained.
    let fitted = fit(&mut learner, &Phase::head(&config));
    assert_eq!((fitted.ended, folder(&learner)), (Ended::Before, first.clone()));
    assert!((bytes_of(&learner), numbers(&learner)) == before);
    let mut later = open(&project, &splits, &config);
    assert_eq!(folder(&later), first);
    let fitted = fit(&mut later, &changed);
    assert_eq!((fitted.ended, folder(&later)), (Ended::Before, second.0.clone()));
    // And so it is by the settings.
    let by_settings = Config { head: changed.settings(), ..config.clone() };
    assert_eq!(folder(&open(&project, &splits, &by_settings)), second.0);
    // What a run's folder says of its settings is what was trained.
    let runs = Runs::open(&project).unwrap();
    let rates =
        |folder: &PathBuf| runs.runs.iter().find(|run| run.folder == *folder).unwrap().config.head.learning_rate;
    assert_eq!((rates(&first), rates(&second.0)), (1e-3, 3e-2));
    assert_eq!(runs.differences()["head.learning_rate"].len(), 2);
}

#[test]
fn f62_a_changed_second_phase_begins_where_the_first_ended() {
    let temporary = tempfile::tempdir().unwrap();
    let config = settings();
    let (project, splits) = flowers(temporary.path(), &config);
    let mut learner = open(&project, &splits, &config);
    fit(&mut learner, &Phase::head(&config));
    // A rate that surely changes the upper layers, and with it the best epoch.
    let tuned = Phase { learning_rate: 5e-4, ..Phase::upper(&config) };
    fit(&mut learner, &tuned);
    let (first, before) = (folder(&learner), (bytes_of(&learner), numbers(&learner)));

    let fitted = fit(&mut learner, &Phase::upper(&config));
    assert!(fitted.note.as_ref().unwrap().contains("from the end of phase head"), "{:?}", fitted.note);
    assert_eq!(
        fitted.history.epochs.iter().map(|e| e.phase.as_str()).collect::<Vec<_>>(),
        ["head", "head", "fine-tune", "fine-tune"]
    );
    let second = (folder(&learner), bytes_of(&learner), numbers(&learner));
    assert_ne!(second.0, first);
    // Nothing of the other fine-tuning is in it: not in the upper layers either.
    let elsewhere = tempfile::tempdir().unwrap();
    let (project_alone, splits_alone) = flowers(elsewhere.path(), &config);
    let mut alone = open(&project_alone, &splits_alone, &config);
    fit(&mut alone, &Phase::head(&config));
    fit(&mut alone, &Phase::upper(&config));
    assert!((bytes_of(&alone), numbers(&alone)) == (second.1.clone(), second.2.clone()));
    let predictions = |learner: &Learner| {
        let found = learner.evaluate(Split::Val).unwrap().predictions;
        found.into_iter().map(|prediction| prediction.probabilities).collect::<Vec<_>>()
    };
    assert!(predictions(&learner) == predictions(&alone));

    // Back again: what is measured is the first one's model, with all of its layers.
    let fitted = fit(&mut learner, &tuned);
    assert_eq!((fitted.ended, folder(&learner)), (Ended::Before, first));
    assert!((bytes_of(&learner), numbers(&learner)) == before);
    let mut fresh = open(&project, &splits, &Config { fine_tune: tuned.settings(), ..config });
    fit(&mut fresh, &tuned);
    assert!(predictions(&learner) == predictions(&fresh));
}

#[test]
fn f62_more_epochs_or_patience_go_on_to_the_bytes_of_one_training() {
    let temporary = tempfile::tempdir().unwrap();
    let config = settings();
    let (project, splits) = flowers(temporary.path(), &config);
    let mut learner = open(&project, &splits, &config);
    let head = |epochs| Phase { epochs, ..Phase::head(&config) };
    fit(&mut learner, &head(2));
    let first = folder(&learner);
    let mut begun = Vec::new();
    let fitted = learner.fit_with(&head(4), &mut |event| {
        if let Event::Begin { epochs, .. } = event {
            begun.push(*epochs);
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(fitted.unwrap().ended, Ended::Finished(_)));
    assert_eq!((begun, folder(&learner)), (vec![2], first.clone()));
    let reason = ("head".to_string(), "all 4 epochs done".to_string());
    assert_eq!(learner.history().unwrap().ended, [reason]);

    let elsewhere = tempfile::tempdir().unwrap();
    let (project_alone, splits_alone) = flowers(elsewhere.path(), &config);
    let mut alone = open(&project_alone, &splits_alone, &config);
    fit(&mut alone, &head(4));
    assert!((bytes_of(&alone), numbers(&alone)) == (bytes_of(&learner), numbers(&learner)));

    // Fewer than were trained: found, and said.
    let fitted = fit(&mut learner, &head(3));
    assert_eq!(fitted.ended, Ended::Before);
    assert!(fitted.note.unwrap().contains("trained for 4 epochs before; 3 are asked for now"));

    // Once other phases were built on it, it goes on beside them: they keep their numbers.
    fit(&mut learner, &Phase::upper(&config));
    let (built, files_before) = (numbers(&learner), kept(&first));
    let fitted = fit(&mut learner, &head(6));
    assert!(fitted.note.unwrap().contains("goes on after epoch 4, for up to 6"));
    assert!(folder(&learner) != first && kept(&first) == files_before);
    fit(&mut alone, &head(6));
    assert!((bytes_of(&alone), numbers(&alone)) == (bytes_of(&learner), numbers(&learner)));
    fit(&mut learner, &Phase::upper(&config));
    fit(&mut alone, &Phase::upper(&config));
    assert!((bytes_of(&alone), numbers(&alone)) == (bytes_of(&learner), numbers(&learner)));
    // A new kernel finds whichever the settings say.
    let longer = Config { head: head(6).settings(), ..config.clone() };
    assert_eq!(folder(&open(&project, &splits, &longer)), folder(&learner));
    let shorter = open(&project, &splits, &Config { head: head(4).settings(), ..config.clone() });
    assert_eq!((folder(&shorter), numbers(&shorter)), (first, built));

    // Patience that ran out is no end for more of it.
    let impatient = Phase { patience: 1, epochs: 8, learning_rate: 0.3, ..Phase::head(&config) };
    let first = fit(&mut learner, &impatient).history;
    assert!(first.ended[0].1.contains("no better validation loss in 1 epochs"), "{:?}", first.ended);
    assert_eq!(fit(&mut learner, &impatient).ended, Ended::Before);
    let second = fit(&mut learner, &Phase { patience: 3, ..impatient }).history;
    assert!(second.epochs.len() > first.epochs.len());
}

#[test]
fn f62_a_phase_of_ones_own_that_trains_less_keeps_what_was_trained_before() {
    let temporary = tempfile::tempdir().unwrap();
    let config = settings();
    let (project, splits) = flowers(temporary.path(), &config);
    let mut learner = open(&project, &splits, &config);
    fit(&mut learner, &Phase::head(&config));
    fit(&mut learner, &Phase { learning_rate: 5e-4, ..Phase::upper(&config) });
    // The head once more, on the tuned layers.
    fit(&mut learner, &Phase::new("head again", Cut::Features, PhaseConfig { learning_rate: 5e-4, ..config.head }));
    let predictions = learner.evaluate(Split::Val).unwrap().predictions;
    let later = Learner::in_run(
        &project,
        &splits,
        &Config { fine_tune: PhaseConfig { learning_rate: 5e-4, ..config.fine_tune }, ..config.clone() },
        Kind::Transfer,
        None,
    );
    let later = later.unwrap();
    assert_eq!(folder(&later), folder(&learner));
    assert!(later.evaluate(Split::Val).unwrap().predictions == predictions);
    assert_eq!(later.history().unwrap().epochs.len(), 6);
}

#[test]
fn a_named_run_keeps_its_name_and_reset_forgets_one_run_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let config = settings();
    let (project, splits) = flowers(temporary.path(), &config);
    let open = |config: &Config| Learner::in_run(&project, &splits, config, Kind::Transfer, Some("mine")).unwrap();
    let mut learner = open(&config);
    fit(&mut learner, &Phase::head(&config));
    assert!(folder(&learner).ends_with("runs/mine"));
    let before = numbers(&learner);
    let changed = Config { head: PhaseConfig { learning_rate: 3e-3, ..config.head }, ..config.clone() };
    let mut other = open(&changed);
    fit(&mut other, &Phase::head(&changed));
    let name = folder(&other).file_name().unwrap().to_str().unwrap().to_string();
    assert!(name.starts_with("mine-") && name.len() == 13, "{name}");
    assert_eq!((numbers(&open(&config)), folder(&open(&changed))), (before.clone(), folder(&other)));

    // A reset trains anew, even what another run holds.
    let mut third = open(&config);
    fit(&mut third, &Phase::upper(&config));
    fit(&mut third, &Phase { learning_rate: 5e-4, ..Phase::upper(&config) });
    let mut first = open(&config);
    assert!(folder(&first).ends_with("runs/mine"));
    first.reset().unwrap();
    assert!(first.history().unwrap().epochs.is_empty());
    assert!(matches!(fit(&mut first, &Phase::head(&config)).ended, Ended::Finished(_)));
    assert!(folder(&first).ends_with("runs/mine") && numbers(&first) == before);
    assert!(!folder(&third).ends_with("runs/mine") && numbers(&third).len() == 4);
}

#[test]
fn f62_the_loop_itself_refuses_a_run_that_trained_another_phase_of_the_name() {
    let temporary = tempfile::tempdir().unwrap();
    let config = settings();
    let (project, splits) = flowers(temporary.path(), &config);
    let mut learner = open(&project, &splits, &config);
    fit(&mut learner, &Phase::head(&config));
    let changed = Phase { learning_rate: 3e-2, ..Phase::head(&config) };
    let progress = learner.run().progress().unwrap();
    assert_eq!(progress.standing(&changed), Standing::Other(vec!["learning_rate was 0.001, is 0.03".into()]));
    let preprocess = learner.info().preprocess;
    let loader = |split| petal::data::Loader::new(splits.get(split), preprocess, 8, &project.device);
    let job = petal::train::Job {
        model: learner.model(),
        info: learner.info(),
        train: &loader(Split::Train),
        val: &loader(Split::Val),
        phase: &changed,
        config: &config,
        run: learner.run(),
        cache: &project.models.join("cache"),
    };
    let error = petal::train::fit(&job, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint);
    assert!(error.what().contains("learning_rate was 0.001, is 0.03"), "{error}");
}

/// Checkpoints of the phases before are needed only where another phase starts from them.
#[test]
fn f62_where_the_end_of_a_phase_is_gone_it_is_said_and_trained_again() {
    let temporary = tempfile::tempdir().unwrap();
    let config = settings();
    let (project, splits) = flowers(temporary.path(), &config);
    let mut learner = open(&project, &splits, &config);
    fit(&mut learner, &Phase::head(&config));
    fit(&mut learner, &Phase::upper(&config));
    std::fs::remove_file(learner.run().end_of(0)).unwrap();
    let changed = Phase { learning_rate: 5e-4, ..Phase::upper(&config) };
    let error = learner.fit_with(&changed, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.what().contains("phase-1.safetensors, from which it would begin, is not there any more"), "{error}");
    assert!(error.how_to_mend().unwrap().contains("reset"), "{error}");
}
