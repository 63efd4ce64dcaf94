//! A split on disk: made once, replaced when asked, and nothing else touched.

use std::fs;

use petal::data::manifest;
use petal::data::{Dataset, Splits};
use petal::{Config, ErrorKind, files};

use super::split::{begun, parts, refused, rows};
use super::{names, picture, seeded, tree, write_picture};
use petal::project::Project;

#[test]
fn f24_a_second_run_changes_nothing_and_another_seed_asks() {
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
    assert!(tree(&project.data) == before.0);
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
        assert_eq!(names(&project.data).len(), 3);
    }
    for path in [&own, &also[0], &also[1]] {
        fs::remove_file(path).unwrap();
    }
    photos.split(&project, &Config::seed()).unwrap();
    let notes = ["train/notes.txt", "train/daisy/mine.txt", "val/other/1.md"].map(|name| project.data.join(name));
    notes.iter().for_each(|path| files::write_bytes(path, b"mine").unwrap());
    photos.resplit(&project, &seeded(5)).unwrap();
    for path in &notes {
        assert_eq!(fs::read(path).unwrap(), b"mine");
    }
    assert_eq!(names(&project.data).len(), 67 + 2 + 3);
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
    assert!(tree(&project.data) == whole);
}

#[test]
fn f24_missing_changed_and_added_files_are_named() {
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

    // A photo that someone put beside the others is not learned from without a word, nor left out without one.
    let extra = project.data.join("train/roses/new.jpg");
    write_picture(&extra, &picture(700));
    write_picture(&project.data.join("val/zinnia/1.jpg"), &picture(701));
    let words = ["2 files", "are not of it: train/roses/new.jpg, val/zinnia/1.jpg", "split anew"];
    refused(Splits::open(&project.data), &words);
    refused(photos.split(&project, &Config::seed()), &words);
    assert!(extra.exists());
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
fn f27_photos_that_cannot_be_read_are_left_out_by_name_until_they_are_mended() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    let bad = photos.root.join("roses/000.jpg");
    let good = fs::read(&bad).unwrap();
    fs::write(&bad, &good[..good.len() / 2]).unwrap();
    let splits = photos.split(&project, &Config::seed()).unwrap();
    assert_eq!(splits.made_with.left_out.keys().collect::<Vec<_>>(), ["roses/000.jpg"]);
    assert!(splits.made_with.left_out["roses/000.jpg"].why.contains("cut short"));
    assert_eq!(rows(&project).len(), 66);
    photos.split(&project, &Config::seed()).unwrap();
    fs::write(&bad, good).unwrap();
    refused(photos.split(&project, &Config::seed()), &["roses/000.jpg"]);
    assert!(photos.resplit(&project, &Config::seed()).unwrap().made_with.left_out.is_empty());
}

#[test]
fn f19_a_class_with_too_few_photos_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (project, photos) = begun(folder.path());
    for index in 0..2 {
        write_picture(&photos.root.join(format!("zinnia/00{index}.jpg")), &picture(900 + index));
    }
    refused(Dataset::folder(&photos.root).unwrap().split(&project, &Config::seed()), &["\"zinnia\" has 2", "needs 3"]);
    assert!(!project.data.exists());
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
