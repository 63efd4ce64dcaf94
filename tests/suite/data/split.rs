//! Which photo goes into which part.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use petal::data::manifest::{self, Row};
use petal::data::{Dataset, Split, Splits, photo};
use petal::pixels::{encode_jpeg, encode_png, resize};
use petal::project::Project;
use petal::{Config, ErrorKind, files};

use super::{names, project, seeded, tree, write_photos, write_picture};

const CLASSES: [(&str, usize); 3] = [("daisy", 37), ("roses", 20), ("tulips", 10)];

/// A project beside its photos.
pub(super) fn begun(root: &Path) -> (Project, Dataset) {
    write_photos(&root.join("photos"), &CLASSES);
    (project(&root.join("project")), Dataset::folder(root.join("photos")).unwrap())
}

pub(super) fn rows(project: &Project) -> Vec<Row> {
    manifest::read(&project.data.join("manifest.csv")).unwrap()
}

/// The part of each photo, by `class/file`.
pub(super) fn parts(project: &Project) -> BTreeMap<String, Split> {
    rows(project).iter().map(|row| (row.name().to_string(), row.split)).collect()
}

pub(super) fn refused(result: petal::Result<Splits>, words: &[&str]) {
    let error = result.expect_err(words[0]);
    assert_eq!(error.kind(), ErrorKind::Dataset, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn each_class_has_its_share_of_each_part_and_the_manifest_tells_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    let splits = photos.split(&project, &Config::seed()).unwrap();
    assert_eq!(splits.classes[..], ["daisy", "roses", "tulips"]);
    assert_eq!(
        (splits.made_with.duplicates, splits.made_with.left_out.len(), splits.made_with.conflicts.len()),
        (0, 0, 0)
    );

    let text = fs::read_to_string(project.data.join("manifest.csv")).unwrap();
    assert!(text.starts_with("path,class,split,bytes,sha256,photo\ntrain/daisy/"), "{}", &text[..80]);
    let rows = rows(&project);
    assert_eq!(rows.len(), 67);
    for (target, (class, total)) in CLASSES.iter().enumerate() {
        for (split, fraction) in Split::ALL.into_iter().zip([0.8, 0.1, 0.1]) {
            let count = rows.iter().filter(|row| row.split == split && row.class == *class).count();
            let off = (count as f64 - fraction * *total as f64).abs();
            assert!(count > 0 && off < 1.0, "{count} of {class} in {split}");
            let subset = splits.get(split);
            assert_eq!(subset.samples.iter().filter(|sample| sample.target == target).count(), count);
        }
    }
    for row in &rows {
        let bytes = fs::read(row.file(&project.data)).unwrap();
        assert_eq!((row.bytes, &row.sha256), (bytes.len() as u64, &files::sha256(&bytes)));
        assert_eq!(bytes, fs::read(photos.root.join(row.name())).unwrap());
        assert_eq!(row.path, format!("{}/{}", row.split, row.name()));
    }
    assert_eq!(rows.iter().map(Row::name).collect::<BTreeSet<_>>().len(), 67);
    // And there is nothing else in the folders.
    let mut expected: Vec<_> = rows.iter().map(|row| row.path.clone()).collect();
    expected.extend(["manifest.csv", "split.json"].map(String::from));
    expected.sort();
    assert_eq!(names(&project.data), expected);
    // The photos themselves stay where they were.
    assert_eq!(tree(&photos.root).len(), 67);
}

#[test]
fn neither_the_order_in_which_files_were_made_nor_their_names_decide() {
    let folder = tempfile::tempdir().unwrap();
    let (first, photos) = begun(folder.path());
    photos.split(&first, &Config::seed()).unwrap();
    let manifest = fs::read(first.data.join("manifest.csv")).unwrap();

    // The same files, made in the opposite order.
    let again = folder.path().join("again");
    for (name, bytes) in tree(&photos.root).into_iter().rev() {
        files::write_bytes(&again.join(name), &bytes).unwrap();
    }
    let second = project(&folder.path().join("second"));
    Dataset::folder(&again).unwrap().split(&second, &Config::seed()).unwrap();
    assert_eq!(fs::read(second.data.join("manifest.csv")).unwrap(), manifest);

    // The same photos under other names.
    let renamed = folder.path().join("renamed");
    for (name, bytes) in tree(&photos.root) {
        let (class, file) = name.split_once('/').unwrap();
        let other = file.chars().rev().collect::<String>().replace("gpj.", "") + ".jpg";
        files::write_bytes(&renamed.join(class).join(other), &bytes).unwrap();
    }
    let third = project(&folder.path().join("third"));
    Dataset::folder(&renamed).unwrap().split(&third, &Config::seed()).unwrap();
    let content = |project: &Project| -> BTreeMap<String, Split> {
        rows(project).into_iter().map(|row| (row.sha256, row.split)).collect()
    };
    assert_eq!(content(&third), content(&first));
    assert_ne!(parts(&third), parts(&first));
}

#[test]
fn f22_copies_stay_together_even_resized_or_in_another_class() {
    let folder = tempfile::tempdir().unwrap();
    let (project, _) = begun(folder.path());
    let root = folder.path().join("photos");
    for index in 0..8 {
        let name = format!("{index:03}.jpg");
        let original = photo::read(&root.join("daisy").join(&name), &Default::default()).unwrap();
        // An exact copy, one encoded again, one resized, and a darker one of other colours, as PNG.
        fs::copy(root.join("daisy").join(&name), root.join(format!("daisy/copy {name}"))).unwrap();
        fs::write(root.join(format!("daisy/again {name}")), encode_jpeg(&original, 60).unwrap()).unwrap();
        let smaller = resize::fit(&original, 40).unwrap();
        write_picture(&root.join(format!("daisy/small {name}")), &smaller);
        let mut recoloured = original.clone();
        let dark = |(i, v): (usize, &mut u8)| *v = (f64::from(*v) * [0.8, 0.7, 0.5][i % 3]) as u8 + 20;
        recoloured.data.iter_mut().enumerate().for_each(dark);
        fs::write(root.join(format!("daisy/png {index:03}.png")), encode_png(&recoloured).unwrap()).unwrap();
    }
    fs::copy(root.join("roses/004.jpg"), root.join("tulips/a rose.jpg")).unwrap();
    let photos = Dataset::folder(&root).unwrap();
    // With any seed: by chance alone, 33 copies would not all stay with their originals.
    for seed in 0..4 {
        let splits = photos.resplit(&project, &seeded(seed)).unwrap();
        assert_eq!(splits.made_with.duplicates, 33);
        assert_eq!(splits.made_with.conflicts, [("roses/004.jpg".to_string(), "tulips/a rose.jpg".to_string())]);
        assert!(splits.text().contains("roses/004.jpg and tulips/a rose.jpg"), "{}", splits.text());
        let parts = parts(&project);
        for index in 0..8 {
            let original = parts[&format!("daisy/{index:03}.jpg")];
            for copy in ["copy", "again", "small"] {
                assert_eq!(parts[&format!("daisy/{copy} {index:03}.jpg")], original, "{copy} {index}, seed {seed}");
            }
            assert_eq!(parts[&format!("daisy/png {index:03}.png")], original);
        }
        assert_eq!(parts["tulips/a rose.jpg"], parts["roses/004.jpg"]);
        for (class, total) in [("daisy", 69.0), ("roses", 20.0), ("tulips", 11.0)] {
            let count =
                |split| rows(&project).iter().filter(|row| row.class == class && row.split == split).count() as f64;
            for (split, fraction) in [(Split::Val, 0.1), (Split::Test, 0.1), (Split::Train, 0.8)] {
                assert!((count(split) - fraction * total).abs() <= 1.0, "{class} {split} {}", count(split));
            }
        }
    }
}

#[test]
fn large_groups_leave_no_class_without_a_test() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("photos");
    write_photos(&root, &[("a", 3), ("b", 3)]);
    for class in ["a", "b"] {
        for index in 0..3 {
            fs::copy(
                root.join(class).join(format!("00{index}.jpg")),
                root.join(class).join(format!("copy {index}.jpg")),
            )
            .unwrap();
        }
    }
    let project = project(&folder.path().join("project"));
    Dataset::folder(&root).unwrap().split(&project, &Config::seed()).unwrap();
    for class in ["a", "b"] {
        for split in Split::ALL {
            assert_eq!(rows(&project).iter().filter(|row| row.class == class && row.split == split).count(), 2);
        }
    }
}
