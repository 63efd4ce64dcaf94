//! A split whose originals are gone is drawn anew from the photos that it holds.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use petal::data::{Decision, Decisions, Split, Splits, manifest};
use petal::{Purpose, Seed, files};

use super::{contents, petal, photos, refused, well};
use crate::data::{picture, project, seeded, write_picture};
use crate::support::{again, wait_for};

/// The part of each photo by its content.
fn parts(splits: &Splits) -> BTreeMap<String, Split> {
    let of = |split: Split| splits.get(split).hashes.iter().map(move |hash| (hash.clone(), split)).collect::<Vec<_>>();
    Split::ALL.into_iter().flat_map(of).collect()
}

#[test]
fn f57_it_holds_the_same_photos_in_other_parts_and_the_same_seed_gives_the_same_split() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(&root.join("p"), 12, 0);
    // Nested ones, and two of one name.
    write_picture(&root.join("p/cat/more/000.jpg"), &picture(500));
    well(root, &["split-dataset", "--photos", "p"]);
    let (first, all) = (parts(&Splits::open(&root.join("data")).unwrap()), contents(root));
    let manifest = fs::read(root.join("data/manifest.csv")).unwrap();
    fs::remove_dir_all(root.join("p")).unwrap();

    let said = well(root, &["split-dataset", "--redraw", "--seed", "7"]);
    assert!(said.contains("Split"), "{said}");
    let second = parts(&Splits::open(&root.join("data")).unwrap());
    assert!(second != first && second.keys().eq(first.keys()));
    assert_eq!(contents(root), all);
    assert_eq!(contents(&root.join("data")).len(), 25, "and none is kept twice");
    // As if it had been split so in the first place: the same seed gives the same manifest.
    well(root, &["split-dataset", "--redraw", "--seed", "42"]);
    assert_eq!(fs::read(root.join("data/manifest.csv")).unwrap(), manifest);
    assert_eq!(contents(root), all);
    refused(root, &["split-dataset", "--redraw", "--data", "nothing"], &["no split yet"]);
}

#[test]
fn f57_decisions_are_honoured_and_no_photo_takes_anothers_place() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(&root.join("p"), 12, 0);
    well(root, &["split-dataset", "--photos", "p"]);
    let hash = |name: &str| files::sha256_file(&root.join("p").join(name)).unwrap();
    let decide = |name: &str, decision| (name.to_string(), hash(name), decision);
    let decisions = [
        decide("cat/003.jpg", Decision::Relabel("dog".into())),
        decide("dog/003.jpg", Decision::Relabel("cat".into())),
    ];
    Decisions::add(&root.join("data"), decisions).unwrap();
    well(root, &["split-dataset", "--photos", "p"]);
    let all = contents(root);
    fs::remove_dir_all(root.join("p")).unwrap();
    let project = project(root);
    for seed in 0..6 {
        let splits = Splits::open(&project.data).unwrap().redraw(&project, &seeded(seed)).unwrap();
        assert_eq!(contents(&project.data), all, "seed {seed}");
        let rows = manifest::read(&project.data.join("manifest.csv")).unwrap();
        let class = |photo: &str| rows.iter().find(|row| row.photo == photo).unwrap().class.clone();
        assert_eq!((class("cat/003.jpg"), class("dog/003.jpg")), ("dog".into(), "cat".into()));
        assert_eq!(splits.train.samples.len() + splits.val.samples.len() + splits.test.samples.len(), 24);
    }
}

const CHILD: &str = "PETAL_TEST_REDRAW";

/// Killed at any moment, every photo is there, and the next call finds a whole split or makes one.
#[test]
fn f57_killed_half_way_it_loses_no_photo() {
    if let Some(root) = std::env::var_os(CHILD) {
        let project = project(root.as_ref());
        for seed in 0.. {
            let splits = Splits::open(&project.data).unwrap().redraw(&project, &seeded(seed));
            splits.unwrap();
            if seed == 0 {
                fs::write(project.root.join("begun"), b"").unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(&root.join("p"), 30, 0);
    well(root, &["split-dataset", "--photos", "p"]);
    fs::remove_dir_all(root.join("p")).unwrap();
    let all = contents(root);
    assert_eq!(all.len(), 60);
    let mut moments = Seed(11).stream(Purpose::Shuffle, 0, 0);
    let (mut unfinished, mut replaced) = (0, 0);
    // Until enough of them have come in the middle of a split.
    for kill in 0.. {
        if kill >= 40 && unfinished + replaced >= 5 {
            break;
        }
        assert!(kill < 400, "only {unfinished} and {replaced} kills came in the middle of a split");
        let _ = fs::remove_file(root.join("begun"));
        let test = "own_photos::redraw::f57_killed_half_way_it_loses_no_photo";
        let mut process =
            again(test, CHILD, root).env("RAYON_NUM_THREADS", "1").stdout(std::process::Stdio::null()).spawn().unwrap();
        wait_for("the first split", || root.join("begun").exists() || process.try_wait().unwrap().is_some());
        sleep(Duration::from_secs_f64(moments.range(0.0, 0.12)));
        process.kill().unwrap();
        process.wait().unwrap();
        unfinished += usize::from(root.join("data/manifest.unfinished.csv").exists());
        replaced += usize::from(root.join("data/manifest.replaced.csv").exists());
        assert_eq!(contents(root), all, "kill {kill}");
        let splits = Splits::open(&root.join("data")).unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        assert_eq!(parts(&splits).len(), 60, "kill {kill}");
    }
    // What the last one has left is put right.
    let said = petal(root, &["split-dataset", "--redraw", "--seed", "9"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let left = crate::data::names(&root.join("data"));
    assert_eq!(left.len(), 62, "{left:?}");
    assert_eq!(contents(root), all);
}
