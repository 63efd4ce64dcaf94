//! F58 and F60: the layouts that folders of photos come in, parts that are ready among them.

use std::fs;
use std::path::Path;

use petal::data::{Dataset, Reason, Split, Splits};
use petal::{Config, ErrorKind};

use super::photos;
use crate::data::{picture, project, seeded, write_picture};

/// Ready parts: so many photos of each class in each folder, each photo another one.
fn ready(root: &Path, parts: &[(&str, usize)]) {
    let mut number = 0;
    for (part, count) in parts {
        photos(&root.join(part), *count, number);
        number += 1000;
    }
}

/// How many photos are in each part.
pub(super) fn sizes(splits: &Splits) -> [usize; 3] {
    Split::ALL.map(|split| splits.get(split).samples.len())
}

#[test]
fn f58_parts_that_are_ready_are_taken_as_they_are() {
    for names in [["train", "val", "test"], ["Training", "validation", "testing"], ["train", "valid", "TEST"]] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("set");
        ready(&root, &[(names[0], 7), (names[1], 3), (names[2], 2)]);
        write_picture(&root.join(names[0]).join("loose.jpg"), &picture(9000));
        let project = project(&folder.path().join("project"));
        let dataset = Dataset::folder(&root).unwrap();
        assert!(dataset.is_split());
        let splits = dataset.split(&project, &Config::seed()).unwrap();
        assert_eq!(sizes(&splits), [14, 6, 4], "{names:?}");
        assert_eq!(splits.classes[..], ["cat", "dog"]);
        for split in Split::ALL {
            let part = names[split as usize];
            let own = splits.get(split).samples.iter().all(|sample| sample.name.starts_with(&format!("{part}/")));
            assert!(own, "{split}: {:?}", splits.get(split).samples);
        }
        assert_eq!(splits.made_with.left_out[&format!("{}/loose.jpg", names[0])].reason, Reason::NoClass);
        assert!(splits.text().contains("the set came split; its parts are taken as they were"), "{}", splits.text());
        // No seed decides anything here, and a second run changes nothing.
        dataset.split(&project, &seeded(7)).unwrap();
        // A photo that moves from one part to another is another split.
        fs::rename(root.join(names[0]).join("cat/000.jpg"), root.join(names[1]).join("cat/new.jpg")).unwrap();
        let error = Dataset::folder(&root).unwrap().split(&project, &Config::seed()).unwrap_err();
        assert!(error.what().contains("2 photos were added, removed or changed"), "{error}");
    }
}

#[test]
fn f58_parts_that_are_not_there_are_drawn_from_the_photos_to_train_on_and_leaks_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    ready(&root, &[("train", 20), ("test", 4)]);
    // The same photo to train on and to measure on.
    fs::copy(root.join("train/cat/003.jpg"), root.join("test/cat/again.jpg")).unwrap();
    let project = project(&folder.path().join("project"));
    let dataset = Dataset::folder(&root).unwrap();
    let splits = dataset.split(&project, &Config::seed()).unwrap();
    assert_eq!(sizes(&splits), [36, 4, 9]);
    assert!(splits.val.samples.iter().all(|sample| sample.name.starts_with("train/")));
    assert!(splits.test.samples.iter().all(|sample| sample.name.starts_with("test/")));
    let said = splits.text();
    for words in
        ["without val: drawn from the photos to train on", "leak: 1 pair", "train/cat/003.jpg and test/cat/again.jpg"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    dataset.split(&project, &Config::seed()).unwrap();
    // What is drawn, the seed draws.
    assert!(dataset.split(&project, &seeded(7)).unwrap_err().what().contains("seed 42"));
    let again = dataset.resplit(&project, &seeded(7)).unwrap();
    assert_ne!(again.val.sha256, splits.val.sha256);
    assert_eq!(again.test.sha256, splits.test.sha256);

    // Train and val alone, as hymenoptera_data comes.
    let root = folder.path().join("two");
    ready(&root, &[("train", 20), ("val", 5)]);
    let splits = Dataset::folder(&root).unwrap().resplit(&project, &Config::seed()).unwrap();
    assert_eq!(sizes(&splits), [36, 10, 4]);
    assert!(splits.text().contains("without test: drawn"), "{}", splits.text());
}

#[test]
fn f58_what_ready_parts_lack_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    ready(&root, &[("train", 6), ("val", 3), ("test", 3)]);
    fs::remove_dir_all(root.join("test/dog")).unwrap();
    let project = project(&folder.path().join("project"));
    let splits = Dataset::folder(&root).unwrap().split(&project, &Config::seed()).unwrap();
    assert!(
        splits.text().contains("1 class without a photo in test, so that nothing is measured of it there: dog"),
        "{}",
        splits.text()
    );
    write_picture(&root.join("test/fox/1.jpg"), &picture(1));
    let error = Dataset::folder(&root).unwrap_err();
    assert!(error.what().contains("class \"fox\" has no photos to train on"), "{error}");
    // Photos without class folders, as Kaggle packs them.
    let flat = folder.path().join("flat");
    for (number, part) in ["train", "test"].iter().enumerate() {
        write_picture(&flat.join(part).join("1.jpg"), &picture(number as u64));
    }
    let error = Dataset::folder(&flat).unwrap_err();
    assert!(error.what().contains("parts of a split") && error.how_to_mend().unwrap().contains("--labels"), "{error}");
    // Classes that are called like parts, among others, are classes.
    let vehicles = folder.path().join("vehicles");
    photos(&vehicles, 3, 0);
    fs::rename(vehicles.join("cat"), vehicles.join("train")).unwrap();
    assert_eq!(Dataset::folder(&vehicles).unwrap().classes[..], ["dog", "train"]);
}

#[test]
fn f60_two_spellings_of_one_class_are_refused_with_both_in_every_layout() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (a, b) in [("Cat", "cat"), ("Tulp\u{e9}", "Tulpe\u{301}"), ("ÄPFEL", "a\u{308}pfel")] {
        let at = |name: &str| root.join(format!("{a} {name}"));
        for (number, class) in [a, b].into_iter().enumerate() {
            for photo in 0..3 {
                let picture = picture((number * 10 + photo) as u64);
                write_picture(&at("folders").join(class).join(format!("{photo}.jpg")), &picture);
                let part = if number == 0 { "train" } else { "val" };
                write_picture(&at("parts").join(part).join(class).join(format!("{photo}.jpg")), &picture);
                write_picture(&at("table").join(format!("{number}{photo}.jpg")), &picture);
            }
        }
        if fs::read_dir(at("folders")).unwrap().count() == 2 {
            fs::write(at("table").join("t.csv"), format!("path,label\n00.jpg,{a}\n01.jpg,{a}\n10.jpg,{b}\n")).unwrap();
            let table = Dataset::labelled(at("table").join("t.csv"), at("table"));
            for error in [Dataset::folder(at("folders")), Dataset::folder(at("parts")), table].map(Result::unwrap_err) {
                assert_eq!(error.kind(), ErrorKind::Dataset);
                assert!(
                    error.what().contains(&format!("{a:?}")) && error.what().contains(&format!("{b:?}")),
                    "{error}"
                );
                assert!(error.path().is_some() && error.how_to_mend().is_some(), "{error}");
            }
        }
    }
}
