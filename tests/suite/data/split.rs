//! Which photo goes where, and what a split leaves alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use petal::data::manifest::{self, Row};
use petal::data::{Dataset, Split, Splits, photo};
use petal::pixels::{encode_jpeg, encode_png, preprocess};
use petal::project::Project;
use petal::{Config, ErrorKind, files};

use super::{names, picture, project, seeded, tree, write_photos, write_picture};

const CLASSES: [(&str, usize); 3] = [("daisy", 37), ("roses", 20), ("tulips", 10)];

/// A project beside its photos.
fn begun(root: &Path) -> (Project, Dataset) {
    write_photos(&root.join("photos"), &CLASSES);
    (project(&root.join("project")), Dataset::folder(root.join("photos")).unwrap())
}

fn rows(project: &Project) -> Vec<Row> {
    manifest::read(&project.data.join("manifest.csv")).unwrap()
}

/// The part of each photo, by `class/file`.
fn parts(project: &Project) -> BTreeMap<String, Split> {
    rows(project).iter().map(|row| (row.name().to_string(), row.split)).collect()
}

fn refused(result: petal::Result<Splits>, words: &[&str]) {
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
    assert_eq!((splits.duplicates, splits.left_out.len(), splits.conflicts.len()), (0, 0, 0));

    let text = fs::read_to_string(project.data.join("manifest.csv")).unwrap();
    assert!(text.starts_with("path,class,split,bytes,sha256\ntrain/daisy/"), "{}", &text[..80]);
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
    expected.extend(["lock", "manifest.csv", "split.json"].map(String::from));
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
fn copies_stay_together_even_resized_or_in_another_class() {
    let folder = tempfile::tempdir().unwrap();
    let (project, _) = begun(folder.path());
    let root = folder.path().join("photos");
    for index in 0..8 {
        let name = format!("{index:03}.jpg");
        let original = photo::read(&root.join("daisy").join(&name)).unwrap();
        // An exact copy, one encoded again, one resized, and a darker one of other colours, as PNG.
        fs::copy(root.join("daisy").join(&name), root.join(format!("daisy/copy {name}"))).unwrap();
        fs::write(root.join(format!("daisy/again {name}")), encode_jpeg(&original, 60).unwrap()).unwrap();
        let smaller = preprocess::fit(&original, 40).unwrap();
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
        assert_eq!(splits.duplicates, 33);
        assert_eq!(splits.conflicts, [("roses/004.jpg".to_string(), "tulips/a rose.jpg".to_string())]);
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

#[test]
fn a_second_run_changes_nothing_and_another_seed_asks() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    photos.split(&project, &Config::seed()).unwrap();
    let state = |project: &Project| {
        let stamp = |name: &str| fs::metadata(project.data.join(name)).unwrap().modified().unwrap();
        (tree(&project.data), stamp("manifest.csv"), stamp("split.json"), stamp("train/daisy"))
    };
    let before = state(&project);
    let first = parts(&project);
    photos.split(&project, &Config::seed()).unwrap();
    assert!(state(&project) == before);

    refused(photos.split(&project, &seeded(43)), &["seed 42", "asked for is 43", "--replace", "manifest.csv"]);
    let mut other = Config::seed();
    (other.split.train, other.split.val) = (0.7, 0.2);
    refused(photos.split(&project, &other), &["fractions [0.8, 0.1, 0.1]", "[0.7, 0.2, 0.1]"]);
    assert!(state(&project) == before);

    // Other photos: one more, one less, one changed.
    let root = &photos.root;
    write_picture(&root.join("daisy/new.jpg"), &picture(500));
    refused(Dataset::folder(root).unwrap().split(&project, &Config::seed()), &["1 photos were added", "daisy/new.jpg"]);
    fs::remove_file(root.join("daisy/new.jpg")).unwrap();
    fs::rename(root.join("daisy/000.jpg"), folder.path().join("aside")).unwrap();
    refused(Dataset::folder(root).unwrap().split(&project, &Config::seed()), &["daisy/000.jpg"]);
    fs::rename(folder.path().join("aside"), root.join("daisy/000.jpg")).unwrap();
    Dataset::folder(root).unwrap().split(&project, &Config::seed()).unwrap();
    assert!(state(&project) == before);

    photos.resplit(&project, &seeded(43)).unwrap();
    let second = parts(&project);
    assert_ne!(first, second);
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    photos.resplit(&project, &Config::seed()).unwrap();
    assert_eq!(
        tree(&project.data).into_iter().filter(|(name, _)| name != "lock").collect::<Vec<_>>(),
        before.0.into_iter().filter(|(name, _)| name != "lock").collect::<Vec<_>>()
    );
}

#[test]
fn only_its_own_files_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    // A person's own file stands where a photo would go.
    let own = project.data.join("train/daisy/000.jpg");
    let also = ["val/daisy/000.jpg", "test/daisy/000.jpg"].map(|name| project.data.join(name));
    for path in [&own, &also[0], &also[1]] {
        files::write_bytes(path, b"mine").unwrap();
    }
    for _ in 0..2 {
        refused(photos.split(&project, &Config::seed()), &["not of this split", "daisy/000.jpg", "move it away"]);
        refused(photos.resplit(&project, &Config::seed()), &["not of this split"]);
        assert_eq!(fs::read(&own).unwrap(), b"mine");
        assert_eq!(names(&project.data).len(), 4, "three files and the lock");
    }
    for path in [&own, &also[0], &also[1]] {
        fs::remove_file(path).unwrap();
    }
    photos.split(&project, &Config::seed()).unwrap();
    let notes = ["train/notes.txt", "train/daisy/mine.jpg", "val/other/1.jpg"].map(|name| project.data.join(name));
    notes.iter().for_each(|path| files::write_bytes(path, b"mine").unwrap());
    photos.resplit(&project, &seeded(5)).unwrap();
    for path in &notes {
        assert_eq!(fs::read(path).unwrap(), b"mine");
    }
    assert_eq!(names(&project.data).len(), 67 + 3 + 3);
    // What is not of the manifest is not of the split.
    assert!(Splits::open(&project.data).unwrap().train.samples.iter().all(|sample| !sample.path.ends_with("mine.jpg")));
}

#[test]
fn what_a_killed_run_left_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    photos.split(&project, &Config::seed()).unwrap();
    let whole = tree(&project.data);
    // As it is in the middle of making one: the list is there under its first name, a part of the files is.
    fs::rename(project.data.join("manifest.csv"), project.data.join("manifest.unfinished.csv")).unwrap();
    fs::remove_file(project.data.join("split.json")).unwrap();
    for row in manifest::read(&project.data.join("manifest.unfinished.csv")).unwrap().iter().skip(30) {
        fs::remove_file(row.file(&project.data)).unwrap();
    }
    refused(Splits::open(&project.data), &["no split yet", "split-dataset"]);
    // Even with another seed, whose files go elsewhere.
    photos.split(&project, &seeded(1)).unwrap();
    assert_eq!(tree(&project.data).len(), whole.len());
    photos.resplit(&project, &Config::seed()).unwrap();
    let without_lock =
        |tree: Vec<(String, Vec<u8>)>| tree.into_iter().filter(|(name, _)| name != "lock").collect::<Vec<_>>();
    assert!(without_lock(tree(&project.data)) == without_lock(whole));
}

#[test]
fn missing_and_changed_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    photos.split(&project, &Config::seed()).unwrap();
    let rows = rows(&project);
    let (one, two) = (&rows[3], &rows[60]);
    let aside = folder.path().join("aside");
    fs::rename(one.file(&project.data), &aside).unwrap();
    refused(Splits::open(&project.data), &["1 files", "missing", &one.path, "--replace"]);
    refused(photos.split(&project, &Config::seed()), &["missing", &one.path]);
    fs::rename(&aside, one.file(&project.data)).unwrap();

    // The same size, another byte. Not through the hard link: that would change the photo itself.
    let mut bytes = fs::read(two.file(&project.data)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(two.file(&project.data)).unwrap();
    fs::write(two.file(&project.data), bytes).unwrap();
    refused(Splits::open(&project.data), &["1 files", "changed", &two.path]);
    photos.resplit(&project, &Config::seed()).unwrap();
    Splits::open(&project.data).unwrap();
}

#[test]
fn a_manifest_that_is_not_ours_is_refused_and_nothing_is_removed_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    photos.split(&project, &Config::seed()).unwrap();
    let path = project.data.join("manifest.csv");
    let good = fs::read_to_string(&path).unwrap();
    let precious = folder.path().join("project/precious.jpg");
    fs::write(&precious, b"mine").unwrap();
    let head = "path,class,split,bytes,sha256\n";
    for text in [
        "",
        "a,b\n1,2\n",
        &format!("{head}../precious.jpg,..,train,4,0\n"),
        &format!("{head}train/../../precious.jpg,..,train,4,0\n"),
        &format!("{head}train/roses/../x,roses,train,4,0\n"),
        &format!("{head}/etc/passwd,etc,train,4,0\n"),
        &format!("{head}train/roses/1.jpg,roses,middle,4,0\n"),
        &format!("{head}train/roses/1.jpg,roses,train,many,0\n"),
        &format!("{head}train/roses/1.jpg,roses\n"),
    ] {
        fs::write(&path, text).unwrap();
        let before = tree(folder.path());
        refused(Splits::open(&project.data), &["cannot be read", "manifest.csv"]);
        refused(photos.split(&project, &Config::seed()), &["cannot be read"]);
        refused(photos.resplit(&project, &Config::seed()), &["cannot be read"]);
        assert!(tree(folder.path()) == before || text.is_empty(), "{text}");
    }
    fs::write(&path, good).unwrap();
    Splits::open(&project.data).unwrap();
    fs::write(project.data.join("split.json"), "{}").unwrap();
    refused(Splits::open(&project.data), &["cannot be read", "split.json"]);
}

#[test]
fn photos_that_cannot_be_read_are_left_out_by_name_until_they_are_mended() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    let bad = photos.root.join("roses/000.jpg");
    let good = fs::read(&bad).unwrap();
    fs::write(&bad, &good[..good.len() / 2]).unwrap();
    let splits = photos.split(&project, &Config::seed()).unwrap();
    assert_eq!(splits.left_out.keys().collect::<Vec<_>>(), ["roses/000.jpg"]);
    assert!(splits.left_out["roses/000.jpg"].why.contains("cut short"));
    assert_eq!(rows(&project).len(), 66);
    photos.split(&project, &Config::seed()).unwrap();
    fs::write(&bad, good).unwrap();
    refused(photos.split(&project, &Config::seed()), &["roses/000.jpg"]);
    assert!(photos.resplit(&project, &Config::seed()).unwrap().left_out.is_empty());
}

#[test]
fn a_class_with_too_few_photos_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    for index in 0..2 {
        write_picture(&photos.root.join(format!("zinnia/00{index}.jpg")), &picture(900 + index));
    }
    refused(Dataset::folder(&photos.root).unwrap().split(&project, &Config::seed()), &["\"zinnia\" has 2", "needs 3"]);
    assert!(!project.data.exists());
    // Three files of one and the same photo are not three photos.
    fs::remove_file(photos.root.join("zinnia/001.jpg")).unwrap();
    for index in 1..4 {
        fs::copy(photos.root.join("zinnia/000.jpg"), photos.root.join(format!("zinnia/00{index}.jpg"))).unwrap();
    }
    refused(Dataset::folder(&photos.root).unwrap().split(&project, &Config::seed()), &["\"zinnia\" has 1 different"]);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_photo_becomes_the_photo() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    fs::rename(photos.root.join("roses/000.jpg"), photos.root.join("elsewhere.bin")).unwrap();
    std::os::unix::fs::symlink("../elsewhere.bin", photos.root.join("roses/000.jpg")).unwrap();
    photos.split(&project, &Config::seed()).unwrap();
    let rows = rows(&project);
    let row = rows.iter().find(|row| row.name() == "roses/000.jpg").unwrap();
    assert!(row.file(&project.data).symlink_metadata().unwrap().is_file());
}

#[test]
fn two_at_once_keep_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    let _other = files::Lock::take(&project.data.join("lock")).unwrap();
    assert_eq!(photos.split(&project, &Config::seed()).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(names(&project.data), ["lock"]);
}
