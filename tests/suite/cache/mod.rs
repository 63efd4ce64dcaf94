//! What frozen layers compute, on disk: a file is read only where it is what its name says.

mod keys;
mod room;
mod sharing;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use petal::config::Config;
use petal::data::Splits;
use petal::learner::Learner;
use petal::train::{Cache, Phase, Room, Sweep, Sweeping};
use petal::{Project, files};

use crate::support::{flowers, small};

/// Has a phase's cache files made, and no more. What was missing, if anything was.
fn prepare(project: &Project, splits: &Splits, config: &Config, phase: &Phase) -> Option<Room> {
    let learner = Learner::new(project, splits, config).unwrap();
    let mut missing = None;
    let mut look = |event: Sweeping| match event {
        Sweeping::Room(room) => {
            assert!(missing.replace(room).is_none(), "it is said once");
            ControlFlow::Continue(())
        }
        Sweeping::Caching { done, total } => {
            assert!(done <= total && missing.is_some(), "the size is said first");
            ControlFlow::Continue(())
        }
        Sweeping::Step { .. } => ControlFlow::Break(()),
    };
    learner.lr_find_with(phase, &Sweep::default(), &mut look).unwrap();
    missing
}

/// The cache's files by name, with their sizes.
fn content(project: &Project) -> BTreeMap<String, u64> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    Cache::open(project).unwrap().files.iter().map(|file| (name(&file.path), file.bytes)).collect()
}

/// How many files a phase's cache lacked.
fn missing(project: &Project, splits: &Splits, config: &Config, phase: &Phase) -> usize {
    let before = content(project);
    let room = prepare(project, splits, config, phase);
    let mut new = content(project);
    new.retain(|name, _| !before.contains_key(name));
    // What was said beforehand is what was written, but for the headers.
    let (needed, bytes) = (room.map_or(0, |room| room.needed), new.values().sum::<u64>());
    assert_ne!(room.is_some(), new.is_empty());
    assert!((needed..=needed + 2000 * new.len() as u64).contains(&bytes), "{needed} bytes said, {bytes} written");
    new.len()
}

#[test]
fn a_file_that_is_not_what_its_name_says_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let head = Phase::head(&config);
    prepare(&project, &splits, &config, &head);
    let files: Vec<PathBuf> = Cache::open(&project).unwrap().files.into_iter().map(|file| file.path).collect();
    let good = files.iter().map(|path| files::read(path).unwrap()).collect::<Vec<_>>();
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let flipped = |place: usize| {
        let mut bytes = good[0].clone();
        bytes[place] ^= 0x40;
        bytes
    };
    let cut = good[0][..good[0].len() - 1].to_vec();
    for (what, bad) in [
        ("another's content", good[1].clone()),
        ("one byte short", cut),
        ("the beginning of one", good[0][..100].to_vec()),
        ("nothing", Vec::new()),
        ("a lying length", flipped(7)),
        ("another key", flipped(40)),
    ] {
        fs::write(&files[0], &bad).unwrap();
        let error = learner.fit_with(&head, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert_eq!(error.path(), Some(files[0].as_path()), "{what}: {error}");
        assert!(error.how_to_mend().unwrap().contains("delete this file of the cache"), "{what}: {error}");
    }
    fs::remove_file(&files[0]).unwrap();
    learner.fit_with(&head, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(files::read(&files[0]).unwrap() == good[0]);
}
