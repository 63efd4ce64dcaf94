//! The cache is bounded: only what will be read is kept, and what was not used for longest makes room, as does what a killed process left.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;

use petal::Seed;
use petal::config::{Config, PhaseConfig};
use petal::data::Split;
use petal::learner::Learner;
use petal::models::Cut;
use petal::train::cache::FrozenPart;
use petal::train::{Cache, Event, Evicted, Phase};

use super::{content, missing, prepare};
use crate::support::{flowers, small};

#[test]
fn files_that_were_not_used_for_longest_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let of = |seed, cache_limit| Config { seed, cache_limit, ..small() };
    let (project, splits) = flowers(folder.path(), &of(1, 1.0));
    let prepare = |seed, limit| {
        let config = of(seed, limit);
        let before = content(&project);
        let room = prepare(&project, &splits, &config, &Phase::head(&config));
        let after = content(&project);
        let new: Vec<String> = after.keys().filter(|name| !before.contains_key(*name)).cloned().collect();
        let gone: Vec<String> = before.keys().filter(|name| !after.contains_key(*name)).cloned().collect();
        // What went is said.
        let bytes = gone.iter().map(|name| before[name]).sum();
        assert_eq!(room.map_or(Evicted::default(), |room| room.evicted), Evicted { files: gone.len(), bytes });
        (new, gone)
    };
    let (first, _) = prepare(1, 1.0);
    let (second, _) = prepare(2, 1.0);
    // The validation photos are seen the same under each seed.
    assert_eq!((first.len(), second.len()), (3, 2));
    assert_eq!(prepare(1, 1.0), (vec![], vec![]), "used again");

    // A little less room than for all of them: of the second one's views one goes, though they are the younger files.
    let all = content(&project).values().sum::<u64>() + second.iter().map(|name| content(&project)[name]).sum::<u64>();
    let (third, gone) = prepare(3, (all - 5000) as f64 / 1e9);
    assert!(third.len() == 2 && gone.len() == 1 && second.contains(&gone[0]), "{gone:?}");
    let left: BTreeSet<String> = content(&project).into_keys().collect();
    assert!(first.iter().chain(&third).all(|name| left.contains(name)));

    // With no room at all everything goes but what this training itself reads, and is written.
    let (new, gone) = prepare(4, 0.0);
    assert_eq!((new.len(), gone.len(), content(&project).len()), (2, 5, 3));
    assert!(content(&project).keys().any(|name| first.contains(name)), "the validation photos'");
    // A limit removes nothing where nothing is to be written.
    assert_eq!(prepare(4, 0.0), (vec![], vec![]));
}

#[test]
fn what_a_killed_process_left_goes_and_what_is_being_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let cache = Cache::folder(&project);
    fs::create_dir_all(&cache).unwrap();
    let [left, living] = ["0", "1"].map(|digit| cache.join(format!(".{}.bin.tmp", digit.repeat(64))));
    fs::write(&left, "half of a file").unwrap();
    fs::write(&living, "it grows").unwrap();
    let writer = fs::File::open(&living).unwrap();
    writer.lock().unwrap();
    let room = prepare(&project, &splits, &config, &Phase::head(&config)).unwrap();
    assert_eq!(room.evicted, Evicted { files: 1, bytes: 14 });
    assert!(!left.exists() && living.exists());
    let cleared = Cache::open(&project).unwrap().clear().unwrap();
    assert!(cleared.files == 3 && living.exists());
    assert!(Cache::open(&project).unwrap().text().contains("unfinished"));
    drop(writer);
    assert_eq!(Cache::open(&project).unwrap().clear().unwrap(), Evicted { files: 1, bytes: 8 });
}

#[test]
fn only_views_that_will_be_read_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let epochs = |epochs| PhaseConfig::new(epochs, 9, 1e-4);
    // Epoch 1 sees the first view, epoch 2 the second.
    let config = Config { head: epochs(1), fine_tune: epochs(1), ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut computed = Vec::new();
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    for phase in [Phase::head(&config), Phase::upper(&config)] {
        let mut look = |event: &Event| {
            if let Event::Caching { done, total } = event
                && done == total
            {
                computed.push(*total);
            }
            ControlFlow::Continue(())
        };
        learner.fit_with(&phase, &mut look).unwrap();
    }
    let photos = splits.train.samples.len() + splits.val.samples.len();
    assert_eq!((computed, content(&project).len()), (vec![photos, photos], 4));
    // Two epochs read both: one more file than the one epoch's.
    let both = Config { fine_tune: epochs(2), ..config };
    assert_eq!(missing(&project, &splits, &both, &Phase::upper(&both)), 1);
    let keys = FrozenPart::of(learner.model(), Cut::Upper).unwrap();
    let loader = learner.loader(Split::Train).augmented(both.augment, Seed(both.seed));
    for view in [0, 1] {
        assert!(content(&project).contains_key(&keys.key(&loader, view).file_name()), "view {view}");
    }
}
