//! The layouts that sets of photos come in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use petal::data::{Dataset, Reason, Split, Splits};
use petal::{Config, Error, ErrorKind};

use super::{photos, refused, well};
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
fn sizes(splits: &Splits) -> [usize; 3] {
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

/// Photos in `images`, and more of them in a folder below: 0 to 9 and 10 to 14.
fn unsorted(root: &Path) {
    for number in 0..15 {
        let folder = if number < 10 { "images" } else { "images/more" };
        write_picture(&root.join(folder).join(format!("{number}.jpg")), &picture(number));
    }
}

fn labels_of(dataset: &Dataset) -> BTreeMap<String, String> {
    let sample = |sample: &petal::data::Sample| (sample.name.clone(), dataset.classes[sample.target].clone());
    dataset.samples.iter().map(sample).collect()
}

#[test]
fn f59_a_table_of_labels_is_understood_as_people_write_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    unsorted(root);
    let class = |number: usize| if number.is_multiple_of(3) { "big cat" } else { "dog, small" };
    let name = |number: usize| if number < 10 { format!("{number}.jpg") } else { format!("more/{number}.jpg") };
    let expected: BTreeMap<String, String> = (0..15).map(|number| (name(number), class(number).to_string())).collect();
    let table = |line: &dyn Fn(usize) -> String, head: &str, end: &str| {
        let lines: Vec<String> = (0..15).map(|number| format!("{}{end}", line(number))).collect();
        format!("{head}{}{}", if head.is_empty() { "" } else { end }, lines.concat())
    };
    let quoted = |number: usize| format!("\"{}\"", class(number));
    let ways = [
        table(&|n| format!("{},{}", name(n), quoted(n)), "path,label", "\n"),
        // No head; another order of columns, with one that does not matter; a spreadsheet's marks; semicolons; tabs.
        table(&|n| format!("{},{}", name(n), quoted(n)), "", "\n"),
        table(&|n| format!("{n},{},{}", quoted(n), name(n)), "number,Species, File_Name ", "\r\n"),
        format!("\u{feff}{}", table(&|n| format!("{};{}", name(n), class(n)), "filename;class", "\r\n")),
        table(&|n| format!("{}\t{}", name(n), class(n)), "image\tlabel", "\n"),
        // Without ending, as Kaggle's ids; by the file's name alone; from above the folder; with backslashes; beginning with ./
        table(&|n| format!("{n},{}", quoted(n)), "id,breed", "\n"),
        table(&|n| format!("{n}.jpg,{}", quoted(n)), "image_id,label", "\n"),
        table(&|n| format!("photos/images/{},{}", name(n), quoted(n)), "path,label", "\n"),
        table(&|n| format!("images\\{},{}", name(n).replace('/', "\\"), quoted(n)), "path,label", "\n"),
        table(&|n| format!("./{},{}", name(n), quoted(n)), "path,label", "\n"),
        // A line twice is a line.
        table(&|n| format!("{0},{1}\n{0},{1}", name(n), quoted(n)), "path,label", "\n"),
    ];
    for text in ways {
        fs::write(root.join("labels.csv"), &text).unwrap();
        let dataset = Dataset::labelled(root.join("labels.csv"), root.join("images"))
            .unwrap_or_else(|error| panic!("{text}{error}"));
        assert_eq!(labels_of(&dataset), expected, "{text}");
        assert!(dataset.left_out.is_empty() && !dataset.is_split(), "{:?}", dataset.left_out);
    }
    // Paths that begin beside the table, which lies above the photos.
    fs::write(root.join("labels.csv"), table(&|n| format!("images/{},{}", name(n), quoted(n)), "path,label", "\n"))
        .unwrap();
    let dataset = Dataset::labelled(root.join("labels.csv"), root).unwrap();
    assert_eq!(labels_of(&dataset).len(), 15);
    assert_eq!(dataset.left_out["labels.csv"].reason, Reason::NotAPicture);
}

#[test]
fn f59_what_a_table_says_too_much_or_too_little_is_counted_and_what_cannot_be_is_refused_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    unsorted(root);
    let labelled = |text: &str| {
        fs::write(root.join("labels.csv"), text).unwrap();
        Dataset::labelled(root.join("labels.csv"), root.join("images"))
    };
    let all = |more: &str| {
        let lines: Vec<String> = (0..12).map(|n| format!("{n},{}\n", if n % 2 == 0 { "a" } else { "b" })).collect();
        format!("path,label\n{}{more}", lines.concat())
    };
    let dataset = labelled(&all("gone.jpg,a\n13.jpg,\n")).unwrap();
    assert_eq!(dataset.samples.len(), 12);
    let why: Vec<_> = dataset.left_out.iter().map(|(name, one)| (name.as_str(), one.reason)).collect();
    let expected = [
        ("gone.jpg", Reason::Missing),
        ("more/12.jpg", Reason::NoLabel),
        ("more/13.jpg", Reason::NoLabel),
        ("more/14.jpg", Reason::NoLabel),
    ];
    assert_eq!(why, expected);
    let said = dataset.text();
    assert!(said.contains("in the labels, but not there") && said.contains("without a label"), "{said}");

    let twin = root.join("images/more/3.jpg");
    let error = |text: &str| -> Error { labelled(text).expect_err(text) };
    for (text, words) in [
        (all("3.jpg,a\n"), "3.jpg has another label or part in line 14 than in line 5"),
        (all("13.jpg,a/b\n"), "line 14: the class \"a/b\" has a slash in it"),
        (all("13.jpg,..\n"), "line 14: the class \"..\" cannot be a folder's name"),
        (all("13.jpg,a,b\n"), "line 14 has 3 cells; expected 2"),
        ("nothing,of,this\n1,2,3\n".into(), "which columns are the photo and its label? there are nothing, of, this"),
        ("path\n1.jpg\n".into(), "one column"),
        ("path,label\nx.jpg,a\ny.jpg,b\n".into(), "none of the photos in this table is in"),
        ("path,label\n1.jpg,a\n2.jpg,a\n".into(), "there are 1 classes (a)"),
        ("path,label,split\n1.jpg,a,train\n2.jpg,b,middle\n".into(), "line 3: \"middle\" is no part"),
        ("path,label,split\n1.jpg,a,train\n2.jpg,b,\n".into(), "line 3: \"\" is no part"),
    ] {
        let error = error(&text);
        assert!(error.what().contains(words), "{words}: {error}");
        assert!(error.path().is_some() && error.how_to_mend().is_some(), "{error}");
    }
    write_picture(&twin, &picture(99));
    assert_eq!(labelled(&all("")).unwrap().samples.len(), 12, "3 is the one at the top");
    fs::rename(root.join("images/3.jpg"), root.join("images/more/deep.jpg")).unwrap();
    fs::create_dir(root.join("images/other")).unwrap();
    write_picture(&root.join("images/other/3.jpg"), &picture(98));
    assert!(error(&all("")).what().contains("line 5: \"3\" could be any of more/3.jpg, other/3.jpg"));
    fs::write(root.join("labels.csv"), [b'p', b',', b'l', b'\n', 0xe4, b',', b'a']).unwrap();
    let error = Dataset::labelled(root.join("labels.csv"), root.join("images")).unwrap_err();
    assert!(error.what().contains("not UTF-8"), "{error}");
}

#[test]
fn f59_a_table_may_name_the_parts_and_a_changed_label_is_another_split() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    unsorted(root);
    let project = project(&root.join("project"));
    let write = |name: &str, part: &dyn Fn(usize) -> &'static str, first: &str| {
        let lines: Vec<String> =
            (0..15).map(|n| format!("{n},{},{}\n", if n == 0 { first } else { ["a", "b"][n % 2] }, part(n))).collect();
        fs::write(root.join("labels.csv"), format!("path,label,{name}\n{}", lines.concat())).unwrap();
        Dataset::labelled(root.join("labels.csv"), root.join("images")).unwrap()
    };
    let part = |n: usize| ["train", "train", "train", "valid", "Testing"][n % 5];
    let splits = write("split", &part, "a").split(&project, &Config::seed()).unwrap();
    assert_eq!(sizes(&splits), [9, 3, 3]);
    let names: BTreeSet<&str> = splits.val.samples.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names, ["3.jpg", "8.jpg", "more/13.jpg"].into());
    write("split", &part, "a").split(&project, &seeded(9)).unwrap();
    let error = write("split", &part, "b").split(&project, &Config::seed()).unwrap_err();
    assert!(
        error.what().contains("1 photos were added, removed or changed since this split was made: 0.jpg"),
        "{error}"
    );
    // fastai's way: a column that says what is for validation; the test photos are drawn.
    let is_valid = |n: usize| if n.is_multiple_of(5) { "True" } else { "False" };
    let splits = write("is_valid", &is_valid, "a").resplit(&project, &Config::seed()).unwrap();
    assert_eq!((sizes(&splits)[1], splits.made_with.drawn.as_slice()), (3, &[Split::Test][..]));
}

#[test]
fn the_command_takes_tables_too() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    unsorted(root);
    let lines: Vec<String> = (0..15).map(|n| format!("{n}.jpg,{}\n", ["a", "b"][n % 2])).collect();
    fs::write(root.join("labels.csv"), format!("path,label\n{}", lines.concat())).unwrap();
    well(root, &["split-dataset", "--labels", "labels.csv"]);
    let splits = Splits::open(&root.join("data")).unwrap();
    assert_eq!(splits.classes[..], ["a", "b"]);
    // The same, with the folder named: other names, since they begin elsewhere.
    refused(root, &["split-dataset", "--labels", "labels.csv", "--photos", "images"], &["made of other photos"]);
    well(root, &["split-dataset", "--labels", "labels.csv", "--photos", "images", "--replace"]);
    refused(root, &["split-dataset", "--labels", "nothing.csv"], &[]);
}
