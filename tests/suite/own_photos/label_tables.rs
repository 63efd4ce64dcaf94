//! F59: photos whose classes a table of labels says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use petal::data::{Dataset, Reason, Split, Splits};
use petal::{Config, Error};

use super::layouts::sizes;
use super::{refused, well};
use crate::data::{picture, project, seeded, write_picture};

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
