//! Whatever overlaps, no photo is lost, and it is said before anything is removed.

use std::fs;
use std::path::Path;

use petal::data::{Dataset, Splits};
use petal::{Config, ErrorKind, files};

use super::{contents, petal, photos, refused, well};
use crate::data::{names, project, seeded, tree};

/// A split in `data` whose originals, in `p`, are gone.
fn orphaned(root: &Path) {
    photos(&root.join("p"), 6, 0);
    well(root, &["split-dataset", "--photos", "p"]);
    fs::remove_dir_all(root.join("p")).unwrap();
    assert_eq!(contents(root).len(), 12);
}

#[test]
fn f56_the_photos_of_the_split_itself_are_refused_however_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    orphaned(root);
    let before = tree(root);
    let mut ways = vec!["data/train", "data/train/cat/..", "./data/val", "data/test", "data/train/cat", "data"];
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("data/train", root.join("link")).unwrap();
        symlink("data", root.join("other")).unwrap();
        ways.extend(["link", "link/cat", "other", "other/train"]);
    }
    for photos in ways {
        for more in [&[][..], &["--replace"], &["--seed", "7", "--replace"]] {
            let arguments = [&["split-dataset", "--photos", photos], more].concat();
            let said = refused(root, &arguments, &[]);
            assert!(
                said.contains("those of the split itself") || said.contains("petal writes to this folder itself"),
                "{said}"
            );
        }
        refused(root, &["train", "--photos", photos, "--weights", "random"], &[]);
    }
    let state: Vec<_> =
        tree(root).into_iter().filter(|(name, _)| !name.starts_with("link") && !name.starts_with("other")).collect();
    assert!(
        state
            == before
                .into_iter()
                .filter(|(name, _)| !name.starts_with("link") && !name.starts_with("other"))
                .collect::<Vec<_>>()
    );
    // From another project, which keeps its split elsewhere, they are photos as any others.
    well(root, &["split-dataset", "--photos", "data/train", "--data", "again/data"]);
    assert_eq!(contents(root).len(), 12);
}

#[test]
fn f56_a_split_that_holds_the_last_copies_is_not_replaced_by_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    orphaned(root);
    photos(&root.join("q"), 5, 100);
    let before = contents(root);
    assert_eq!(before.len(), 22);
    let said = refused(
        root,
        &["split-dataset", "--photos", "q", "--replace"],
        &["12 photos of the split", "nowhere else", "--redraw"],
    );
    assert!(said.contains("train/cat/"), "{said}");
    assert_eq!(contents(root), before);
    Splits::open(&root.join("data")).unwrap();
    // Copies of them elsewhere, under any name, are photos that the new split holds.
    for (name, bytes) in tree(&root.join("data")).into_iter().filter(|(name, _)| name.ends_with(".jpg")) {
        let class = name.split('/').nth(1).unwrap();
        files::write_bytes(&root.join("q").join(class).join(name.replace('/', " ")), &bytes).unwrap();
    }
    well(root, &["split-dataset", "--photos", "q", "--replace"]);
    assert_eq!(contents(root), before);
}

/// Two names of one file, of which the originals are gone: each is the other's only copy.
#[test]
fn f56_names_of_one_file_are_not_copies_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(&root.join("p"), 6, 0);
    fs::hard_link(root.join("p/cat/000.jpg"), root.join("p/cat/twin.jpg")).unwrap();
    well(root, &["split-dataset", "--photos", "p"]);
    let before = contents(root);
    fs::remove_dir_all(root.join("p")).unwrap();
    photos(&root.join("q"), 6, 100);
    let said = refused(root, &["split-dataset", "--photos", "q", "--replace"], &["13 photos of the split"]);
    assert!(said.contains("would be lost") && contents(root).is_superset(&before), "{said}");
}

#[test]
fn f56_photos_taken_out_of_a_folder_are_set_aside_when_it_is_split_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(&root.join("p"), 6, 0);
    well(root, &["split-dataset", "--photos", "p"]);
    let before = contents(root);
    for name in ["p/cat/000.jpg", "p/dog/003.jpg"] {
        fs::remove_file(root.join(name)).unwrap();
    }
    let said = well(root, &["split-dataset", "--photos", "p", "--replace"]);
    assert!(said.contains("2 photos of earlier splits are nowhere else any more, and were set aside in"), "{said}");
    assert_eq!(names(&root.join("data/set_aside")), ["cat/000.jpg", "dog/003.jpg"]);
    assert_eq!(contents(root), before);
    assert_eq!(Splits::open(&root.join("data")).unwrap().set_aside, 2);
    // What is still there is not kept twice.
    well(root, &["split-dataset", "--photos", "p", "--replace", "--seed", "3"]);
    assert_eq!(names(&root.join("data/set_aside")).len(), 2);
}

#[cfg(unix)]
#[test]
fn f56_a_part_of_the_split_that_leads_among_the_photos_is_refused() {
    use std::os::unix::fs::symlink;
    for target in ["photos", "photos/cat", "photos/cat/more"] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        photos(&root.join("photos"), 5, 0);
        fs::create_dir_all(root.join("photos/cat/more")).unwrap();
        fs::create_dir_all(root.join("data")).unwrap();
        symlink(root.join(target), root.join("data/train")).unwrap();
        let before = tree(&root.join("photos"));
        for more in [&[][..], &["--replace"]] {
            refused(root, &[&["split-dataset", "--photos", "photos"], more].concat(), &[]);
        }
        assert!(tree(&root.join("photos")) == before, "{target}");
    }
}

#[test]
fn f58_petals_own_folders_are_never_classes_and_a_second_run_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(root, 6, 0);
    well(root, &["split-dataset", "--photos", "."]);
    let first = tree(&root.join("data"));
    // What trainings and other projects leave there, and figures, which are pictures like any others.
    well(root, &["train", "--weights", "random", "--backbone", "resnet18", "--epochs-head", "1", "--epochs-tune", "0"]);
    well(root, &["split-dataset", "--photos", ".", "--data", "elsewhere/d2"]);
    let model = "models/best_model.safetensors";
    well(root, &["explain", "--model", model, "cat/000.jpg", "--out", "cams"]);
    refused(root, &["explain", "--model", model, "cat/001.jpg", "--out", "cat"], &["among the photos"]);
    refused(root, &["explain", "--model", model, "cat", "--out", "dog/../cat"], &["among the photos"]);
    well(root, &["explain", "--model", model, "cat/001.jpg", "--out", "visualizations"]);
    let said = well(root, &["split-dataset", "--photos", "."]);
    assert!(said.contains("made by petal"), "{said}");
    assert!(tree(&root.join("data")) == first);
    let splits = Splits::open(&root.join("data")).unwrap();
    assert_eq!(splits.classes[..], ["cat", "dog"]);

    // A folder that bears the name of petal's own and holds somebody's photos is asked about, not skipped.
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    photos(root, 6, 0);
    fs::rename(root.join("dog"), root.join("models")).unwrap();
    refused(root, &["split-dataset", "--photos", "."], &["is models a class, or petal's own folder?", "--models"]);
    well(root, &["split-dataset", "--photos", ".", "--models", "m"]);
    assert_eq!(Splits::open(&root.join("data")).unwrap().classes[..], ["cat", "models"]);
}

#[test]
fn f56_an_archive_takes_the_place_of_nothing_that_somebody_has_put_there() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let archive = |name: &str, first: u64| {
        photos(&root.join("made/flower_photos"), 3, first);
        let file = fs::File::create(root.join(name)).unwrap();
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
        builder.append_dir_all("flower_photos", root.join("made/flower_photos")).unwrap();
        builder.into_inner().unwrap().finish().unwrap();
        fs::remove_dir_all(root.join("made")).unwrap();
    };
    archive("one.tgz", 0);
    archive("two.tgz", 50);
    let raw = root.join("data/raw/flower_photos");
    photos(&raw, 2, 90);
    let unpack = |name: &str| petal(root, &["download-dataset", "--archive", name, "--replace"]);
    let said = refused(root, &["download-dataset", "--archive", "one.tgz", "--replace"], &["somebody's own"]);
    assert!(said.contains("raw/flower_photos") && contents(&raw).len() == 4, "{said}");
    fs::rename(&raw, root.join("mine")).unwrap();
    assert!(unpack("one.tgz").status.success());
    assert!(unpack("two.tgz").status.success(), "what an archive has brought may go");
    fs::copy(root.join("mine/cat/000.jpg"), raw.join("cat/mine.jpg")).unwrap();
    refused(root, &["download-dataset", "--archive", "one.tgz", "--replace"], &["added, removed or changed here"]);
    assert!(raw.join("cat/mine.jpg").exists());
    fs::remove_file(raw.join("cat/mine.jpg")).unwrap();
    // The archive itself lies in the folder that would go.
    fs::copy(root.join("one.tgz"), raw.join("one.tgz")).unwrap();
    let inside = "data/raw/flower_photos/one.tgz";
    refused(root, &["download-dataset", "--archive", inside, "--replace"], &[]);
    assert!(root.join(inside).exists());
}

/// Two photos of one class's folder whose names differ in case alone keep apart on every file system.
#[test]
fn f60_names_that_some_file_systems_take_for_one_get_places_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("p");
    photos(&root, 4, 0);
    if fs::metadata(root.join("CAT")).is_ok() {
        return; // Here such names are one file.
    }
    fs::rename(root.join("cat/001.jpg"), root.join("cat/A.jpg")).unwrap();
    fs::rename(root.join("cat/002.jpg"), root.join("cat/a.jpg")).unwrap();
    let project = project(&folder.path().join("project"));
    let dataset = Dataset::folder(&root).unwrap();
    let splits = dataset.split(&project, &Config::seed()).unwrap();
    let places = |splits: &Splits| {
        let parts = [&splits.train, &splits.val, &splits.test];
        let all = parts.iter().flat_map(|part| part.samples.iter());
        let place = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_lowercase();
        all.filter(|sample| sample.target == 0)
            .map(|sample| place(&sample.path))
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(places(&splits).len(), 4);
    dataset.split(&project, &Config::seed()).unwrap();
    assert_eq!(dataset.split(&project, &seeded(2)).unwrap_err().kind(), ErrorKind::Dataset);
    assert_eq!(contents(&project.data).len(), 8);
}
